//! Measures the engine on the work the design's table names, with a model server in another process, and prints one JSON
//! object a line: `name`, `measured` (text for people), `held`, and the bare figures. `cargo xtask bench` shows the table.

mod cost;
mod llm;
mod local;
mod process;
mod scenarios;
mod search;
mod world;

use std::io::Write;

fn main() -> anyhow::Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if let [word, home, url] = names.as_slice()
        && word == process::CHILD
    {
        return process::child(home.as_ref(), url);
    }
    let mut stdout = std::io::stdout();
    for (name, scenario) in scenarios::ALL {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            let mut line = scenario()?;
            line["name"] = (*name).into();
            writeln!(stdout, "{line}")?;
        }
    }
    Ok(())
}
