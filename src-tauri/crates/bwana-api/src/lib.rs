//! The application boundary: one command table over everything below.
