//! Settings, providers and where secrets come from.
