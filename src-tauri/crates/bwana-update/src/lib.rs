//! New versions of the program: what may be believed about one, fetching it, and handing it to the system.
//!
//! A publisher signs a small manifest on a machine that is not on the network. Here it is asked for, its signature is
//! checked before it is read, and it is believed only if it is neither older than what is installed nor older than what
//! was seen before. The package it names is fetched beside the data, and nothing but its size and its sha256 decides
//! whether it is kept. Installing is the system's own work, which asks the person for it.
//!
//! Nothing here knows a run, a window or a setting: when to ask, and when not to install, its callers decide.

mod decide;
mod error;
mod http;
mod kept;
mod manifest;
mod shelf;
mod source;
mod system;
mod updater;
mod version;

pub use decide::{Decision, Seen, decide};
pub use error::{Refusal, UpdateError};
pub use kept::Kept;
pub use manifest::{
    FORMAT, MANIFEST_MAX_BYTES, Manifest, NOTES_MAX_BYTES, PACKAGE_MAX_BYTES, PACKAGES_MAX,
    Package, PackageKind,
};
pub use source::{SIGNATURE_COMMENT, SIGNATURE_MAX_BYTES, Signed, Source, TRUSTED_COMMENT};
pub use system::{HandOver, INSTALL_TIMEOUT, System, Way, quoted};
pub use updater::{
    FREE_MARGIN_BYTES, FreeSpace, Installed, Known, Offer, OnProgress, Progress, Stage, Staged,
    Updater,
};
pub use version::{BadVersion, Version};
