//! Development tasks as functions, so that tests can run what `cargo xtask` runs. Nothing here ships with the product.

pub mod bench;
pub mod cargo;
pub mod icons;
pub mod need;
pub mod say;
pub mod start;
pub mod test;
pub mod tidy;
pub mod wheel;

use std::path::PathBuf;

/// The root of the workspace: where `Cargo.toml`, `README.md` and `docs/` are.
///
/// # Panics
/// Never: this package lies one folder below the root.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .map(PathBuf::from)
        .expect("xtask has a parent folder")
}
