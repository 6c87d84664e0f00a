//! Workflow definitions, their validation, and the pure run machine.
