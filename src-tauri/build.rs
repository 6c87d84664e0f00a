//! Build script of the shell: hands `tauri.conf.json` and `src-tauri/capabilities/` to the window system's own build
//! step. Without the window there is nothing to prepare.

fn main() {
    println!("cargo::rerun-if-changed=src-tauri/build.rs");
    #[cfg(feature = "desktop")]
    window::prepare();
}

#[cfg(feature = "desktop")]
mod window {
    use tauri_build::{AppManifest, Attributes};

    /// The one command a page may call; `src-tauri/capabilities` says which windows may.
    const COMMANDS: &[&str] = &["rpc"];

    pub(crate) fn prepare() {
        println!("cargo::rerun-if-changed=src-tauri/capabilities");
        println!("cargo::rerun-if-changed=ui/dist/index.html");
        let attributes = Attributes::new()
            .capabilities_path_pattern("./src-tauri/capabilities/**/*")
            .app_manifest(AppManifest::new().commands(COMMANDS));
        if let Err(error) = tauri_build::try_build(attributes) {
            panic!("the window cannot be prepared: {error:#}");
        }
    }
}
