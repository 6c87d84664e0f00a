//! The files people write, from bytes to a definition a run can be pinned to: read, check, resolve.
//!
//! [`parse`] turns bytes into agents and workflows and says everything that is wrong with their form; [`validate_agent`]
//! and [`validate_workflow`] say what is wrong with their meaning; [`resolve`] fills in every default. Nothing here
//! reads a disk, a clock or the network: hosts hand in bytes, [`render`] is given its variables.

mod ask;
mod issue;
mod original;
mod parse;
mod resolve;
mod schema;
mod shape;
mod shipped;
mod slug;
mod template;
mod tree;
mod trial;
mod validate;

pub use ask::{
    ASK_MAX_ROUND, Ask, AskPlan, Fit, WorkflowFit, ask_workflow, meant_workflow, route,
    route_workflows,
};
pub use issue::{DefinitionError, Issue, Path, Severity};
pub use original::is_original;
pub use parse::{
    DefinitionFile, Import, Parsed, check_size, import, parse, parse_agent, parse_workflow,
};
pub use resolve::{ResolveOptions, Resolved, resolve};
pub use schema::{SchemaFile, schemas};
pub use shipped::{SHIPPED_FILES, Shipped, ShippedFile, shipped};
pub use slug::{SLUG_MAX_CHARS, is_slug, slug};
pub use template::{RENDER_FUEL, RenderError, TEMPLATE_MAX_BYTES, check_template, render};
pub use trial::{PINNED_MAX_BYTES, Trial};
pub use validate::{Known, Limit, grammar_subset, validate_agent, validate_workflow};

/// Bytes a definition file may have.
pub const FILE_MAX_BYTES: usize = 1024 * 1024;
/// Documents (separated by `---`) a file may hold.
pub const DOCUMENTS_MAX: usize = 256;
/// Levels of lists and maps inside one another in a file.
pub const FILE_DEPTH_MAX: usize = 48;
/// Problems reported of one file; beyond that the list says only how many more there are.
pub const ISSUES_MAX: usize = 100;
