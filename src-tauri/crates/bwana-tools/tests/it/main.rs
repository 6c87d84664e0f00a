//! The tools as the engine uses them: text of a model in, results, errors and effects out. Real files, real sockets.

// `cfg(test)` tells clippy that helpers here are test code, where `unwrap` is fine.
#[cfg(test)]
mod contract;
#[cfg(test)]
mod files;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod hostile_names;
#[cfg(test)]
mod http_get;
#[cfg(test)]
mod net;
#[cfg(test)]
mod patterns;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod races;
#[cfg(test)]
mod ssrf;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod webhook_send;
