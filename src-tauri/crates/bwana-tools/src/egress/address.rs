//! Which addresses lie on the public internet. Everything that IANA's special-purpose registries list is not, whatever it
//! embeds: a translated or tunnelled address may end in the machine's own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// First address, prefix length, and what the range is.
const SPECIAL_V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::UNSPECIFIED, 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private network"),
    (
        Ipv4Addr::new(100, 64, 0, 0),
        10,
        "a provider's inner network",
    ),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "this machine"),
    (
        Ipv4Addr::new(168, 63, 129, 16),
        32,
        "a cloud's metadata service",
    ),
    (
        Ipv4Addr::new(169, 254, 0, 0),
        16,
        "the local link or a cloud's metadata service",
    ),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private network"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved for protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "for documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "reserved for protocols"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "reserved for protocols"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a tunnel"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private network"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "reserved for protocols"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "for measurements"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved or broadcast"),
];

/// Within 2000::/3, the only block that is given out for global unicast.
const SPECIAL_V6: &[(Ipv6Addr, u32, &str)] = &[
    (
        Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),
        23,
        "reserved for protocols and tunnels",
    ),
    (
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
        32,
        "for documentation",
    ),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "a tunnel"),
    (
        Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0),
        48,
        "reserved for protocols",
    ),
    (
        Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),
        20,
        "for documentation",
    ),
];
const GLOBAL_UNICAST_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What kind of place `ip` is if it is not a public one.
pub fn not_public(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => SPECIAL_V4
            .iter()
            .find(|(net, len, _)| in_v4(ip, *net, *len))
            .map(|(_, _, what)| *what),
        IpAddr::V6(ip) => not_public_v6(ip),
    }
}

fn not_public_v6(ip: Ipv6Addr) -> Option<&'static str> {
    if let Some(inner) = ip.to_ipv4_mapped() {
        // Never dialled in this form; the inner kind makes the better message.
        return Some(not_public(IpAddr::V4(inner)).unwrap_or("an IPv4 address in disguise"));
    }
    let (net, len) = GLOBAL_UNICAST_V6;
    if !in_v6(ip, net, len) {
        return Some(match ip.segments() {
            _ if ip.is_loopback() => "this machine",
            _ if ip.is_unspecified() => "this network",
            [0x64, 0xff9b, ..] => "an IPv4 address in disguise",
            [first, ..] if first & 0xfe00 == 0xfc00 => "a private network",
            [first, ..] if first & 0xffc0 == 0xfe80 => "the local link",
            [first, ..] if first & 0xff00 == 0xff00 => "multicast",
            _ => "not a public address",
        });
    }
    let [.., flags, isatap, _, _] = ip.segments();
    if isatap == 0x5efe && flags & 0xfdff == 0 {
        return Some("a tunnel");
    }
    SPECIAL_V6
        .iter()
        .find(|(net, len, _)| in_v6(ip, *net, *len))
        .map(|(_, _, what)| *what)
}

fn in_v4(ip: Ipv4Addr, net: Ipv4Addr, len: u32) -> bool {
    (ip.to_bits() ^ net.to_bits()).leading_zeros() >= len
}

fn in_v6(ip: Ipv6Addr, net: Ipv6Addr, len: u32) -> bool {
    (ip.to_bits() ^ net.to_bits()).leading_zeros() >= len
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, public: bool) {
        let kind = not_public(text.parse().unwrap());
        assert_eq!(kind.is_none(), public, "{text} is {kind:?}");
    }

    #[test]
    fn the_edges_of_every_special_ipv4_range_are_known() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("168.63.129.16", "168.63.129.16"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.31.196.0", "192.31.196.255"),
            ("192.52.193.0", "192.52.193.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("192.175.48.0", "192.175.48.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "255.255.255.255"),
        ] {
            check(first, false);
            check(last, false);
            let (first, last): (Ipv4Addr, Ipv4Addr) =
                (first.parse().unwrap(), last.parse().unwrap());
            for beside in [
                first.to_bits().checked_sub(1),
                last.to_bits().checked_add(1),
            ]
            .into_iter()
            .flatten()
            {
                check(&Ipv4Addr::from_bits(beside).to_string(), true);
            }
        }
    }

    #[test]
    fn ipv6_is_public_only_within_what_is_given_out() {
        for text in [
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "1fff:ffff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "2620:4f:8000::1",
            "3fff::1",
            "3fff:fff:ffff::1",
            "2a00:1450::5efe:10.0.0.1",
            "2a00:1450::200:5efe:10.0.0.1",
        ] {
            check(text, false);
        }
        for text in [
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
            "2a00:1450:4001:81b::200e",
            "2003::1",
            "3ffe::1",
            "3fff:1000::1",
            "2620:4f:7fff::1",
        ] {
            check(text, true);
        }
    }

    #[test]
    fn ordinary_ipv4_is_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.215.14",
            "41.90.0.1",
            "197.248.1.1",
            "102.22.0.1",
        ] {
            check(text, true);
        }
    }
}
