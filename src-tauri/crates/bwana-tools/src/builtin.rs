//! The tools every Bwana has. One file a tool.

use std::sync::Arc;

use crate::tool::Tool;

/// All built-in tools.
pub fn builtin() -> Vec<Arc<dyn Tool>> {
    Vec::new()
}
