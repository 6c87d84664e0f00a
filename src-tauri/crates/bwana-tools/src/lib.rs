//! What agents can do: the tool contract, the registry, the policy and the built-in tools.
//!
//! A model's wish passes through here in this order: [`Registry::validate_args`] turns the text it wrote into checked
//! arguments, [`policy::decide`] says whether it may, [`run::run`] does it within limits. The engine calls these and keeps
//! the journal; nothing here knows a run, a store or a clock.

pub mod args;
pub mod artifact;
pub mod builtin;
pub mod egress;
pub mod error;
mod html;
pub mod pattern;
pub mod policy;
pub mod registry;
pub mod run;
mod text;
pub mod tool;
pub mod visible;

pub use artifact::{ArtifactFolder, FolderError};
pub use builtin::builtin;
pub use egress::{Egress, EgressSettings};
pub use error::{Sent, ToolError};
pub use registry::Registry;
pub use run::run;
pub use tool::{Reach, Tool, ToolCtx, ToolOutput};
