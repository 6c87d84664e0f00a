//! The pages: what is served, with which headers, and what never is.

use crate::client::Ask;
use crate::stage::{Setting, Stage};

#[tokio::test]
async fn files_come_with_their_kind_and_their_caching() {
    let stage = Stage::new().await;
    let forever = "public, max-age=31536000, immutable";
    for (path, kind, caching) in [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "text/html; charset=utf-8", "no-cache"),
        ("/?run=1", "text/html; charset=utf-8", "no-cache"),
        (
            "/assets/index-B1c_D-3f.js",
            "text/javascript; charset=utf-8",
            forever,
        ),
        (
            "/assets/index-B1cAD23f.css",
            "text/css; charset=utf-8",
            forever,
        ),
        ("/theme.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/font.woff2", "font/woff2", "no-cache"),
        ("/mark.svg", "image/svg+xml", "no-cache"),
    ] {
        let answer = stage.get(path).send().await.expect_status(200);
        assert_eq!(answer.header("content-type"), Some(kind), "{path}");
        assert_eq!(answer.header("cache-control"), Some(caching), "{path}");
        assert!(!answer.body.is_empty());
        let head = Ask::new(stage.port(), "HEAD", path)
            .send()
            .await
            .expect_status(200);
        assert_eq!(
            (head.header("content-type"), head.body.as_str()),
            (Some(kind), "")
        );
    }
    Ask::new(stage.port(), "DELETE", "/")
        .send()
        .await
        .expect_status(405);
    stage.end().await;
}

#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let stage = Stage::new().await;
    for path in [
        "/../outside.txt",
        "/assets/../../outside.txt",
        "/%2e%2e/outside.txt",
        "/..%2foutside.txt",
        "/link.txt",
        "/.env",
        "//etc/passwd",
        "/assets",
        "/assets/",
        "/etc/passwd",
        "/no.html",
        "/api",
        "/api/none",
        "/index.html/",
        "/%00",
        "/a\\..\\outside.txt",
    ] {
        let answer = stage.get(path).send().await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
        assert!(
            !answer.body.contains("outside") && !answer.body.contains("hidden"),
            "{path}"
        );
    }
    stage.end().await;
}

#[tokio::test]
async fn every_answer_carries_the_headers_of_the_door() {
    let stage = Stage::new().await;
    let config = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../tauri.conf.json"
    ))
    .unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let window = config["app"]["security"]["csp"].as_str().unwrap();
    let parts: Vec<_> = window
        .split("; ")
        .map(|part| {
            if part.starts_with("connect-src ") {
                "connect-src 'self'"
            } else {
                part
            }
        })
        .collect();
    let csp = parts.join("; ");
    let answers = [
        stage.get("/").send().await.expect_status(200),
        stage.get("/none").send().await.expect_status(404),
        stage
            .get("/")
            .host(Some("evil.example"))
            .send()
            .await
            .expect_status(421),
        stage
            .get("/")
            .header("origin", "http://evil.example")
            .send()
            .await
            .expect_status(403),
        stage.get("/api/rpc/doctor").send().await.expect_status(401),
        stage
            .rpc("budget.show", &serde_json::json!({}))
            .send()
            .await
            .expect_status(200),
    ];
    for answer in answers {
        for (name, value) in [
            ("content-security-policy", csp.as_str()),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
        for absent in ["set-cookie", "access-control-allow-origin", "server"] {
            assert_eq!(answer.header(absent), None, "{answer:?}");
        }
    }
    stage.end().await;
}

#[tokio::test]
async fn a_host_without_pages_says_so() {
    let stage = Stage::with(Setting {
        with_ui: false,
        ..Setting::default()
    })
    .await;
    let answer = stage.get("/").send().await.expect_status(503);
    assert!(answer.body.contains("npm run build"), "{answer:?}");
    stage.get("/theme.js").send().await.expect_status(404);
    stage
        .rpc("budget.show", &serde_json::json!({}))
        .send()
        .await
        .expect_status(200);
    stage.end().await;
}
