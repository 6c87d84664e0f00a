//! Runs from start to end through the table.

use bwana_api::budget::SetRequest;
use bwana_api::command::{
    Ask, BudgetRaise, BudgetSet, RunEvents, RunFork, RunList, RunPause, RunReplay, RunResume,
    RunShow, RunStart, Verify,
};
use bwana_api::definitions::Nothing;
use bwana_api::events::EventsRequest;
use bwana_api::runs::{
    Approve, AskRequest, EditFile, ForkRequest, ListRequest, ResumeRequest, StartOptions,
};
use bwana_api::{Caller, Ctx, Event, Events, Mode};
use bwana_types::error::ErrorCode;
use bwana_types::status::{RunStatus, StopReason};

use crate::common::{Home, PLAIN, by, call, settle, start, start_request};

#[tokio::test]
async fn a_run_works_to_its_end_and_readers_see_it_beside_the_owner() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let started = start(&app, PLAIN).await;
    assert_eq!(started.steps.len(), 2);
    let shown = settle(&app, started.run).await;
    assert_eq!(shown.status, RunStatus::Done, "{shown:?}");
    assert_eq!(shown.stop_reason, Some(StopReason::Completed));
    assert_eq!((shown.model_calls, shown.steps_done), (2, 2));
    assert_eq!(shown.models, ["near/scripted"]);
    assert_eq!(shown.cost.map(|cost| cost.0.0), Some(0), "loopback is free");
    let document = std::fs::read_to_string(shown.result_file.as_ref().unwrap()).unwrap();
    assert!(document.contains(&shown.result.clone().unwrap()));

    let reader = home.open(Mode::Read);
    assert_eq!(
        call::<RunShow>(&reader, by(started.run)).await.unwrap(),
        shown
    );
    let list = call::<RunList>(&reader, ListRequest::default())
        .await
        .unwrap();
    assert_eq!(list.runs.len(), 1);
    assert_eq!(list.runs[0].title, "A bakery in Kisumu");
    let report = call::<Verify>(&reader, Nothing {}).await.unwrap();
    assert!(report.sound, "{report:?}");
    app.close().await.unwrap();
}

#[tokio::test]
async fn events_come_without_gaps_with_text_and_end_with_the_run() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    home.model.hold();
    let started = start(&app, PLAIN).await;
    let (events, mut heard) = Events::channel();
    let request = EventsRequest {
        run: started.run.to_string(),
        from: 0,
        follow: true,
        text: true,
    };
    let ctx = Ctx {
        caller: Caller::LocalCli,
        events,
    };
    let telling = app.call::<RunEvents>(ctx, request);
    home.model.open();
    tokio::pin!(telling);
    let (mut seqs, mut words) = (Vec::new(), String::new());
    let mut hear = |event: Event| match event {
        Event::Entry { entry, .. } => seqs.push(entry.seq),
        Event::Text { text, .. } => words.push_str(&text),
        other => panic!("{other:?}"),
    };
    let end = loop {
        tokio::select! {
            biased;
            Some(event) = heard.recv() => hear(event),
            end = &mut telling => break end.unwrap(),
        }
    };
    while let Ok(event) = heard.try_recv() {
        hear(event);
    }
    assert!(end.ended);
    assert_eq!(seqs, (1..=end.head_seq).collect::<Vec<_>>());
    assert!(words.contains("done as asked"), "{words}");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_replay_gives_the_same_run_and_calls_nobody() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let started = start(&app, PLAIN).await;
    let shown = settle(&app, started.run).await;
    let asked = home.model.counts().requests;
    let report = call::<RunReplay>(&app, by(started.run)).await.unwrap();
    assert!(report.same, "{:?}", report.differences);
    assert_eq!(report.recorded_model_calls, 2);
    assert_eq!(report.run, shown);
    assert_eq!(home.model.counts().requests, asked);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_fork_with_an_edit_goes_on_from_there_when_it_is_resumed() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let started = start(&app, PLAIN).await;
    settle(&app, started.run).await;
    let edit = EditFile {
        replace: 1,
        text: None,
        result: None,
        input: Some(String::from("A garage in Eldoret")),
    };
    let request = ForkRequest {
        run: started.run.to_string(),
        at: 1,
        edit: Some(edit),
    };
    let fork = call::<RunFork>(&app, request).await.unwrap();
    assert_eq!(fork.status, RunStatus::Paused);
    assert_eq!(fork.input, "A garage in Eldoret");
    assert_eq!(fork.forked_from.unwrap().run, started.run);
    let request = ResumeRequest {
        run: fork.id.to_string(),
        approve: bwana_api::runs::Approve::Ask,
    };
    call::<RunResume>(&app, request).await.unwrap();
    assert_eq!(settle(&app, fork.id).await.status, RunStatus::Done);
    assert_eq!(home.model.counts().answered, 4);
    app.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_nobody_works_on_is_paused_and_raised_without_being_started() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    home.model.hold();
    let started = start(&app, PLAIN).await;
    assert!(
        home.model
            .wait_for(bwana_testkit::bwana::PATIENCE, |counts| counts.waiting == 1)
    );
    app.close().await.unwrap();
    home.model.open();
    let asked = home.model.counts().requests;

    let app = home.open(Mode::Drive);
    let paused = call::<RunPause>(&app, by(started.run)).await.unwrap();
    assert_eq!(paused.status, RunStatus::Paused);
    let raise = bwana_api::budget::RaiseRequest {
        run: started.run.to_string(),
        usd: Some(String::from("2.50")),
        ..Default::default()
    };
    let raised = call::<BudgetRaise>(&app, raise).await.unwrap();
    assert_eq!(raised.limits.usd.map(|usd| usd.0.0), Some(2_500_000));
    assert!(app.live_runs().is_empty());
    assert_eq!(home.model.counts().requests, asked);
    app.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_takes_over_what_was_left_unfinished() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    home.model.hold();
    let started = start(&app, PLAIN).await;
    assert!(
        home.model
            .wait_for(bwana_testkit::bwana::PATIENCE, |counts| counts.waiting == 1)
    );
    app.close().await.unwrap();
    home.model.open();
    let owner = home.open(Mode::Own);
    assert_eq!(owner.take_over().await.unwrap(), [started.run]);
    assert_eq!(settle(&owner, started.run).await.status, RunStatus::Done);
    owner.close().await.unwrap();
}

#[tokio::test]
async fn a_question_to_the_team_is_a_run_of_its_own() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let request = AskRequest {
        text: String::from("Write a LinkedIn campaign for our new product"),
        agent: None,
        options: StartOptions::default(),
    };
    let started = call::<Ask>(&app, request).await.unwrap();
    assert_eq!(started.workflow, "ask");
    let ids: Vec<&str> = started
        .agents
        .iter()
        .map(|agent| agent.id.as_str())
        .collect();
    assert!(ids.contains(&"sales_marketing"), "{ids:?}");
    assert_eq!(settle(&app, started.run).await.status, RunStatus::Done);
    app.close().await.unwrap();
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_there_is_a_run() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let refused = async |change: &dyn Fn(&mut bwana_api::runs::StartRequest)| {
        let mut request = start_request(PLAIN);
        change(&mut request);
        call::<RunStart>(&app, request).await.unwrap_err().code
    };
    let code = refused(&|request| request.input = String::from("  ")).await;
    assert_eq!(code, ErrorCode::UsageInvalid);
    let code = refused(&|request| request.input = "x".repeat(2 << 20)).await;
    assert_eq!(code, ErrorCode::UsageInvalid);
    let code = refused(&|request| request.options.model = Some("nobody/x".into())).await;
    assert_eq!(code, ErrorCode::ProviderUnknown);
    let code = refused(&|request| request.options.model = Some("local".into())).await;
    assert_eq!(code, ErrorCode::ProviderNoModel);
    let code = refused(&|request| request.options.budget_usd = Some("one".into())).await;
    assert_eq!(code, ErrorCode::BudgetInvalid);
    let code = refused(&|request| {
        request.what = bwana_api::runs::What::Workflow("busines_setup".into());
    })
    .await;
    assert_eq!(code, ErrorCode::UsageNotFound);
    let list = call::<RunList>(&app, ListRequest::default()).await.unwrap();
    assert!(list.runs.is_empty());
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_day_without_money_left_pauses_the_run_and_loses_nothing() {
    let home = Home::new();
    let settings = std::fs::read_to_string(home.path().join("settings.toml")).unwrap();
    let dear =
        format!("[budget]\nday_usd = 0.0001\n{settings}price_in = 1000.0\nprice_out = 1000.0\n");
    home.file("settings.toml", &dear);
    let app = home.open(Mode::Drive);
    let started = start(&app, PLAIN).await;
    let shown = settle(&app, started.run).await;
    assert_eq!(shown.status, RunStatus::Paused);
    assert!(
        matches!(shown.stop_reason, Some(StopReason::Budget { .. })),
        "{:?}",
        shown.stop_reason
    );
    assert_eq!(home.model.counts().requests, 0);

    // A new limit holds from the next call on, in the engine that is at work; so does one that is written by hand.
    let limit = |usd: &str| SetRequest {
        day_usd: Some(usd.to_owned()),
    };
    call::<BudgetSet>(&app, limit("900000")).await.unwrap();
    let again = ResumeRequest {
        run: started.run.to_string(),
        approve: Approve::Ask,
    };
    call::<RunResume>(&app, again).await.unwrap();
    let shown = settle(&app, started.run).await;
    assert_eq!(shown.status, RunStatus::Done, "{shown:?}");
    call::<BudgetSet>(&app, limit("0.0001")).await.unwrap();
    let started = start(&app, PLAIN).await;
    assert_eq!(settle(&app, started.run).await.status, RunStatus::Paused);
    home.file("settings.toml", &dear.replace("0.0001", "800000"));
    let started = start(&app, PLAIN).await;
    assert_eq!(settle(&app, started.run).await.status, RunStatus::Done);
    app.close().await.unwrap();
}
