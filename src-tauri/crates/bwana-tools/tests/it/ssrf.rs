//! Addresses that try to reach this machine or its networks: every spelling, directly, by redirects, and by names that
//! change their mind. The network of these tests dials whatever it is told to, so a gap in the check is a hit.

use std::sync::Arc;

use bwana_tools::ToolError;
use bwana_tools::egress::not_public;
use serde_json::json;

use crate::net::{Act, Canary, Liar, PUBLIC, PUBLIC_V6, Server, answer, over, redirect};
use crate::support::Bench;

/// Spellings of hosts that lead inside. `P4` and `P6` stand for the ports of the canaries.
const HOSTS: &[&str] = &[
    // This machine, IPv4.
    "127.0.0.1:P4",
    "127.0.0.1.:P4",
    "127.1:P4",
    "127.0.1:P4",
    "2130706433:P4",
    "0x7f000001:P4",
    "0x7F.0.0.1:P4",
    "0x7f.1:P4",
    "0x7f.0x0.0x0.0x1:P4",
    "0177.0.0.1:P4",
    "0177.0.0.01:P4",
    "017700000001:P4",
    "0177.1:P4",
    "127.0.0.0x1:P4",
    "127.0x0.1:P4",
    "00000177.0.0.1:P4",
    "127.000.000.001:P4",
    "127.0.0.2:P4",
    "127.255.255.254:P4",
    "0:P4",
    "0.0.0.0:P4",
    "0x0:P4",
    "00:P4",
    "0.0:P4",
    "１２７.0.0.1:P4",
    "①②⑦.⓪.⓪.①:P4",
    "127。0。0。1:P4",
    "127．0．0．1:P4",
    "127｡0｡0｡1:P4",
    "０ｘ７ｆ.1:P4",
    "0x7f000001.:P4",
    "4294967295:P4",
    "0xffffffff:P4",
    // This machine, IPv6.
    "[::1]:P6",
    "[0:0:0:0:0:0:0:1]:P6",
    "[0000::0001]:P6",
    "[::]:P6",
    "[::0]:P6",
    "[::127.0.0.1]:P4",
    "[::7f00:1]:P4",
    "[::ffff:127.0.0.1]:P4",
    "[::FFFF:7F00:1]:P4",
    "[0:0:0:0:0:ffff:127.0.0.1]:P4",
    "[::ffff:0:127.0.0.1]:P4",
    "[::ffff:0.0.0.0]:P4",
    "[64:ff9b::127.0.0.1]:P4",
    "[64:ff9b::7f00:1]:P4",
    "[64:ff9b:1::7f00:1]:P4",
    "[2002:7f00:1::]:P4",
    "[2002:7f00:0001::1]:P4",
    "[2001:0:7f00:1::1]:P4",
    "[2001::7f00:1]:P4",
    "[2a00:1450::5efe:7f00:1]:P4",
    "[100::1]:P6",
    "[4000::1]:P6",
    // Networks around it.
    "10.0.0.1",
    "10.255.255.255",
    "0xa.0.0.1",
    "012.0.0.1",
    "167772161",
    "172.16.0.1",
    "172.31.255.254",
    "0xac.0x10.1",
    "2886729729",
    "192.168.0.1",
    "192.168.1.1:8080",
    "3232235777",
    "0xc0a80101",
    "0300.0250.1.1",
    "100.64.0.1",
    "100.127.255.254",
    "169.254.1.1",
    "198.18.0.1",
    "198.19.255.254",
    "192.0.0.1",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.250:1900",
    "240.0.0.1",
    "255.255.255.255",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:192.168.0.1]",
    "[64:ff9b::10.0.0.1]",
    "[2002:a00:1::]",
    "[2001:db8::1]",
    "[3fff::1]",
    // Metadata services of clouds.
    "169.254.169.254",
    "169.254.169.254.",
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[fd00:ec2::254]",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    // Names; what they mean stands in `network`.
    "localhost:P4",
    "LOCALHOST:P4",
    "localhost.:P4",
    "a.localhost:P4",
    "loop.example:P4",
    "LOOP.example:P4",
    "loop.example.:P4",
    "loop6.example:P6",
    "mixed.example:P4",
    "mixed-last.example:P4",
    "mapped.example:P4",
    "nat64.example:P4",
    "sixtofour.example:P4",
    "zero.example:P4",
    "rfc1918.example",
    "cgnat.example",
    "ula.example",
    "linklocal.example",
    "meta.example",
    "multicast.example",
    "ｌｏｃａｌｈｏｓｔ:P4",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:P4",
    "127.0.0.1.nip.example:P4",
];

fn network(public: &Server) -> Liar {
    let mut network = Liar::new(Some(public.address))
        .name("public.example", &[&[PUBLIC]])
        .name("second.example", &[&[PUBLIC_V6]]);
    for (name, ips) in [
        ("localhost", &["127.0.0.1", "::1"][..]),
        ("localhost.", &["127.0.0.1"]),
        ("a.localhost", &["127.0.0.1"]),
        ("loop.example", &["127.0.0.1"]),
        ("loop.example.", &["127.0.0.1"]),
        ("loop6.example", &["::1"]),
        ("mixed.example", &["127.0.0.1", PUBLIC]),
        ("mixed-last.example", &[PUBLIC, PUBLIC_V6, "127.0.0.1"]),
        ("mapped.example", &["::ffff:127.0.0.1"]),
        ("nat64.example", &["64:ff9b::7f00:1"]),
        ("sixtofour.example", &["2002:7f00:1::"]),
        ("zero.example", &["0.0.0.0"]),
        ("rfc1918.example", &["10.0.0.1"]),
        ("cgnat.example", &["100.64.0.1"]),
        ("ula.example", &["fd00::1"]),
        ("linklocal.example", &["fe80::1"]),
        ("meta.example", &["169.254.169.254"]),
        ("multicast.example", &["224.0.0.1"]),
        ("127.0.0.1.nip.example", &["127.0.0.1"]),
    ] {
        network = network.name(name, &[ips]);
    }
    network
}

/// `PATH` of the public server says which trick it plays with which host.
fn trick(path: &str, hosts: &[String]) -> Act {
    let mut parts = path.trim_start_matches('/').split('/');
    let (kind, n) = (
        parts.next().unwrap_or_default(),
        parts.next().and_then(|n| n.parse::<usize>().ok()),
    );
    let Some(host) = n.and_then(|n| hosts.get(n)) else {
        return Act::Say(answer("200 OK", "text/plain", "fine").into_bytes());
    };
    let n = n.unwrap_or_default();
    Act::Say(
        match kind {
            "absolute" => redirect(302, &format!("http://{host}/canary")),
            "relative" => redirect(307, &format!("//{host}/canary#x")),
            "chain" => redirect(301, &format!("http://second.example/absolute/{n}")),
            _ => unreachable!("{path}"),
        }
        .into_bytes(),
    )
}

#[tokio::test]
async fn no_spelling_and_no_redirect_reaches_this_machine() {
    let (v4, v6) = (Canary::at("127.0.0.1").await, Canary::at("::1").await);
    let port = |host: &&str| {
        host.replace("P4", &v4.address.port().to_string())
            .replace("P6", &v6.address.port().to_string())
    };
    let hosts: Vec<String> = HOSTS.iter().map(port).collect();
    assert!(hosts.len() >= 120, "{} forms", hosts.len());
    let known = hosts.clone();
    let public = Server::start(move |path| trick(path, &known)).await;
    let network = Arc::new(network(&public));
    let bench = Bench::with(over(&network, &[]));
    let mut tried = 0;
    for (n, host) in hosts.iter().enumerate() {
        for url in [
            format!("http://{host}/canary"),
            format!("https://{host}/canary"),
            format!("http://public.example/absolute/{n}"),
            format!("http://public.example/relative/{n}"),
            format!("http://public.example/chain/{n}"),
        ] {
            network.forget();
            let direct = url.ends_with("/canary");
            for (tool, args) in [
                ("http.get", json!({"url": url})),
                ("webhook.send", json!({"url": url, "body": {}})),
            ] {
                let outcome = bench.call(tool, &args).await;
                tried += 1;
                let refused = matches!(
                    outcome,
                    Err(ToolError::Refused(_) | ToolError::InvalidArgs(_))
                );
                // A webhook does not follow redirects: the public server's answer is a certain failure.
                let stopped = tool == "webhook.send"
                    && !direct
                    && matches!(
                        outcome,
                        Err(ToolError::Failed {
                            status: Some(_),
                            ..
                        })
                    );
                assert!(refused || stopped, "{tool} {url} ({host}) gave {outcome:?}");
                assert!(
                    !direct || network.dialled().is_empty(),
                    "{tool} {url} dialled {:?}",
                    network.dialled()
                );
            }
            let inside: Vec<_> = network
                .dialled()
                .into_iter()
                .filter(|a| not_public(a.ip()).is_some())
                .collect();
            assert!(inside.is_empty(), "{url} ({host}) dialled {inside:?}");
        }
    }
    for canary in [&v4, &v6] {
        canary.settle().await;
        assert_eq!(canary.hits(), 0);
    }
    eprintln!("{} forms, {tried} calls, 0 hits", hosts.len());
}

#[tokio::test]
async fn the_canaries_of_these_tests_do_sing() {
    let canary = Canary::at("127.0.0.1").await;
    let public = Server::saying("").await;
    let network = Arc::new(network(&public));
    let port = canary.address.port();
    let bench = Bench::with(over(&network, &[&format!("loop.example:{port}")]));
    let output = bench
        .call(
            "http.get",
            &json!({"url": format!("http://loop.example:{port}/")}),
        )
        .await
        .unwrap();
    assert!(output.content.ends_with("CANARY"), "{output:?}");
    canary.settle().await;
    assert_eq!(canary.hits(), 1);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_dialled_where_it_was_checked() {
    let canary = Canary::at("127.0.0.1").await;
    let port = canary.address.port();
    let public = Server::saying(&answer("200 OK", "text/plain", "fine")).await;
    for flips in [
        &[&[PUBLIC][..], &["127.0.0.1"]][..],
        &[&[PUBLIC], &["::1"]],
        &[&[PUBLIC_V6, PUBLIC], &["127.0.0.1", PUBLIC]],
        &[&[PUBLIC], &["::ffff:127.0.0.1"]],
    ] {
        let network = Arc::new(Liar::new(Some(public.address)).name("rebind.example", flips));
        let bench = Bench::with(over(&network, &[]));
        let url = format!("http://rebind.example:{port}/");
        let first = bench.call("http.get", &json!({"url": url})).await;
        assert!(first.unwrap().content.ends_with("fine"));
        assert_eq!(
            network.asked("rebind.example"),
            1,
            "the name was looked up again between check and dial"
        );
        for tool in ["http.get", "webhook.send"] {
            let args = if tool == "http.get" {
                json!({"url": url})
            } else {
                json!({"url": url, "body": {}})
            };
            assert!(matches!(
                bench.call(tool, &args).await,
                Err(ToolError::Refused(_))
            ));
        }
        assert!(
            network
                .dialled()
                .iter()
                .all(|address| not_public(address.ip()).is_none())
        );
    }
    canary.settle().await;
    assert_eq!(canary.hits(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_during_redirects_is_checked_each_time() {
    let canary = Canary::at("127.0.0.1").await;
    let port = canary.address.port();
    for hops in 0..5_usize {
        let public =
            Server::start(|path| Act::Say(redirect(302, &format!("{path}x")).into_bytes())).await;
        let public_ip: &[&str] = &[PUBLIC];
        let mut answers = vec![public_ip; hops + 1];
        answers.push(&["127.0.0.1"]);
        let network = Arc::new(Liar::new(Some(public.address)).name("rebind.example", &answers));
        let bench = Bench::with(over(&network, &[]));
        let outcome = bench
            .call(
                "http.get",
                &json!({"url": format!("http://rebind.example:{port}/")}),
            )
            .await;
        assert!(
            matches!(&outcome, Err(ToolError::Refused(why)) if why.contains("this machine")),
            "{outcome:?}"
        );
        assert_eq!(network.dialled().len(), hops + 1);
        assert_eq!(network.asked("rebind.example"), hops + 2);
    }
    canary.settle().await;
    assert_eq!(canary.hits(), 0);
}

#[tokio::test]
async fn ports_that_are_not_the_web_are_not_reached_anywhere() {
    let network = Arc::new(Liar::new(None).name("public.example", &[&[PUBLIC]]));
    let bench = Bench::with(over(&network, &[]));
    for port in [1, 21, 22, 23, 25, 53, 110, 143, 465, 587, 993, 1_023] {
        let outcome = bench
            .call(
                "webhook.send",
                &json!({"url": format!("http://public.example:{port}/"), "body": {}}),
            )
            .await;
        assert!(
            matches!(outcome, Err(ToolError::Refused(_))),
            "{port}: {outcome:?}"
        );
    }
    assert!(network.dialled().is_empty());
}

#[tokio::test]
async fn proxy_settings_of_the_environment_do_not_matter() {
    // Nothing in the path to the network reads the environment; this holds it so: the variable would lead to the canary.
    let canary = Canary::at("127.0.0.1").await;
    let server = Server::saying(&answer("200 OK", "text/plain", "direct")).await;
    let program = std::env::current_exe().unwrap();
    let output = tokio::process::Command::new(program)
        .args(["--exact", "ssrf::child_fetches_one_page", "--nocapture"])
        .env("BWANA_TEST_FETCH", server.authority())
        .envs(
            [
                "http_proxy",
                "HTTP_PROXY",
                "https_proxy",
                "all_proxy",
                "ALL_PROXY",
            ]
            .map(|name| (name, format!("http://{}", canary.address))),
        )
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.requests().len(), 1);
    canary.settle().await;
    assert_eq!(canary.hits(), 0);
}

/// Run by the test above in a process of its own; alone it has nothing to do.
#[tokio::test]
async fn child_fetches_one_page() {
    let Ok(authority) = std::env::var("BWANA_TEST_FETCH") else {
        return;
    };
    let bench = Bench::with(crate::net::open(&[&authority]));
    let output = bench
        .call("http.get", &json!({"url": format!("http://{authority}/")}))
        .await
        .unwrap();
    assert!(output.content.ends_with("direct"));
}
