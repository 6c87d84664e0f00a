//! What a wish would start, and that it starts just that, once.

use bwana_api::command::{DefinitionsImport, PlanPreview, RunList, RunStartPlan};
use bwana_api::definitions::ImportRequest;
use bwana_api::plan::{Estimate, Plan, PlanRequest, StartPlanRequest, TargetKind, Why};
use bwana_api::runs::ListRequest;
use bwana_api::{App, Mode};
use bwana_types::error::ErrorCode;
use bwana_types::status::RunStatus;

use TargetKind::{Agent, Team, Workflow};

use crate::common::{Home, PLAIN, call, file, settle};

async fn opened(home: &Home, mode: Mode) -> App {
    let app = home.open(Mode::Drive);
    let request = ImportRequest {
        file: file(PLAIN),
        only_new: false,
    };
    call::<DefinitionsImport>(&app, request).await.unwrap();
    app.close().await.unwrap();
    home.open(mode)
}

async fn preview(app: &App, text: &str) -> Plan {
    let request = PlanRequest {
        text: text.to_owned(),
        ..PlanRequest::default()
    };
    call::<PlanPreview>(app, request).await.unwrap()
}

fn wish(text: &str, key: &str) -> StartPlanRequest {
    StartPlanRequest {
        text: text.to_owned(),
        key: key.to_owned(),
        ..StartPlanRequest::default()
    }
}

#[tokio::test]
async fn a_wish_goes_where_it_says_or_where_its_words_point() {
    let home = Home::new();
    let app = opened(&home, Mode::Read).await;
    let cases = [
        ("/notes A bakery", Why::Slash, Workflow, "notes", "A bakery"),
        ("@writer Hello", Why::At, Agent, "writer", "Hello"),
        (
            "Plan a market expansion into Ghana",
            Why::Match,
            Workflow,
            "market_expansion",
            "Plan a market expansion into Ghana",
        ),
        (
            "Remind customers who owe me money",
            Why::Match,
            Workflow,
            "debt_reminders",
            "Remind customers who owe me money",
        ),
        (
            "A customer complains that her order never came. How do I reply?",
            Why::Ask,
            Agent,
            "customer_service",
            "A customer complains that her order never came. How do I reply?",
        ),
        ("Hello?", Why::Ask, Team, "ask", "Hello?"),
    ];
    for (text, why, kind, id, rest) in cases {
        let plan = preview(&app, text).await;
        assert_eq!(
            (
                plan.why,
                plan.target.kind,
                plan.target.id.as_str(),
                plan.text.as_str()
            ),
            (why, kind, id, rest),
            "{text}: {:?}",
            plan.words
        );
        assert_eq!(plan.problems, [], "{text}");
        assert_eq!(plan, preview(&app, text).await);
    }
    assert_eq!(home.model.counts().requests, 0, "a plan calls nothing");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_plan_names_steps_agents_and_what_will_ask() {
    let home = Home::new();
    let app = opened(&home, Mode::Read).await;
    let plan = preview(&app, "/notes A bakery").await;
    let steps: Vec<_> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps, ["Collect", "Write up"]);
    assert_eq!(plan.agents[0].model, "near/scripted");
    assert_eq!(plan.asks[0].tool, "file.write");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_name_that_is_still_being_typed_is_a_problem_and_starts_nothing() {
    let home = Home::new();
    let app = opened(&home, Mode::Own).await;
    for (text, code, near) in [
        ("/note A bakery", "plan.unknown_workflow", "notes"),
        ("@write A bakery", "plan.unknown_agent", "writer"),
    ] {
        let plan = preview(&app, text).await;
        assert_eq!(plan.problems[0].code, code);
        assert_eq!(plan.problems[0].params["near"], near);
        let refused = call::<RunStartPlan>(&app, wish(text, text)).await;
        assert_eq!(refused.unwrap_err().code, ErrorCode::UsageNotFound);
    }
    assert_eq!(preview(&app, "/notes").await.problems[0].code, "plan.empty");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_start_with_the_same_key_is_the_same_run() {
    let home = Home::new();
    let app = opened(&home, Mode::Own).await;
    let wishes = || (wish("/notes A", "k1"), wish("/notes A", "k1"));
    let (one, two) = wishes();
    let (one, two) = tokio::join!(
        call::<RunStartPlan>(&app, one),
        call::<RunStartPlan>(&app, two)
    );
    let run = one.unwrap().run;
    assert_eq!(two.unwrap().run, run);
    settle(&app, run).await;
    app.close().await.unwrap();

    let app = home.open(Mode::Own);
    let again = call::<RunStartPlan>(&app, wish("/notes A", "k1")).await;
    assert_eq!(again.unwrap().run, run, "also in another process");
    let other = call::<RunStartPlan>(&app, wish("/notes A", "k2")).await;
    assert_ne!(other.unwrap().run, run);
    let list = call::<RunList>(&app, ListRequest::default()).await.unwrap();
    assert_eq!(list.runs.len(), 2);
    app.close().await.unwrap();
}

#[tokio::test]
async fn an_estimate_comes_from_past_runs_once_there_are_three() {
    let home = Home::new();
    let app = opened(&home, Mode::Own).await;
    let plan = preview(&app, "/notes A").await;
    assert!(
        matches!(plan.estimate, Estimate::Prices { .. }),
        "{:?}",
        plan.estimate
    );
    for key in ["a", "b", "c"] {
        let started = call::<RunStartPlan>(&app, wish("/notes A", key)).await;
        let shown = settle(&app, started.unwrap().run).await;
        assert_eq!(shown.status, RunStatus::Done);
    }
    let Estimate::Median { runs, bytes, .. } = preview(&app, "/notes A").await.estimate else {
        panic!("three runs are enough")
    };
    assert!(runs == 3 && bytes > 0);
    app.close().await.unwrap();
}

#[tokio::test]
async fn without_prices_the_estimate_says_what_is_missing() {
    let home = Home::new();
    let far = "[[providers]]\nname = \"far\"\nkind = \"openai\"\nbase_url = \"https://models.example.org/v1\"\n\
               model = \"big\"\n";
    home.file("settings.toml", far);
    let app = opened(&home, Mode::Read).await;
    let plan = preview(&app, "/notes A").await;
    assert_eq!(
        plan.estimate,
        Estimate::Unknown {
            missing: vec![String::from("far/big")]
        }
    );
    app.close().await.unwrap();
}
