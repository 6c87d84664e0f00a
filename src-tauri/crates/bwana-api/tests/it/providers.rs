//! What providers were asked, and how they stand.

use bwana_api::Mode;
use bwana_api::command::{ProvidersRetry, ProvidersUsage};
use bwana_api::providers::NameRef;
use bwana_api::usage::UsageRequest;
use bwana_testkit::Script;
use bwana_types::error::ErrorCode;

use crate::common::{Home, PLAIN, call, settle, start};

#[tokio::test]
async fn usage_counts_every_attempt_once() {
    let home = Home::answering(Script::default());
    let app = home.open(Mode::Drive);
    for _ in 0..2 {
        let run = start(&app, PLAIN).await.run;
        settle(&app, run).await;
    }
    let report = call::<ProvidersUsage>(&app, UsageRequest::default())
        .await
        .unwrap();
    assert_eq!(report.days, 30);
    let [line] = report.lines.as_slice() else {
        panic!("{report:?}");
    };
    assert_eq!(
        (line.provider.as_str(), line.model.as_str()),
        ("near", "scripted")
    );
    assert_eq!(line.answered, home.model.counts().answered);
    assert_eq!((line.broken, line.unpriced), (0, 0));
    assert!(line.input_tokens > 0 && line.output_tokens > 0, "{line:?}");

    let other = UsageRequest {
        name: Some(String::from("far")),
        days: Some(1),
    };
    let none = call::<ProvidersUsage>(&app, other).await.unwrap();
    assert!(none.lines.is_empty());
    let never = UsageRequest {
        name: None,
        days: Some(0),
    };
    let refused = call::<ProvidersUsage>(&app, never).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::UsageInvalid);
    app.close().await.unwrap();
}

#[tokio::test]
async fn only_a_provider_that_is_set_up_can_be_asked_again() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let retry = async |name: &str| {
        let name = name.to_owned();
        call::<ProvidersRetry>(&app, NameRef { name }).await
    };
    assert!(!retry("near").await.unwrap().was_left_alone);
    let refused = retry("nobody").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ProviderUnknown);
    app.close().await.unwrap();
}
