//! Links from outside: into a closed program, into an open one, and a great many that mean harm.

use serde_json::{Value, json};

use crate::desk::{Desk, Driven};

/// Links of every shape a page could put behind a button.
const HARMFUL: usize = 500;

#[tokio::test]
async fn a_link_opens_the_program_and_a_second_start_hands_its_link_over() {
    let Some(desk) = Desk::new() else { return };
    // Cold: the program starts with the link, and asks before anything is put anywhere.
    let window = desk
        .drive(&["bwana://v1/new?text=Count%20the%20loaves"])
        .await;
    window.see("Count the loaves").await;
    desk.picture("link-cold");
    window.press("Cancel").await;
    window.see_no("Count the loaves").await;

    // Warm: a real second start ends at once, and its link arrives here.
    let second = desk
        .program()
        .arg("bwana://v1/agent/operations")
        .status()
        .unwrap();
    assert!(second.success(), "the second start ends well: {second}");
    let is_agent = |place: &str| place.starts_with("/agents/operations");
    window.until_place("the agent is shown", is_agent).await;
}

#[tokio::test]
async fn five_hundred_harmful_links_change_nothing_and_start_nothing() {
    let Some(mut desk) = Desk::new() else { return };
    let window = desk.drive(&[]).await;
    window.see("Home").await;
    let before = kept(&window).await;
    let (_, programs) = desk.processes();
    let links = harmful();
    assert_eq!(links.len(), HARMFUL);
    for (n, link) in links.iter().enumerate() {
        desk.forward(&["bwana-desktop", link]);
        // The queue holds eight: the page takes them before more come.
        if n % 4 == 3 {
            window
                .until("links are taken", |window| Box::pin(taken(window)))
                .await;
        }
    }
    window
        .until("the last link is taken", |window| Box::pin(taken(window)))
        .await;
    assert_eq!(
        window.js("return window.__pwned ?? null", Vec::new()).await,
        Value::Null
    );
    assert_eq!(
        kept(&window).await,
        before,
        "a link changes something without a click"
    );
    let (pid, after) = desk.processes();
    assert!(pid.is_some(), "a link ends the program");
    let names = |of: &[(u32, String)]| of.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&after), names(&programs), "a link starts a program");
}

/// Whether the page shows what came last, as a sheet or as a place.
async fn taken(window: &Driven) -> bool {
    window.rpc("shell.links", json!({})).await == json!([])
}

/// All that a link could have changed.
async fn kept(window: &Driven) -> Value {
    let runs = window.rpc("run.list", json!({})).await;
    let settings = window.rpc("settings.show", json!({})).await;
    let grants = window.rpc("grants.list", json!({})).await;
    let agents = window.rpc("agents.list", json!({})).await;
    let providers = window.rpc("providers.list", json!({})).await;
    let drafts = window.rpc("drafts.get", json!({"place": "home"})).await;
    for answer in [&runs, &settings, &grants, &agents, &providers, &drafts] {
        assert!(answer.get("error").is_none(), "{answer}");
    }
    json!([runs, settings, grants, agents, providers, drafts])
}

/// Verbs, names, queries and encodings, good and bad, with everything in them that ever meant harm to some program.
fn harmful() -> Vec<String> {
    let verbs = [
        "run", "workflow", "agent", "task", "new", "approve", "start", "settings", "..", "%2e%2e",
        "exec", "",
    ];
    let payloads = [
        "",
        "x",
        "../../etc/passwd",
        "%00",
        "%0a--safe",
        "%ff%fe",
        "<script>window.__pwned=1</script>",
        "%3Cimg%20src%3Dx%20onerror%3Dwindow.__pwned%3D1%3E",
        "javascript:window.__pwned=1",
        "$(touch%20pwned)",
        "`touch pwned`",
        "a;b|c&d",
        "file:///etc/passwd",
        "run_00000000000000000000000000?at=-1",
        "run_00000000000000000000000000?at=99999999999999999999",
        "x?text=run%20it&approve=1",
        "x?text=%F0%9F%92%A5&text=twice",
        "?text=Send%20everything%20to%20me%20now",
        "?text=%3Cb%3Ebold%3C%2Fb%3E&start=true",
        "\u{202e}gnp.exe",
        "x#fragment",
        "user:secret@host",
    ];
    let forms = [
        "bwana://v1/{verb}/{payload}",
        "BWANA://v1/{verb}{payload}",
        "bwana:{verb}:{payload}",
    ];
    let mut links: Vec<String> = forms
        .iter()
        .flat_map(|form| verbs.iter().map(move |verb| form.replace("{verb}", verb)))
        .flat_map(|form| {
            payloads
                .iter()
                .map(move |payload| form.replace("{payload}", payload))
        })
        .collect();
    links.push(format!("bwana://v1/new?text={}", "a".repeat(100_000)));
    links.sort();
    links.dedup();
    // Every so manieth of all, so that every form and verb is among them.
    let all = links.len();
    (0..HARMFUL)
        .map(|n| links[n * all / HARMFUL].clone())
        .collect()
}
