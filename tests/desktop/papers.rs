//! What leaves the window as paper: a PDF that an agent wrote, drawn by a process of its own, and a run saved where a
//! person's downloads are. Printing is not here: a web view under a driver opens no dialog for it.

use std::fs;

use bwana_testkit::Script;
use bwana_testkit::model_server::Options;
use serde_json::json;

use crate::cards::answer;
use crate::desk::{Desk, until};

const WRITER: &str = "schema: bwana.agent/v1
id: writer
name: Writer
instructions: You write offers.
tools: [file.write]
---
schema: bwana.workflow/v1
id: offer
name: Offer
agents: [writer]
steps: [Write it]
";

/// A PDF of one page with one line of words, as text: tables of places are made from it, so it is right in every byte.
fn pdf(words: &str) -> String {
    let drawn = format!("BT /F1 24 Tf 40 340 Td ({words}) Tj ET");
    let objects = [
        String::from("<< /Type /Catalog /Pages 2 0 R >>"),
        String::from("<< /Type /Pages /Kids [3 0 R] /Count 1 >>"),
        String::from(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 400] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        ),
        format!("<< /Length {} >>\nstream\n{drawn}\nendstream", drawn.len()),
        String::from("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"),
    ];
    let mut file = String::from("%PDF-1.4\n");
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", at + 1));
    }
    let table = file.len();
    file.push_str("xref\n0 6\n0000000000 65535 f \n");
    for place in places {
        file.push_str(&format!("{place:010} 00000 n \n"));
    }
    file.push_str(&format!(
        "trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"
    ));
    file
}

#[tokio::test]
async fn a_pdf_is_drawn_and_a_run_is_saved() {
    let Some(desk) = Desk::new() else { return };
    let downloads = desk.home().with_file_name("home").join("Downloads");
    let script = Script::default().calls_once(
        "file.write",
        json!({"path": "offer.pdf", "content": pdf("Forty loaves a day")}),
    );
    let model = Options::scripted(script).start().unwrap();
    desk.provider(&model.url());
    let window = desk.drive(&[]).await;
    window.see("Home").await;
    let what = json!({"file": {"name": "offer.yaml", "text": WRITER}});
    let request = json!({"what": what, "input": "An offer for the school"});
    let started = window.rpc("run.start", request).await;
    let run = started["run"].as_str().unwrap().to_owned();
    window.visit("/waiting").await;
    window.see("offer.pdf").await;
    answer(&window, "Allow once").await;
    window.until_status(&run, "done").await;

    // Nothing of the file comes into the page but a picture.
    window.visit(&format!("/run/{run}?lens=files")).await;
    window.press("offer.pdf").await;
    window
        .until("the page is drawn", |window| {
            Box::pin(async move {
                let drawn = "return [...document.querySelectorAll('main img')].some((one) => one.src.startsWith('blob:') && one.naturalWidth > 300)";
                window.js(drawn, Vec::new()).await == json!(true)
            })
        })
        .await;
    desk.picture("files-pdf");

    window.press("Export").await;
    window.press("As Markdown").await;
    let saved = || {
        let files = fs::read_dir(&downloads).ok()?.flatten();
        let mut papers = files.map(|file| file.path());
        papers.find(|path| path.extension().is_some_and(|kind| kind == "md"))
    };
    until("the run is saved", || saved().is_some());
    let text = fs::read_to_string(saved().unwrap()).unwrap();
    assert!(text.contains("An offer for the school"), "{text}");

    assert_eq!(
        window.js("return window.breaches", Vec::new()).await,
        json!([])
    );
}
