//! The files that come with the product are beyond reproach, and the published schemas are those of the program.

use std::collections::BTreeSet;
use std::path::Path;

use bwana_types::workflow::{StepEntry, StepFile};
use bwana_workflow::definition::{SHIPPED_FILES, is_slug, parse_workflow, schemas, shipped};

use super::{installed, issues_of};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("definitions")
}

#[test]
fn every_shipped_file_is_valid_without_a_single_remark() {
    for file in SHIPPED_FILES {
        let issues = issues_of(file.text.as_bytes())
            .unwrap_or_else(|error| panic!("{}: {error}", file.path));
        assert_eq!(issues, [], "{}", file.path);
    }
    let shipped = shipped();
    let agents: Vec<&str> = shipped.agents.keys().map(String::as_str).collect();
    assert_eq!(
        agents,
        [
            "business_intelligence",
            "customer_service",
            "operations",
            "sales_marketing",
            "technical_implementation"
        ]
    );
    let workflows: Vec<&str> = shipped.workflows.keys().map(String::as_str).collect();
    assert_eq!(
        workflows,
        [
            "business_setup",
            "cash_review",
            "customer_replies",
            "debt_reminders",
            "export_paperwork",
            "job_advert",
            "market_expansion",
            "opinion_survey",
            "power_cut_plan",
            "price_list",
            "product_launch",
            "stock_reorder",
            "supplier_order",
            "tender_checklist",
            "weekly_operations_review"
        ]
    );
}

#[test]
fn workflows_are_offered_in_the_order_of_the_list_and_the_broadest_come_first() {
    let shipped = shipped();
    assert_eq!(
        shipped.order[..3],
        [
            "business_setup",
            "market_expansion",
            "weekly_operations_review"
        ]
    );
    let offered: BTreeSet<&String> = shipped.order.iter().collect();
    assert!(shipped.workflows.keys().eq(offered), "{:?}", shipped.order);
    assert_eq!(shipped.place("market_expansion"), 1);
    assert_eq!(shipped.place("notes"), shipped.order.len());
}

/// Somebody who has never seen it knows from it what to write and what comes out, and what it may take is bounded.
#[test]
fn shipped_workflows_say_what_they_take_and_deliver_and_how_much_they_may_take() {
    for (id, (workflow, _)) in &shipped().workflows {
        assert!(is_slug(id), "{id}");
        let said = &workflow.description;
        assert!(
            said.starts_with("Takes ") && said.contains(" deliver") && said.ends_with('.'),
            "{id}: {said}"
        );
        let input = workflow.input.as_ref().unwrap();
        assert_eq!(input["type"], "string", "{id}");
        let asks = input["description"].as_str().unwrap();
        assert!(asks.len() > 60 && asks.ends_with('.'), "{id}: {asks}");
        assert!(input["maxLength"].as_u64().is_some(), "{id}");
        let limits = &workflow.limits;
        assert!(limits.turns.is_some() && limits.elapsed.is_some(), "{id}");
        assert!((2..=5).contains(&workflow.steps.len()), "{id}");
    }
}

/// A figure nobody gave is named as missing: each workflow says in which words.
#[test]
fn shipped_workflows_say_what_stands_where_the_request_has_nothing() {
    const WORDS: [&str; 4] = [
        "Not given",
        "\"to confirm\"",
        "none noted",
        "not in the request",
    ];
    for (id, (workflow, _)) in &shipped().workflows {
        let tasks = tasks(&workflow.steps);
        let said = |task: &&String| WORDS.iter().any(|words| task.contains(words));
        assert!(tasks.iter().any(said), "{id}");
    }
}

fn tasks(steps: &[StepEntry]) -> Vec<&String> {
    let mut found = Vec::new();
    for step in steps {
        let StepEntry::Full(step) = step else {
            continue;
        };
        found.extend(&step.task);
        if let Some(parallel) = &step.parallel {
            found.extend(tasks(&parallel.steps));
        }
    }
    found
}

/// What `bwana workflows export` writes is read back as the same workflow.
#[test]
fn a_shipped_workflow_written_out_is_read_back_as_itself() {
    for (id, (workflow, hash)) in &shipped().workflows {
        for text in [
            serde_saphyr::to_string(workflow).unwrap(),
            serde_json::to_string(workflow).unwrap(),
        ] {
            let (back, again) = parse_workflow(text.as_bytes()).unwrap();
            assert_eq!(back, *workflow, "{id}");
            assert_eq!(again, *hash, "{id}");
        }
    }
}

#[test]
fn every_file_of_the_folder_is_shipped() {
    for kind in ["agents", "workflows"] {
        for entry in std::fs::read_dir(folder().join(kind)).unwrap() {
            let name = format!("{kind}/{}", entry.unwrap().file_name().to_string_lossy());
            assert!(
                SHIPPED_FILES.iter().any(|file| file.path == name),
                "{name} is not in SHIPPED_FILES"
            );
        }
    }
}

#[test]
fn shipped_agents_have_compact_instructions_of_at_most_120_words_and_the_real_tools() {
    let tools = installed();
    for agent in shipped().agents.values() {
        let small = agent.instructions_small.as_ref().unwrap();
        let words = small.split_whitespace().count();
        assert!((40..=120).contains(&words), "{}: {words} words", agent.id);
        assert!(
            agent.instructions.split_whitespace().count() > 200,
            "{}",
            agent.id
        );
        assert!(
            agent.tools.iter().any(|tool| tools.contains(tool)),
            "{}",
            agent.id
        );
        assert!(
            agent.capabilities.len() >= 3 && !agent.description.is_empty(),
            "{}",
            agent.id
        );
    }
}

/// Nothing in a shipped workflow may wait for a person: each step says what it may use, and that only reads.
#[test]
fn shipped_workflows_need_nobody_at_the_machine() {
    fn check(step: &StepFile, inherited: bool) {
        assert!(step.approve.is_none(), "{}", step.name);
        let reading = ["web.search", "web.fetch"];
        let only_reads =
            |tools: &Vec<String>| tools.iter().all(|tool| reading.contains(&tool.as_str()));
        assert!(
            step.tools.as_ref().map_or(inherited, only_reads),
            "{} may use tools that ask",
            step.name
        );
        for branch in step.parallel.iter().flat_map(|parallel| &parallel.steps) {
            if let StepEntry::Full(branch) = branch {
                check(branch, step.tools.is_some());
            }
        }
    }
    for (workflow, _) in shipped().workflows.values() {
        for step in &workflow.steps {
            let StepEntry::Full(step) = step else {
                panic!("{}: a bare step", workflow.id)
            };
            check(step, false);
        }
    }
}

/// Run with `UPDATE_SCHEMAS=1` to write them anew.
#[test]
fn the_published_schemas_are_those_of_the_program() {
    for file in schemas() {
        let path = folder().join("schema").join(file.file);
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, file.to_text()).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == file.to_text(),
            "{} is stale: run this test with UPDATE_SCHEMAS=1",
            path.display()
        );
    }
}

/// An independent reader of the published schemas agrees with the program on the shipped files.
#[test]
fn shipped_files_fit_the_published_schemas() {
    let schemas = schemas();
    for file in SHIPPED_FILES {
        let schema = if file.path.starts_with("agents/") {
            &schemas[0]
        } else {
            &schemas[1]
        };
        let content: serde_json::Value = serde_saphyr::from_str(file.text).unwrap();
        let validator = jsonschema::validator_for(&schema.schema).unwrap();
        let problems: Vec<String> = validator
            .iter_errors(&content)
            .map(|error| error.to_string())
            .collect();
        assert!(problems.is_empty(), "{}: {problems:?}", file.path);
    }
}
