//! The interface in a browser of this machine: serves the built pages and the command table, on loopback only.
//!
//! What a web page could attack stands at the door, before anything is read: the name of the host, the origin, and the
//! token. A handler reaches the data folder only through [`gate::Authed`], which only the door makes. Who may do what is
//! decided in `bwana-api`; here a browser is a `LocalBrowser`, who never decides.

mod files;
mod gate;
mod host;
mod keys;
mod limits;
mod refuse;
mod rpc;
mod session;
mod ws;

pub use files::Ui;
pub use host::{Options, WebHost};
pub use limits::*;
