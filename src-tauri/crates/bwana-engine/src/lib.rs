//! The runtime: performs what the run machine asks for, and writes everything down first.
