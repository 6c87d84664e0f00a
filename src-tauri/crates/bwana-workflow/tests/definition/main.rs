//! Definition files as people meet them: what is accepted, what is refused, and in which words.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_files;
mod hostile;
mod import;
mod resolving;
mod shipped_files;

use std::collections::{BTreeMap, BTreeSet};

use bwana_types::agent::AgentFile;
use bwana_types::error::ApiError;
use bwana_workflow::definition::{
    DefinitionError, DefinitionFile, Issue, Known, parse, shipped, validate_agent,
    validate_workflow,
};

/// Tools this test's program has.
fn installed() -> BTreeSet<String> {
    ["file.read", "file.write", "http.get", "webhook.send"]
        .map(String::from)
        .into()
}

/// Everything wrong with a file: its form, and then, with the shipped agents and those of the file itself, its meaning.
fn issues_of(bytes: &[u8]) -> Result<Vec<Issue>, DefinitionError> {
    let documents = parse(bytes)?;
    let mut agents: BTreeMap<String, AgentFile> = shipped().agents.clone();
    for document in &documents {
        if let DefinitionFile::Agent(agent) = &document.file {
            agents.insert(agent.id.clone(), agent.clone());
        }
    }
    let tools = installed();
    let known = Known {
        agents: &agents,
        tools: &tools,
    };
    let found = documents.iter().flat_map(|document| {
        document.locate(match &document.file {
            DefinitionFile::Agent(agent) => validate_agent(agent, &known),
            DefinitionFile::Workflow(workflow) => validate_workflow(workflow, &known),
        })
    });
    Ok(found.collect())
}

/// What a person is told about a file: the code of the error, if it is one, and every issue on a line.
fn report(bytes: &[u8]) -> String {
    let (code, issues) = match issues_of(bytes).and_then(DefinitionError::check) {
        Ok(warnings) => (String::from("accepted"), warnings),
        Err(error) => (ApiError::from(error.clone()).code.to_string(), error.issues),
    };
    let lines = issues.iter().map(|issue| {
        let mark = if issue.is_error() { "error" } else { "warning" };
        format!("\n  {mark}: {issue}")
    });
    code + &lines.collect::<String>()
}
