//! Build script of the shell. There is nothing to prepare until there is a window: then it hands `tauri.conf.json` and
//! `src-tauri/capabilities/` to the window system's own build step.

fn main() {
    println!("cargo::rerun-if-changed=src-tauri/build.rs");
}
