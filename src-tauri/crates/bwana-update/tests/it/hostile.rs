//! Whatever is cut off, and whatever bit is changed: nothing of it is believed.

use crate::publisher::{Publisher, refused};
use crate::site::Reply;

/// How many places a text is cut at, and how many bits are changed.
const CUTS: usize = 200;
const FLIPS: usize = 1_000;

/// So many places in `length`, the first and the last among them.
fn places(length: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |at| at * (length - 1) / (count - 1))
}

#[tokio::test]
async fn a_manifest_cut_at_200_places_is_refused() {
    let publisher = Publisher::start().await;
    let (text, signature) = publisher.publish(&publisher.manifest("0.2.0", 1));
    for at in places(text.len(), CUTS) {
        publisher.publish_as(&text.as_bytes()[..at], signature.as_bytes());
        assert_eq!(refused(publisher.check().await), "signature", "cut at {at}");
    }
    assert_eq!(publisher.files(), [""; 0]);
}

#[tokio::test]
async fn a_signature_cut_at_200_places_is_refused() {
    let publisher = Publisher::start().await;
    let (text, signature) = publisher.publish(&publisher.manifest("0.2.0", 1));
    for at in places(signature.len(), CUTS) {
        publisher.publish_as(text.as_bytes(), &signature.as_bytes()[..at]);
        assert_eq!(refused(publisher.check().await), "signature", "cut at {at}");
    }
    assert_eq!(publisher.files(), [""; 0]);
}

#[tokio::test]
async fn a_thousand_changed_bits_are_refused_each() {
    let publisher = Publisher::start().await;
    let (text, signature) = publisher.publish(&publisher.manifest("0.2.0", 1));
    let whole = [text.as_bytes(), signature.as_bytes()].concat();
    for (count, at) in places(whole.len() * 8, FLIPS).enumerate() {
        let mut changed = whole.clone();
        // Each of the eight bits has its turn.
        changed[at / 8] ^= 1 << (count % 8);
        let (text, signature) = changed.split_at(text.len());
        publisher.publish_as(text, signature);
        let why = refused(publisher.check().await);
        // A changed highest bit makes it no text at all.
        assert!(["signature", "manifest"].contains(&why), "bit {at}: {why}");
    }
    assert_eq!(publisher.files(), [""; 0]);
}

#[tokio::test]
async fn every_bit_of_a_signature_counts() {
    let publisher = Publisher::start().await;
    let (text, signature) = publisher.publish(&publisher.manifest("0.2.0", 1));
    let source = publisher.source();
    assert!(source.verify(&text, &signature).is_ok());
    for at in 0..signature.len() * 8 {
        let mut changed = signature.clone().into_bytes();
        changed[at / 8] ^= 1 << (at % 8);
        // What is no text is refused before.
        let Ok(changed) = String::from_utf8(changed) else {
            continue;
        };
        assert!(source.verify(&text, &changed).is_err(), "bit {at}");
    }
}

#[tokio::test]
async fn what_does_not_end_is_not_read_to_the_end() {
    let publisher = Publisher::start().await;
    let (text, signature) = publisher.publish(&publisher.manifest("0.2.0", 1));
    publisher
        .site
        .put("/latest.json", Reply::Unannounced(vec![b' '; 10_000_000]));
    assert_eq!(refused(publisher.check().await), "manifest");
    let longer = format!("{text}{}", " ".repeat(bwana_update::MANIFEST_MAX_BYTES));
    publisher.publish(&serde_json::Value::String(longer));
    assert_eq!(refused(publisher.check().await), "manifest");
    publisher.publish_as(text.as_bytes(), signature.repeat(20).as_bytes());
    assert!(publisher.check().await.is_err());
}

#[tokio::test]
async fn a_rightly_signed_manifest_with_a_mistake_is_refused() {
    let publisher = Publisher::start().await;
    for (field, value) in [
        ("format", serde_json::json!("bwana.update/v9")),
        ("packages", serde_json::json!([])),
        ("surprise", serde_json::json!(true)),
    ] {
        let mut manifest = publisher.manifest("0.2.0", 1);
        manifest[field] = value;
        publisher.publish(&manifest);
        assert_eq!(refused(publisher.check().await), "manifest", "{field}");
    }
}
