//! What must never come through, in every dress it comes in, and what must come through untouched.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write as _;
use std::time::{Duration, Instant};

use bwana_types::redact::{REDACTED, Redactor};
use bwana_types::secret::{SECRET_MAX_BYTES, Secret};
use proptest::prelude::*;

/// Keys by their shape, in two halves, so that nobody takes this file for a leak.
const KEYS: &[(&str, &str)] = &[
    ("sk-", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1h"),
    ("sk-", "0123456789abcdef0123456789abcdef"),
    ("sk-ant-", "api03-aB3dE5fG7hJ9_kL1mN3pQ5rS7t-U9vW1xY3zAA"),
    ("sk-proj-", "aB3dE5fG7hJ9kL1mN3pQ_5rS7tU9vW1x-Y3zA5bC7dE9"),
    ("sk-svcacct-", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"),
    ("sk-admin-", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"),
    (
        "sk-or-v1-",
        "0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    ("AIza", "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"),
    (
        "gsk_",
        "aB3dE5fG7hJ9kL1mN3pQWGdyb3FY5rS7tU9vW1xY3zA5bC7dE9fG",
    ),
    (
        "xai-",
        "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3kL5m",
    ),
    ("pplx-", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3"),
    (
        "nvapi-",
        "aB3dE5fG7hJ9kL1mN3pQ-5rS7tU9vW1xY3zA5bC7d_E9fG1hJ3",
    ),
    ("csk-", "k3m5n7p9r2t4v6x8y1a3c5e7g9j2k4m6n8p1r3t5v7x9"),
    ("fw_", "3ZaB3dE5fG7hJ9kL1mN3pQ5r"),
    ("tgp_v1_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7d"),
    ("hf_", "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"),
    ("r8_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5b"),
    ("tvly-", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY"),
    (
        "jina_",
        "0123456789abcdef0123456789abcdefaB3dE5fG7hJ9kL1mN3",
    ),
    ("lsv2_", "pt_0123456789abcdef0123456789abcdef_0123456789"),
    ("ghp_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"),
    ("gho_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"),
    ("ghu_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"),
    ("ghs_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"),
    ("ghr_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"),
    (
        "github_pat_",
        "11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789aBcDeFg",
    ),
    ("glpat-", "aB3dE5fG7hJ9kL1mN3pQ"),
    ("gldt-", "aB3dE5fG7hJ9kL1mN3pQ"),
    ("glrt-", "t1_aB3dE5fG7hJ9kL1mN3pQ"),
    ("glptt-", "0123456789abcdef0123456789abcdef01234567"),
    ("gloas-", "0123456789abcdef0123456789abcdef01234567"),
    ("npm_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"),
    (
        "pypi-",
        "AgEIcHlwaS5vcmcCJDAxMjM0NTY3LTg5YWItY2RlZi0wMTIzLTQ1Njc4OWFi",
    ),
    (
        "rubygems_",
        "0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    ("cio", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY"),
    ("dckr_pat_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9"),
    ("ATBB", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY"),
    (
        "ATATT3",
        "xFfGF0aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9=1A2B3C4D",
    ),
    ("AKIA", "Q3EGRT5XN7PLW2ZK"),
    ("ASIA", "Q3EGRT5XN7PLW2ZK"),
    ("ya29.", "a0AfB_byC-aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1x"),
    ("1//0", "4aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG"),
    ("GOCSPX-", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9v"),
    (
        "dop_v1_",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    ("dapi", "0123456789abcdef0123456789abcdef"),
    ("hvs.", "CAESIaB3dE5fG7hJ9kL1mN3pQ5rS7tU9"),
    ("sbp_", "0123456789abcdef0123456789abcdef01234567"),
    ("sb_secret_", "aB3dE5fG7hJ9kL1mN3pQ5r_S7tU9v"),
    ("tskey-", "auth-kB3dE5fG7h-J9kL1mN3pQ5rS7tU9vW1xY3z"),
    (
        "AGE-SECRET-KEY-1",
        "QQPQZRFQ9J9YVG6FLCY5PXCKSJQ2R3Z5TA7W8YDZP3M0N4C6E8",
    ),
    (
        "xoxb-",
        "123456789012-1234567890123-aB3dE5fG7hJ9kL1mN3pQ5rS7",
    ),
    (
        "xoxp-",
        "123456789012-123456789012-123456789012-0123456789abcdef",
    ),
    (
        "xapp-",
        "1-A0123456789-1234567890123-0123456789abcdef0123456789",
    ),
    ("sk_live_", "aB3dE5fG7hJ9kL1mN3pQ5rS7"),
    ("sk_test_", "aB3dE5fG7hJ9kL1mN3pQ5rS7"),
    ("rk_live_", "aB3dE5fG7hJ9kL1mN3pQ5rS7"),
    ("whsec_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY"),
    ("sq0atp-", "aB3dE5fG7hJ9kL1mN3pQ5r"),
    ("shpat_", "0123456789abcdef0123456789abcdef"),
    (
        "SG.",
        "aB3dE5fG7hJ9kL1mN3pQ5r.S7tU9vW1xY3zA5bC7dE9fG1hJ3kL5mN7pQ9rS1tU3v",
    ),
    ("key-", "0123456789abcdef0123456789abcdef"),
    (
        "EAA",
        "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3kL5mN7pQ9rS1tU3v",
    ),
    ("lin_api_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"),
    ("ntn_", "123456789012aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3z"),
    ("secret_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9f"),
    ("figd_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7d"),
    ("glsa_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY_01234567"),
    ("NRAK-", "AB3DE5FG7HJ9KL1MN3PQ5RS7TU9"),
    (
        "sntrys_",
        "eyJpYXQiOjE2OTI2MjI5OTguMzAxNjg0LCJ1cmwiOiJodHRwczovL3MuaW8ifQ",
    ),
    (
        "eyJ",
        "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    ),
    ("123456789:", "AAaB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3"),
];

/// Secrets that show what they are only by what stands around them: before, the secret, after.
const PLACED: &[(&str, &str, &str)] = &[
    ("Authorization: Bearer ", "aB3dE5fG7h", ""),
    (
        "authorization: bearer ",
        "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
        "",
    ),
    ("proxy-authorization: Token ", "q1w2e3r4t5y6", ""),
    ("Authorization: Basic ", "YWxhZGRpbjpvcGVuc2VzYW1l", ""),
    ("curl -H 'Authorization: ", "q1w2e3r4t5y6u7i8", "' x"),
    ("x-api-key: ", "q1w2e3r4t5y6", ""),
    ("X-Goog-Api-Key: ", "q1w2e3r4t5y6", ""),
    (
        "Coder-Session-Token: ",
        "aB3dE5fG7h-J9kL1mN3pQ5rS7tU9vW1x",
        "",
    ),
    ("Set-Cookie: ", "session=aB3dE5fG7hJ9; Path=", ""),
    ("https://h.example/v1?api_key=", "q1w2e3r4", "&x=1"),
    ("https://h.example/v1?x=1&key=", "q1w2e3r4t5y6", ""),
    ("https://h.example/v1?access_token=", "q1w2e3r4", "#top"),
    (
        "https://b.example/c?sv=1&sig=",
        "aB3dE5fG7hJ9kL1m%2B3pQ%3D",
        "&se=2",
    ),
    ("callback?u=https%3A%2F%2Fh%3Fapi_key%3D", "q1w2e3r4t5", ""),
    ("postgres://bwana:", "hunter2!$", "@db.example:5432/x"),
    ("redis://:", "p4ssw0rd", "@cache"),
    ("https://", "aB3dE5fG7hJ9kL1mN3pQ", "@git.example/x.git"),
    ("amqp://u:", "p@ss:w0rd", "@mq"),
    ("GROQ_API_KEY=", "q1w2e3r4t5y6", ""),
    ("export DB_PASSWORD='", "correct horse battery", "'"),
    (
        "aws_secret_access_key = ",
        "wJalrXUtnFEMIaK7MDENGbPxRfiCYzzzzzzzKEY1",
        "",
    ),
    (
        "{\"password\": \"",
        "correct horse \\\"battery",
        "\", \"x\": 1}",
    ),
    ("{\"clientSecret\":\"", "abcdefgh", "\"}"),
    ("{\\\"api_key\\\":\\\"", "abcdefgh", "\\\",\\\"x\\\":1}"),
    ("{'dbPassword': '", "s3cret", "'}"),
    ("config[\"api_key\"] = \"", "abcdefghij", "\""),
    ("api_key: \"", "abcdefghij", "\""),
    ("password: ", "hunter22", ""),
    ("PGPASSWORD=", "hunter2", " psql"),
    ("mypassword: '", "hunter2", "'"),
    ("OPENAIAPIKEY=", "q1w2e3r4t5", ""),
    ("smtp_pass: \"", "hunter2", "\""),
    ("Config { api_key: Some(\"", "abcdefghij", "\"), x: 1 }"),
    ("{\"Authorization\": \"Bearer ", "q1w2e3r4t5", "\"}"),
    ("{\"x-api-key\": \"", "q1w2e3r4t5", "\"}"),
    ("DD-API-KEY: ", "0123456789abcdef0123456789abcdef", ""),
    (
        "Endpoint=sb://x/;SharedAccessKey=",
        "aB3dE5fG7hJ9kL1mN3pQ5rS7=",
        "",
    ),
    ("Incorrect API key provided: ", "q1w2e3r4t5", ". Look"),
    ("your API key: ", "q1w2e3r4t5", ""),
    ("Server=db;User Id=sa;Password=", "Tr0ub4dor&3", ";"),
    (
        "AccountName=x;AccountKey=",
        "aB3dE5fG7hJ9kL1mN3pQ5rS7==",
        ";EndpointSuffix=y",
    ),
    ("--api-key ", "q1w2e3r4t5", " run"),
    ("--token=", "q1w2e3r4t5y6", ""),
    ("<password>", "hunter2", "</password>"),
    (
        "https://hooks.slack.com/services/",
        "T00000000/B00000000/aB3dE5fG7hJ9kL1mN3pQ5rS7",
        "",
    ),
    (
        "https://discord.com/api/webhooks/",
        "123456789012345678/aB3dE5fG7hJ9kL1mN3pQ5rS7-tU9",
        "",
    ),
    (
        "-----BEGIN PRIVATE KEY-----\n",
        "MIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSj",
        "\n-----END PRIVATE KEY-----\n",
    ),
    (
        "-----BEGIN OPENSSH PRIVATE KEY-----\\n",
        "b3BlbnNzaC1rZXktdjEAAAAABG5v\\nbmUAAAAE",
        "\\n-----END OPENSSH PRIVATE KEY-----\\n",
    ),
    (
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "Proc-Type: 4,ENCRYPTED\n\nMIIEpAIBAAKCAQEA7",
        "\n",
    ),
];

/// Nothing of `secret` of eight bytes or more may be seen, but the last four.
#[track_caller]
fn check_gone(secret: &str, input: &str, output: &str) {
    for piece in secret.as_bytes().windows(8) {
        let piece = String::from_utf8_lossy(piece);
        assert!(
            !output.contains(&*piece),
            "{input}\n-> {output}\nstill shows {piece}"
        );
    }
    if secret.len() < 8 {
        assert!(!output.contains(secret), "{input}\n-> {output}");
    }
}

fn in_pieces(redactor: &Redactor, text: &[u8], size: usize) -> Vec<u8> {
    let mut writer = redactor.writer(Vec::new());
    for piece in text.chunks(size) {
        writer.write_all(piece).unwrap();
        writer.flush().unwrap();
    }
    writer.finish().unwrap()
}

/// In a text, whole and in pieces of every small size; twice is as good as once.
#[track_caller]
fn check_everywhere(redactor: &Redactor, secret: &str, text: &str) {
    let whole = redactor.text(text);
    check_gone(secret, text, &whole);
    assert_eq!(redactor.text(&whole), whole, "twice is not once: {text}");
    for size in [1, 2, 3, 5, 7, 11, 16, 64, 1000] {
        let pieces = in_pieces(redactor, text.as_bytes(), size);
        assert_eq!(
            String::from_utf8_lossy(&pieces),
            whole,
            "in pieces of {size}"
        );
    }
}

fn json(text: &str) -> String {
    serde_json::json!({ "say": text, "n": 1 }).to_string()
}

#[test]
fn no_key_comes_through_in_any_dress() {
    let redactor = Redactor::new();
    for (begins, rest) in KEYS {
        let key = format!("{begins}{rest}");
        for text in [
            key.clone(),
            format!("the key {key} was refused."),
            format!("({key})"),
            format!("first line\n{key}\nlast line"),
            json(&format!("line\n{key}")),
            json(&json(&format!("bad key '{key}'"))),
            format!("https://h.example/v1/x?q=1&k={key}&z=2"),
            format!("https%3A%2F%2Fh%2F%3Fk%3D{key}%26z%3D2"),
            format!("X-Thing: {key}\r\nAccept: */*\r\n"),
            format!("Authorization: Bearer {key}\r\n"),
            format!("PROVIDER_KEY={key}\n"),
            format!("{{\"api_key\":\"{key}\"}}"),
        ] {
            check_everywhere(&redactor, &key, &text);
        }
    }
    assert!(KEYS.len() >= 60, "{}", KEYS.len());
}

#[test]
fn no_secret_comes_through_that_its_place_gives_away() {
    let redactor = Redactor::new();
    for (before, secret, after) in PLACED {
        let text = format!("{before}{secret}{after}");
        check_everywhere(&redactor, secret, &text);
        check_everywhere(&redactor, secret, &format!("error: {text} (400)\nnext"));
        check_everywhere(&redactor, secret, &format!("\t{text}\r\n{text}\r\n"));
    }
}

#[test]
fn a_secret_in_json_is_gone_when_the_json_is_text() {
    let redactor = Redactor::new();
    for (before, secret, after) in PLACED {
        let text = json(&format!("{before}{secret}{after}"));
        let escaped = json(secret);
        let escaped = &escaped["{\"n\":1,\"say\":\"".len()..escaped.len() - 2];
        check_everywhere(&redactor, escaped, &text);
        for json in [json(&text), text] {
            let clean = redactor.text(&json);
            let parsed = serde_json::from_str::<serde_json::Value>(&clean);
            assert!(parsed.is_ok(), "{json}\n-> {clean}");
        }
    }
}

/// What looks like a secret to a hasty eye and is none.
const INNOCENT: &[&str] = &[
    "",
    "The quick brown fox.",
    "Bearer tokens are sent in a header.",
    "Bearer authentication is required",
    "a bearer of good news, and a basic understanding of it",
    "Basic programming, basic knowledge: everything",
    "Basic authentication",
    "a task-oriented risk-assessment-of-everything-in-2024",
    "sk-learn-contrib and sk-SK are no keys",
    "disk-0123456789abcdef0123456789abcdef",
    "desk-1234567890123456",
    "max_tokens=4096 total_tokens: 123456 tokens: 12345678",
    "\"token\": \" Paris\", \"logprob\": -0.1",
    "token: the smallest unit a model reads",
    "the secret: never give up",
    "Secretary: Jane Doe 1985",
    "password: at least eight characters",
    "Password required",
    "{\"password\": null, \"token\": \"\", \"secret\": true}",
    "{\"password\":{\"type\":\"string\",\"minLength\":8}}",
    "\"password\": \"string\"",
    "password=[redacted] token=••••wxyz",
    "password=<your password>",
    "password=${DB_PASSWORD} password=$DB_PASSWORD",
    "api_key=$OPENAI_API_KEY",
    "api_key = os.environ[\"OPENAI_API_KEY\"]",
    "let token = next_token(input);",
    "key = \"env:GROQ_API_KEY\"",
    "key = \"secret:providers/groq2\" and secret:providers/groq-2",
    "passwd: files systemd",
    "api key: is required; the API key provided: none",
    "Options { token: None, api_key: Some(key), password: None }",
    "first_pass: done second_pass=done compass=north",
    "PWD=/srv/data/bwana2 OLDPWD=/srv",
    "cookie: chocolate chip",
    "git@github.com:owner/repo.git ssh://git@host.example/repo",
    "https://example.com/@user/status/123 mailto:a@b.example",
    "http://127.0.0.1:8080/v1/chat/completions?api-version=2024-10-21",
    "see https://example.com/path?page=2&sort=key&monkey=1",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "0123456789abcdef0123456789abcdef01234567",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "01JD3ZK8Q7W5X4Y2N6M9P1R3T5 018f3c2a-7b1e-7c3d-9a4f-0123456789ab",
    "run_01JD3ZK8Q7W5X4Y2N6M9P1R3T5 step_2 call_abc123",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ",
    "eyJ is how base64 of an object begins",
    "hf_transfer, hf_hub_download and HF_HOME",
    "npm_config_registry npm_lifecycle_event npm_package_name_of_something",
    "AKIA is a prefix; AKIAWORDSWITHOUTNUMS too; akia0123456789abcdef",
    "ghp_short xoxb-demo glpat-x gsk_test AIzaSy",
    "the key- and lock-smith; key-value stores; key-0123",
    "ratio 16:9, 12:30:45, 123456789:AAA",
    "EAAsy does it; SG.1; SG.Singapore",
    "primary_key=id foreign_key: user_id idempotency_key=run-1-step-2",
    "authorization: required; Authorization: see above",
    "Die Passwörter sind geheim. كلمة السر سرية. Nenosiri ni siri.",
    "••••wxyz and [redacted] stay as they are",
    "pypi-mirror npm_ figd_ lin_api_ whsec_ sk_live_ tvly-",
];

#[test]
fn what_is_no_secret_stays_as_it_is() {
    let redactor = Redactor::new();
    redactor.learn(&Secret::new(String::from("a known value")));
    for text in INNOCENT {
        assert_eq!(redactor.text(text), *text);
        let inside = json(text);
        assert_eq!(redactor.text(&inside), inside);
        let pieces = in_pieces(&redactor, text.as_bytes(), 3);
        assert_eq!(String::from_utf8_lossy(&pieces), *text);
    }
    assert!(INNOCENT.len() >= 50);
}

#[test]
fn a_known_value_is_gone_in_every_form_it_travels_in() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    for value in [
        "correct horse battery",
        "pässwörd/with+everything=\"\\&",
        "no-shape-at-all",
        "zeile eins ist lang genug\nzeile zwei ist es auch\nund drei",
    ] {
        let redactor = Redactor::new();
        assert!(redactor.learn(&Secret::new(format!(" {value}\n"))));
        let percent =
            |text: &str| -> String { text.bytes().map(|b| format!("%{b:02X}")).collect() };
        let form: String = value
            .chars()
            .map(|c| match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' => String::from(c),
                other => percent(&other.to_string()),
            })
            .collect();
        for (secret, text) in [
            (value.to_owned(), format!("<{value}>")),
            (form.clone(), format!("https://h/?q={form}&x")),
            (
                form.replace("%20", "+"),
                format!("q={}", form.replace("%20", "+")),
            ),
            (json(value)[14..].to_owned(), json(value)),
            (json(&json(value))[30..].to_owned(), json(&json(value))),
            (value.to_owned(), format!("{:?}", Some(value))),
        ] {
            let whole = redactor.text(&text);
            assert!(
                whole.contains(REDACTED) || whole.contains("••••"),
                "{text} -> {whole}"
            );
            if secret == value {
                check_everywhere(&redactor, value, &text);
            }
        }
        for before in ["", "a", "ab", "user:"] {
            for encoded in [
                STANDARD.encode(format!("{before}{value}")),
                URL_SAFE_NO_PAD.encode(format!("{before}{value}")),
            ] {
                let text = format!("x {encoded} y");
                let whole = redactor.text(&text);
                assert!(
                    whole.contains(REDACTED) && whole.len() < 40,
                    "{text} -> {whole}"
                );
                assert_eq!(in_pieces(&redactor, text.as_bytes(), 4), whole.as_bytes());
            }
        }
    }
}

#[test]
fn short_values_are_not_searched_and_a_clone_knows_what_the_first_learnt() {
    let redactor = Redactor::new();
    let clone = redactor.clone();
    assert!(!redactor.learn(&Secret::new(String::from("hunter2"))));
    assert!(redactor.learn(&Secret::new(String::from("hunter22"))));
    assert!(
        redactor.learn(&Secret::new(String::from("hunter22"))),
        "again is no harm"
    );
    assert_eq!(clone.text("hunter2 hunter22"), "hunter2 [redacted]");
}

#[test]
fn overlapping_secrets_hide_each_other_whole() {
    let redactor = Redactor::new();
    for value in ["abcdefghij", "ghijklmnop", "cdefghijkl"] {
        redactor.learn(&Secret::new(String::from(value)));
    }
    assert_eq!(redactor.text("1 abcdefghijklmnop 2"), "1 [redacted] 2");
    assert_eq!(redactor.text("1abcdefghijklmnopq"), "1[redacted]q");
}

#[test]
fn json_is_looked_at_by_its_fields() {
    let redactor = Redactor::new();
    redactor.learn(&Secret::new(String::from("field-name-value")));
    let mut value = serde_json::json!({
        "password": "short",
        "db_password": 12_345_678,
        "headers": {"Authorization": "x", "X-Api-Key": "abcdefgh", "Accept": "text/plain"},
        "list": ["ok", format!("{}{}", KEYS[0].0, KEYS[0].1), 7, null],
        "max_tokens": "4096",
        "token": " Paris",
        "field-name-value": {"a": "b"},
    });
    redactor.json(&mut value);
    assert_eq!(
        value,
        serde_json::json!({
            "password": REDACTED,
            "db_password": REDACTED,
            "headers": {"Authorization": REDACTED, "X-Api-Key": REDACTED, "Accept": "text/plain"},
            "list": ["ok", "••••fG1h", 7, null],
            "max_tokens": "4096",
            "token": " Paris",
            REDACTED: {"a": "b"},
        })
    );
}

#[test]
fn whole_lines_pass_at_once_and_the_rest_when_the_writer_goes() {
    let redactor = Redactor::new();
    let mut out = Vec::new();
    {
        let mut writer = redactor.writer(&mut out);
        writer.write_all(b"one\ntwo").unwrap();
        writer.flush().unwrap();
    }
    assert_eq!(out, b"one\ntwo");
    let mut writer = redactor.writer(Shared::default());
    writer.write_all(b"one\ntwo").unwrap();
    writer.flush().unwrap();
    let seen = writer.finish().unwrap();
    assert_eq!(seen.0, [b"one\n".to_vec(), b"two".to_vec()]);
}

#[derive(Default)]
struct Shared(Vec<Vec<u8>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !bytes.is_empty() {
            self.0.push(bytes.to_vec());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_secret_longer_than_what_is_held_back_is_swallowed_to_its_end() {
    let redactor = Redactor::new();
    let key = format!("sk-ant-{}", "aB3dE5fG7h".repeat(10_000));
    let text = format!("a {key} b\nc");
    let out = String::from_utf8(in_pieces(&redactor, text.as_bytes(), 1000)).unwrap();
    assert!(
        out.starts_with("a ") && out.ends_with(" b\nc") && out.len() < 30,
        "{out}"
    );
}

#[test]
fn bytes_that_are_no_text_pass_as_they_are() {
    let redactor = Redactor::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
    assert_eq!(&*redactor.bytes(&bytes), bytes);
    assert_eq!(in_pieces(&redactor, &bytes, 7), bytes);
}

/// Texts that make a careless scanner walk the same bytes again and again.
#[test]
fn the_worst_texts_take_no_longer_than_their_length() {
    const BYTES: usize = 1_000_000;
    let redactor = Redactor::new();
    redactor.learn(&Secret::new(String::from("aaaaaaaaaaaaaaab")));
    redactor.learn(&Secret::new("ab".repeat(2000)));
    for unit in [
        "sk-",
        "sk-ant-",
        "eyJ.",
        "a",
        "ab",
        "password=",
        "password:\"",
        "password:'\"",
        "://a:",
        "://",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ",
        "-----",
        "Bearer ",
        "Basic QUJD",
        "token",
        "\\\\\\\"secret\\\":",
        "AKIA",
        ":AA",
        "cookie:",
        "authorization: bearer ",
        "?key&key",
        "•",
        "--token ",
    ] {
        let text = unit.repeat(BYTES / unit.len());
        let started = Instant::now();
        redactor.text(&text);
        let whole = started.elapsed();
        let started = Instant::now();
        in_pieces(&redactor, text.as_bytes(), 4096);
        let pieces = started.elapsed();
        assert!(whole < Duration::from_secs(4), "{unit}: {whole:?}");
        assert!(
            pieces < Duration::from_secs(12),
            "{unit} in pieces: {pieces:?}"
        );
    }
}

#[test]
fn the_longest_values_are_learnt_at_once() {
    let redactor = Redactor::new();
    let started = Instant::now();
    for (at, unit) in ["a", "ab", "line of a certificate\n", "\"\\/", "ü"]
        .iter()
        .enumerate()
    {
        let value = format!("{at}{}", unit.repeat((SECRET_MAX_BYTES - 1) / unit.len()));
        assert!(redactor.learn(&Secret::new(value)));
    }
    assert!(!redactor.learn(&Secret::new("b".repeat(SECRET_MAX_BYTES + 1))));
    let text = "a".repeat(1_000_000);
    assert_eq!(redactor.text(&text), text);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

fn snippets() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(String::from("\n")),
        Just(String::from(" ")),
        Just(String::from("\"")),
        Just(String::from("\\\"")),
        Just(String::from("api_key\": \"")),
        Just(String::from("password=")),
        Just(String::from("--token ")),
        Just(String::from("Bearer ")),
        Just(String::from("https://u:")),
        Just(String::from("@host/")),
        Just(String::from("-----BEGIN PRIVATE KEY-----")),
        Just(String::from("-----END PRIVATE KEY-----")),
        Just(String::from("known-value-1")),
        Just(String::from("lines\nof-a-known\nvalue-2")),
        Just(String::from("lines\nof-a-")),
        Just(String::from("••••")),
        "[a-zA-Z0-9_.:/=+-]{1,24}",
        "[ -~]{1,8}",
        (0..KEYS.len()).prop_map(|at| format!("{}{}", KEYS[at].0, KEYS[at].1)),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn pieces_give_what_the_whole_gives(text in snippets(), sizes in proptest::collection::vec(1_usize..40, 1..20)) {
        let redactor = Redactor::new();
        redactor.learn(&Secret::new(String::from("known-value-1")));
        redactor.learn(&Secret::new(String::from("lines\nof-a-known\nvalue-2")));
        let whole = redactor.text(&text).into_owned();
        prop_assert!(!whole.contains("known-value-1"));
        let mut writer = redactor.writer(Vec::new());
        let mut rest = text.as_bytes();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            writer.write_all(piece).unwrap();
            rest = more;
        }
        let pieces = writer.finish().unwrap();
        prop_assert_eq!(String::from_utf8_lossy(&pieces), whole);
    }

    #[test]
    fn twice_is_as_good_as_once(text in snippets()) {
        let redactor = Redactor::new();
        redactor.learn(&Secret::new(String::from("known-value-1")));
        let once = redactor.text(&text).into_owned();
        prop_assert_eq!(redactor.text(&once), once.as_str());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), size in 1_usize..50) {
        let redactor = Redactor::new();
        redactor.learn(&Secret::new(String::from("known-value-1")));
        let whole = redactor.bytes(&bytes).into_owned();
        prop_assert_eq!(in_pieces(&redactor, &bytes, size), whole);
    }
}
