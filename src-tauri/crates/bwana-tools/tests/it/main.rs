//! The tools as the engine uses them: text of a model in, results, errors and effects out. Real files, real sockets.

// `cfg(test)` tells clippy that helpers here are test code, where `unwrap` is fine.
#[cfg(test)]
mod files;
#[cfg(test)]
mod hostile_names;
#[cfg(test)]
mod races;
#[cfg(test)]
mod support;
