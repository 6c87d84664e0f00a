//! Which calls a grant covers: those that give the very same pattern. Near misses, written down by hand.

use bwana_tools::args::parse_args;
use bwana_tools::pattern::{address_of, domain_of, exact, folder_of, host_of, patterns};
use bwana_tools::{Registry, builtin};
use bwana_types::grant::Pattern;

/// Spellings of one thing, then things that are another.
#[track_caller]
fn check(of: fn(&str) -> Option<Pattern>, same: &[&str], other: &[&str]) {
    let granted = of(same[0]).unwrap_or_else(|| panic!("no pattern of {}", same[0]));
    for text in same {
        assert_eq!(of(text).as_ref(), Some(&granted), "{text}");
    }
    for text in other {
        assert_ne!(of(text).as_ref(), Some(&granted), "{text}");
    }
}

#[test]
fn a_host_is_one_origin_however_it_is_written() {
    check(
        host_of,
        &[
            "https://example.org/a",
            "https://EXAMPLE.org/b?c=d",
            "HTTPS://example.ORG:443/",
            "https://example.org/#https://evil.example",
            "https://ex%61mple.org/".replace("%61", "a").as_str(),
        ],
        &[
            "http://example.org/a",
            "https://example.org:8443/",
            "https://www.example.org/",
            "https://example.org.evil.example/",
            "https://evil.example/example.org",
            "https://evil.example/?https://example.org/",
            "https://example.org@evil.example/",
            "https://example.org%2eevil.example/",
            "https://example.org\\@evil.example/",
            "https://exampIe.org/",
            "https://ехample.org/",
            "https://example.org./",
            "https://еxample.org/",
            "https://example。org.evil.example/",
            "https://xn--example-.org/",
            "example.org",
            "https://",
            "",
        ],
    );
    check(
        host_of,
        &["https://bücher.example/", "https://xn--bcher-kva.example/"],
        &["https://bucher.example/", "https://bücher.example.org/"],
    );
    check(
        host_of,
        &["http://127.0.0.1:9/", "http://2130706433:9/"],
        &["http://127.0.0.1/", "http://127.0.0.2:9/"],
    );
}

#[test]
fn an_address_is_all_of_it_but_the_fragment() {
    check(
        address_of,
        &[
            "https://hooks.example/T1/abc",
            "https://HOOKS.example:443/T1/abc#x",
            "https://hooks.example/T0/../T1/abc",
        ],
        &[
            "https://hooks.example/T1/abcd",
            "https://hooks.example/T1/ABC",
            "https://hooks.example/T1/abc/",
            "https://hooks.example/T1/abc?x=1",
            "https://hooks.example/T2/abc",
            "http://hooks.example/T1/abc",
        ],
    );
}

#[test]
fn a_mail_domain_is_one_domain_of_one_plain_address() {
    check(
        domain_of,
        &["a@example.org", "b.c+d@Example.ORG"],
        &[
            "a@mail.example.org",
            "a@example.org.evil.example",
            "a@example.com",
            "a@evil.example,b@example.org",
            "a@evil.example;b@example.org",
            "A <a@example.org>",
            "\"x@evil.example\"@example.org",
            "a@evil.example@example.org",
            "a@example.org ",
            "a@example.org\n",
            "a@exam\u{200b}ple.org",
            "a@ехample.org",
            "@example.org",
            "a@",
            "a@[127.0.0.1]",
            "a@localhost",
            "a@example.org.",
            "example.org",
        ],
    );
}

#[test]
fn a_folder_is_one_folder_and_not_those_in_it() {
    check(
        folder_of,
        &["drafts/a.md", "drafts/b.txt"],
        &[
            "drafts/2026/a.md",
            "Drafts/a.md",
            "drafts2/a.md",
            "a.md",
            "drafts",
            "drafts/../a.md",
            "./drafts/a.md",
            "/drafts/a.md",
            "drafts//a.md",
            "drafts\\a.md",
            "drafts/",
        ],
    );
}

#[test]
fn exactly_these_arguments_are_these_and_no_more() {
    let tools = Registry::new(builtin()).unwrap();
    let spec = tools.get("webhook.send").unwrap().spec();
    let of = |raw: &str| exact(spec, &parse_args(raw).unwrap());
    let granted = of(r#"{"url":"https://a.example/","body":{"n":1,"t":"x"}}"#);
    assert_eq!(
        of(r#" {"body":{"t":"x","n":1.0},"url":"https://a.example/"} "#),
        granted
    );
    for other in [
        r#"{"url":"https://a.example/","body":{"n":2,"t":"x"}}"#,
        r#"{"url":"https://a.example/","body":{"n":"1","t":"x"}}"#,
        r#"{"url":"https://a.example/","body":{"n":1,"t":"x","more":null}}"#,
        r#"{"url":"https://a.example/","body":{"n":1,"t":"x"},"title":"t"}"#,
        r#"{"url":"https://A.example/","body":{"n":1,"t":"x"}}"#,
    ] {
        assert_ne!(of(other), granted, "{other}");
    }
    let mut newer = spec.clone();
    newer.version.push('1');
    let args = parse_args(r#"{"url":"https://a.example/","body":{"n":1,"t":"x"}}"#).unwrap();
    assert_ne!(exact(&newer, &args), granted);
}

#[test]
fn each_tool_offers_its_own_patterns_the_narrowest_first() {
    let tools = Registry::new(builtin()).unwrap();
    let kinds = |name: &str, raw: &str| -> Vec<&'static str> {
        let tool = tools.get(name).unwrap();
        let all = patterns(&**tool, &parse_args(raw).unwrap());
        let kind = |pattern: &Pattern| match pattern {
            Pattern::Exact { .. } => "exact",
            Pattern::Address { .. } => "address",
            Pattern::Host { .. } => "host",
            Pattern::Domain { .. } => "domain",
            Pattern::Folder { .. } => "folder",
        };
        all.iter().map(kind).collect()
    };
    let url = r#"{"url":"https://a.example/x"}"#;
    assert_eq!(kinds("http.get", url), ["exact", "host"]);
    let hook = r#"{"url":"https://a.example/x","body":{}}"#;
    assert_eq!(kinds("webhook.send", hook), ["exact", "address", "host"]);
    let file = r#"{"path":"a/b.md","content":""}"#;
    assert_eq!(kinds("file.write", file), ["exact", "folder"]);
    assert_eq!(
        kinds("file.write", r#"{"path":"../b","content":""}"#),
        ["exact"]
    );
    assert_eq!(
        kinds("http.get", r#"{"url":"https://a.example@b/"}"#),
        ["exact"]
    );
}
