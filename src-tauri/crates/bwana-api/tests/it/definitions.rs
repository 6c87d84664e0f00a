//! Agents and workflows: shipped, imported, edited in the data folder.

use bwana_api::agents::EditRequest;
use bwana_api::command::{AgentsEdit, AgentsReset};
use bwana_api::command::{
    AgentsList, AgentsShow, DefinitionsImport, DefinitionsValidate, Doctor, HomeShow,
    WorkflowsExport, WorkflowsList, WorkflowsShow,
};
use bwana_api::definitions::{ById, ImportRequest, Nothing};
use bwana_api::{App, Mode};
use bwana_types::error::ErrorCode;

use crate::common::{Home, PLAIN, call, file};

fn id(id: &str) -> ById {
    ById { id: id.to_owned() }
}

async fn workflow_name(app: &App, slug: &str) -> String {
    let shown = call::<WorkflowsShow>(app, id(slug)).await.unwrap();
    shown.workflow.name
}

#[tokio::test]
async fn what_is_shipped_is_there_before_and_after_anything_is_stored() {
    let home = Home::new();
    let reader = home.open(Mode::Read);
    let before = call::<WorkflowsList>(&reader, Nothing {}).await.unwrap();
    assert!(
        !home.path().join("bwana.db").exists(),
        "a reader makes nothing"
    );
    let owner = home.open(Mode::Drive);
    let after = call::<WorkflowsList>(&owner, Nothing {}).await.unwrap();
    assert_eq!(before, after);
    let ids: Vec<&str> = after.items.iter().map(|item| item.id.as_str()).collect();
    assert!(ids.contains(&"business_setup") && ids.contains(&"market_expansion"));
    let agents = call::<AgentsList>(&owner, Nothing {}).await.unwrap();
    assert_eq!(agents.items.len(), 5);
    owner.close().await.unwrap();
}

/// Of the many that ship, whoever starts is shown the three broadest; one that the person has changed is theirs, and the
/// next of the list takes its place.
#[tokio::test]
async fn home_offers_the_first_three_that_ship() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let offered = async || {
        let shown = call::<HomeShow>(&app, Nothing {}).await.unwrap();
        let ids = shown.suggested.into_iter().map(|workflow| workflow.id);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(
        offered().await,
        [
            "business_setup",
            "market_expansion",
            "weekly_operations_review"
        ]
    );
    let exported = call::<WorkflowsExport>(&app, id("market_expansion")).await;
    let text = exported
        .unwrap()
        .text
        .replace("African Market", "West African Market");
    home.file("workflows/market_expansion.yaml", &text);
    assert_eq!(
        offered().await,
        ["business_setup", "weekly_operations_review", "price_list"]
    );
    app.close().await.unwrap();
}

#[tokio::test]
async fn an_export_imports_as_what_it_was() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let import = ImportRequest {
        file: file(PLAIN),
        only_new: true,
    };
    call::<DefinitionsImport>(&app, import).await.unwrap();
    let list = call::<WorkflowsList>(&app, Nothing {}).await.unwrap();
    let slugs: Vec<&str> = list.items.iter().map(|item| item.id.as_str()).collect();
    assert!(slugs.len() > 12 && slugs.contains(&"notes"), "{slugs:?}");
    for slug in slugs {
        let before = call::<WorkflowsShow>(&app, id(slug)).await.unwrap();
        let exported = call::<WorkflowsExport>(&app, id(slug)).await.unwrap();
        let import = ImportRequest {
            file: file(&exported.text),
            only_new: false,
        };
        call::<DefinitionsImport>(&app, import).await.unwrap();
        let after = call::<WorkflowsShow>(&app, id(slug)).await.unwrap();
        assert_eq!(after.workflow, before.workflow, "{}", exported.text);
    }
    app.close().await.unwrap();
}

#[tokio::test]
async fn files_of_the_data_folder_are_imported_when_they_change_and_a_bad_one_keeps_the_last_good()
{
    let home = Home::new();
    let app = home.open(Mode::Drive);
    home.file("workflows/notes.yaml", PLAIN);
    assert_eq!(workflow_name(&app, "notes").await, "Notes");
    home.file(
        "workflows/notes.yaml",
        &PLAIN.replace("name: Notes", "name: Better notes"),
    );
    assert_eq!(workflow_name(&app, "notes").await, "Better notes");
    home.file(
        "workflows/notes.yaml",
        "schema: bwana.workflow/v1\nid: notes\n",
    );
    assert_eq!(workflow_name(&app, "notes").await, "Better notes");
    let list = call::<WorkflowsList>(&app, Nothing {}).await.unwrap();
    let [problem] = list.problems.as_slice() else {
        panic!("{list:?}")
    };
    assert_eq!(problem.file, "workflows/notes.yaml");
    assert!(problem.problem.contains("steps"), "{}", problem.problem);
    let doctor = call::<Doctor>(&app, Nothing {}).await.unwrap();
    assert!(
        doctor
            .findings
            .iter()
            .any(|found| found.message.contains("workflows/notes.yaml"))
    );
    app.close().await.unwrap();

    // A reader sees a changed file as well, and stores nothing.
    home.file(
        "workflows/notes.yaml",
        &PLAIN.replace("name: Notes", "name: Newest"),
    );
    let reader = home.open(Mode::Read);
    assert_eq!(workflow_name(&reader, "notes").await, "Newest");
    assert_eq!(
        call::<AgentsShow>(&reader, id("writer"))
            .await
            .unwrap()
            .agent
            .name,
        "Writer"
    );
}

#[tokio::test]
async fn a_workflow_waits_for_its_agent_to_arrive() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let (agent, workflow) = PLAIN.split_once("---\n").unwrap();
    home.file("workflows/notes.yaml", workflow);
    let list = call::<WorkflowsList>(&app, Nothing {}).await.unwrap();
    assert!(list.problems[0].problem.contains("writer"), "{list:?}");
    home.file("agents/writer.yaml", agent);
    let list = call::<WorkflowsList>(&app, Nothing {}).await.unwrap();
    assert!(list.problems.is_empty(), "{list:?}");
    assert!(list.items.iter().any(|item| item.id == "notes"));
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_file_is_checked_with_lines_and_hints() {
    let home = Home::new();
    let reader = home.open(Mode::Read);
    let text = PLAIN.replace("agents: [writer]", "agents: [writter]");
    let report = call::<DefinitionsValidate>(&reader, file(&text))
        .await
        .unwrap();
    assert!(!report.valid);
    let issue = &report.issues[0];
    assert_eq!(issue.code, ErrorCode::DefinitionUnknownAgent.as_str());
    assert!(
        issue.line.is_some() && issue.hint.contains("writer"),
        "{issue:?}"
    );
    let report = call::<DefinitionsValidate>(&reader, file(PLAIN))
        .await
        .unwrap();
    assert!(report.valid, "{report:?}");
    assert_eq!(
        (report.agents, report.workflows),
        (vec!["writer".into()], vec!["notes".into()])
    );
}

#[tokio::test]
async fn an_agent_that_exists_is_not_created_again() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let import = || ImportRequest {
        file: file(PLAIN),
        only_new: true,
    };
    call::<DefinitionsImport>(&app, import()).await.unwrap();
    let refused = call::<DefinitionsImport>(&app, import()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::UsageInvalid);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_file_is_taken_over_while_the_program_runs_and_nobody_asks() {
    let home = Home::new();
    let app = home.open(Mode::Own);
    // What is shipped is stored now, so that the next change is the file's.
    call::<WorkflowsList>(&app, Nothing {}).await.unwrap();
    let watching = bwana_api::hot::watch(&app).unwrap();
    let mut changed = app.changed().unwrap();
    changed.mark_unchanged();
    home.file("workflows/notes.yaml", PLAIN);
    let news = tokio::time::timeout(std::time::Duration::from_secs(60), changed.changed());
    news.await.expect("the file was noticed").unwrap();
    assert_eq!(workflow_name(&app, "notes").await, "Notes");
    drop(watching);
    app.close().await.unwrap();
}

#[tokio::test]
async fn an_agent_is_changed_here_checked_like_a_file_and_had_back_as_it_came() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let edit = |change: EditRequest| EditRequest {
        id: String::from("operations"),
        ..change
    };
    let changed = edit(EditRequest {
        instructions: Some(String::from("Watch the shop.")),
        models: Some(vec![String::from("near/scripted"), String::from("default")]),
        ..EditRequest::default()
    });
    let panel = call::<AgentsEdit>(&app, changed).await.unwrap();
    assert_eq!(panel.instructions_head, "Watch the shop.");
    assert_eq!(panel.models, ["near/scripted", "default"]);
    assert!(!panel.builtin);
    let broken = edit(EditRequest {
        instructions: Some(String::from("{{ nobody }}")),
        ..EditRequest::default()
    });
    let refused = call::<AgentsEdit>(&app, broken).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::DefinitionInvalid);
    let shown = call::<AgentsShow>(&app, id("operations")).await.unwrap();
    assert_eq!(shown.agent.instructions, "Watch the shop.");
    let panel = call::<AgentsReset>(&app, id("operations")).await.unwrap();
    assert!(panel.builtin && panel.models == ["default"], "{panel:?}");
    let refused = call::<AgentsReset>(&app, id("nobody")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::UsageNotFound);
    app.close().await.unwrap();
}
