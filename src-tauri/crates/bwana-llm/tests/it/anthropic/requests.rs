//! Golden requests of the Anthropic dialect.
