//! The agents and workflows that come with the product, built into the program.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use bwana_types::agent::AgentFile;
use bwana_types::hash::Hash;
use bwana_types::workflow::WorkflowFile;

use super::parse::{DefinitionFile, parse};

/// A shipped file.
#[derive(Debug, Clone, Copy)]
pub struct ShippedFile {
    /// Like `agents/operations.yaml`, below the data folder and in our sources.
    pub path: &'static str,
    pub text: &'static str,
}

/// What the shipped files hold.
#[derive(Debug, Clone, Default)]
pub struct Shipped {
    /// By id.
    pub agents: BTreeMap<String, AgentFile>,
    /// By id, with the hash of their content.
    pub workflows: BTreeMap<String, (WorkflowFile, Hash)>,
    /// Ids of the workflows in the order in which they are offered: the broadest first.
    pub order: Vec<String>,
}

impl Shipped {
    /// Where a workflow stands among those offered to somebody who has none yet; what is not shipped stands last.
    pub fn place(&self, workflow: &str) -> usize {
        let place = self.order.iter().position(|id| id == workflow);
        place.unwrap_or(self.order.len())
    }
}

macro_rules! shipped_files {
    ($($path:literal),+ $(,)?) => {
        /// Every shipped file, agents first. Workflows stand in the order in which they are offered.
        pub const SHIPPED_FILES: &[ShippedFile] = &[$(ShippedFile {
            path: $path,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/", $path)),
        },)+];
    };
}

shipped_files![
    "agents/business_intelligence.yaml",
    "agents/technical_implementation.yaml",
    "agents/customer_service.yaml",
    "agents/sales_marketing.yaml",
    "agents/operations.yaml",
    "workflows/business_setup.yaml",
    "workflows/market_expansion.yaml",
    "workflows/weekly_operations_review.yaml",
    "workflows/price_list.yaml",
    "workflows/customer_replies.yaml",
    "workflows/debt_reminders.yaml",
    "workflows/stock_reorder.yaml",
    "workflows/supplier_order.yaml",
    "workflows/cash_review.yaml",
    "workflows/product_launch.yaml",
    "workflows/opinion_survey.yaml",
    "workflows/job_advert.yaml",
    "workflows/power_cut_plan.yaml",
    "workflows/tender_checklist.yaml",
    "workflows/export_paperwork.yaml",
];

/// All shipped agents and workflows.
pub fn shipped() -> &'static Shipped {
    static SHIPPED: LazyLock<Shipped> = LazyLock::new(read);
    &SHIPPED
}

/// Tools the shipped agents are prepared for, installed or not.
pub(super) fn shipped_tools() -> &'static BTreeSet<String> {
    static TOOLS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        shipped()
            .agents
            .values()
            .flat_map(|agent| agent.tools.iter().cloned())
            .collect()
    });
    &TOOLS
}

/// A test holds that every shipped file can be read, so nothing is left out here.
fn read() -> Shipped {
    let mut shipped = Shipped::default();
    let documents = SHIPPED_FILES
        .iter()
        .filter_map(|file| parse(file.text.as_bytes()).ok())
        .flatten();
    for parsed in documents {
        match parsed.file {
            DefinitionFile::Agent(agent) => {
                shipped.agents.insert(agent.id.clone(), agent);
            }
            DefinitionFile::Workflow(workflow) => {
                shipped.order.push(workflow.id.clone());
                shipped
                    .workflows
                    .insert(workflow.id.clone(), (workflow, parsed.hash));
            }
        }
    }
    shipped
}
