//! Development tasks as functions, so that tests can run what `cargo xtask` runs. Nothing here ships with the product.

pub mod bench;
pub mod bindings;
pub mod cargo;
pub mod dist;
pub mod fixture;
pub mod icons;
pub mod need;
pub mod say;
pub mod start;
pub mod test;
pub mod tidy;
pub mod ui;
pub mod wheel;

use std::path::PathBuf;

/// What there is to do, one task a line.
pub const HELP: &str = "\
cargo xtask start [-- WORDS]   set this machine up, build, and open the window; the words stand in its composer.
                               Without a screen, or with --terminal first, a team works through a business setup
                               in the terminal; the words say what for
cargo xtask test [--full]      everything that must hold, from a clean machine; --full with the published figures
cargo xtask tidy               the house rules: lengths, headers, words that do not belong
cargo xtask bench [NAME]       measured speed and size beside what is to be held; `ui`: of the window
cargo xtask bindings [--check] write the interface's shapes from the command table; --check says if they are stale
cargo xtask fixture-home FOLDER [--variant plain|empty|busy]
                               a data folder of invented businesses, the same whenever it is made
cargo xtask dist [--from FOLDER] [--into FOLDER]
                               packages for Linux (.deb, .rpm) in target/dist; --from takes programs built already
cargo xtask icons              draw the icons again";

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
