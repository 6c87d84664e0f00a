//! What `cargo xtask bindings [--check]` runs: writes the generated files below the folder given, or says which are stale.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let mut words = std::env::args().skip(1);
    let root = words.next().map(PathBuf::from);
    let root = root.ok_or_else(|| anyhow::anyhow!("say where the workspace is"))?;
    if words.next().as_deref() != Some("--check") {
        bwana_bindings::write(&root)?;
        return Ok(ExitCode::SUCCESS);
    }
    let stale = bwana_bindings::stale(&root)?;
    if stale.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let names: Vec<String> = stale
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    anyhow::bail!(
        "{} no longer fit the command table; run `cargo xtask bindings`",
        names.join(", ")
    )
}
