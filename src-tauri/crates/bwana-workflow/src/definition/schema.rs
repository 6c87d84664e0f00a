//! JSON Schemas of the file formats, for editors and for the checker. Derived from the types, so never written by hand.

use std::sync::LazyLock;

use bwana_types::agent::{AGENT_SCHEMA, AgentFile};
use bwana_types::workflow::{WORKFLOW_SCHEMA, WorkflowFile};
use schemars::JsonSchema;
use serde_json::{Value, json};

/// The schema of one file format.
#[derive(Debug, Clone)]
pub struct SchemaFile {
    /// The `schema:` line of files of this format, like `bwana.agent/v1`.
    pub name: &'static str,
    /// The file name under which it is published.
    pub file: &'static str,
    pub schema: Value,
}

impl SchemaFile {
    /// The text of the published file.
    pub fn to_text(&self) -> String {
        format!("{:#}\n", self.schema)
    }
}

/// The schemas of both formats.
pub fn schemas() -> [SchemaFile; 2] {
    [
        SchemaFile {
            name: AGENT_SCHEMA,
            file: "agent.v1.json",
            schema: agent().clone(),
        },
        SchemaFile {
            name: WORKFLOW_SCHEMA,
            file: "workflow.v1.json",
            schema: workflow().clone(),
        },
    ]
}

pub(super) fn agent() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| of::<AgentFile>(AGENT_SCHEMA));
    &SCHEMA
}

pub(super) fn workflow() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| of::<WorkflowFile>(WORKFLOW_SCHEMA));
    &SCHEMA
}

fn of<T: JsonSchema>(name: &str) -> Value {
    let mut schema = schemars::schema_for!(T).to_value();
    // An editor that knows the schema can then complete and check the first line too.
    schema["properties"]["schema"] = json!({"const": name, "type": "string"});
    schema
}
