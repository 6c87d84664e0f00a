//! The files that come with the product are beyond reproach, and the published schemas are those of the program.

use std::path::Path;

use bwana_types::workflow::{StepEntry, StepFile};
use bwana_workflow::definition::{SHIPPED_FILES, schemas, shipped};

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
            "market_expansion",
            "weekly_operations_review"
        ]
    );
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
