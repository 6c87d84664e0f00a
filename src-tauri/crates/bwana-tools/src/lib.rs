//! The tool contract, the registry, the policy and the built-in tools.
