//! How long it takes to find something among a hundred thousand messages, and to make the index of them.

use std::time::Instant;

use bwana_store::{IndexedText, SearchIndex, TextKind};
use bwana_types::id::RunId;
use bwana_types::time::Timestamp;
use serde_json::{Value, json};

const MESSAGES: u64 = 100_000;
const BATCH: u64 = 500;
const QUERIES: usize = 400;
const HITS: usize = 20;
/// Milliseconds to the first hits, at the 95th percentile.
const HOLD_MS: f64 = 50.0;

/// Words of a small company's work; which stand in a message follows from its number.
const WORDS: &[&str] = &[
    "bread", "flour", "oven", "mill", "invoice", "delivery", "customer", "phone", "market",
    "price", "solar", "lamp", "battery", "stock", "order", "mobile", "money", "supplier", "Kisumu",
    "Nairobi", "Mombasa", "permit", "tax", "salary", "rent", "truck", "fuel", "repair", "water",
    "power", "shop", "school",
];

fn message(number: u64) -> String {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = format!("Message {number}.");
    for _ in 0..60 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = WORDS[usize::try_from(state % WORDS.len() as u64).unwrap_or(0)];
        text.push(' ');
        text.push_str(word);
        text.push_str(&(state % 97).to_string());
    }
    text
}

pub(crate) fn search() -> anyhow::Result<Value> {
    let home = tempfile::tempdir()?;
    let index = SearchIndex::open(home.path())?;
    index.reached("bench")?;
    let run = RunId::derived(Timestamp(1), &[]);
    let began = Instant::now();
    for from in (0..MESSAGES).step_by(usize::try_from(BATCH)?) {
        let texts: Vec<IndexedText> = (from..from + BATCH)
            .map(|number| IndexedText {
                kind: TextKind::Message,
                run,
                seq: number + 1,
                at: Timestamp(1),
                who: String::from("writer"),
                file: String::new(),
                text: message(number),
            })
            .collect();
        index.put(&texts, i64::try_from(from + BATCH)?)?;
    }
    let made = began.elapsed().as_secs_f64();
    let mut took = Vec::with_capacity(QUERIES);
    for query in 0..QUERIES {
        let (a, b) = (
            WORDS[query % WORDS.len()],
            WORDS[(query * 7 + 3) % WORDS.len()],
        );
        // From one begun word, which nearly every message has, to one message.
        let text = match query % 4 {
            0 => a[..3].to_owned(),
            1 => format!("{a} {}", &b[..2]),
            2 => format!("{a}{} {b}{}", query % 97, (query * 5) % 97),
            _ => format!("\"Message {}\"", query * 211),
        };
        let began = Instant::now();
        let found = index.find(&text, TextKind::Message, HITS)?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
        anyhow::ensure!(found.len() <= HITS, "{} hits", found.len());
    }
    took.sort_by(f64::total_cmp);
    let at = |percent: usize| took[(took.len() * percent).div_ceil(100).max(1) - 1];
    let (p50, p95, worst) = (at(50), at(95), at(100));
    let bytes = std::fs::metadata(home.path().join(bwana_store::SEARCH_FILE))?.len();
    Ok(json!({
        "measured": format!("{p50:.1} ms, p95 {p95:.1}, worst {worst:.1}; made in {made:.1} s, {} MB", bytes / 1_000_000),
        "held": p95 <= HOLD_MS, "p50_ms": p50, "p95_ms": p95, "worst_ms": worst, "made_s": made, "bytes": bytes,
    }))
}
