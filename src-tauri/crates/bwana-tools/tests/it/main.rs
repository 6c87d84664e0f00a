//! The tools as the engine uses them: text of a model in, results, errors and effects out. Real files, real sockets.

// `cfg(test)` tells clippy that helpers here are test code, where `unwrap` is fine.
#[cfg(test)]
mod contract;
mod files;
#[cfg(test)]
mod files;
mod guard;
#[cfg(test)]
mod guard;
mod hostile_names;
#[cfg(test)]
mod hostile_names;
mod http_get;
#[cfg(test)]
mod http_get;
mod net;
#[cfg(test)]
mod net;
mod patterns;
mod policy;
#[cfg(test)]
mod policy;
mod races;
#[cfg(test)]
mod races;
mod ssrf;
#[cfg(test)]
mod ssrf;
mod support;
#[cfg(test)]
mod support;
mod tls;
#[cfg(test)]
mod tls;
mod webhook_send;
#[cfg(test)]
mod webhook_send;
