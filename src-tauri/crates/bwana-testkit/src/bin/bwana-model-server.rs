//! The model server as a process of its own, for benches and scripts. Prints its port as the first line, then serves
//! until it is killed or, with `--until-stdin-closes`, until its parent is gone.
//!
//! `GET /__count` answers the counts as JSON; `POST /__hold`, `/__release?n=N` and `/__open` work the gate.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use bwana_testkit::fault::Faults;
use bwana_testkit::model_server::Options;
use bwana_testkit::script::Script;

const HELP: &str = "\
bwana-model-server [--port N] [--latency-ms N] [--between-ms N] [--deltas N] [--key KEY] [--model NAME]
                   [--fixed TEXT] [--fixed-deltas N]
                   [--script FILE.json] [--faults FILE.json] [--until-stdin-closes]
";

fn main() -> ExitCode {
    match serve(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "{message}\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn serve(mut args: impl Iterator<Item = String>) -> Result<(), String> {
    let mut options = Options::default();
    let mut until_stdin_closes = false;
    while let Some(arg) = args.next() {
        if arg == "--until-stdin-closes" {
            until_stdin_closes = true;
            continue;
        }
        let value = args.next().ok_or(format!("{arg} wants a value"))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| format!("{arg} wants a number, not '{value}'"))
        };
        match arg.as_str() {
            "--port" => options.port = number()?.try_into().map_err(|_| "no such port")?,
            "--latency-ms" => options.latency = Duration::from_millis(number()?),
            "--between-ms" => options.between = Duration::from_millis(number()?),
            "--deltas" => options.deltas = number()?.try_into().map_err(|_| "too many deltas")?,
            "--key" => options.key = Some(value),
            "--model" => options.models = vec![value],
            "--fixed" => options.fixed = Some(value),
            "--fixed-deltas" => {
                options.fixed_deltas = number()?.try_into().map_err(|_| "too many deltas")?;
            }
            "--script" => options.answers = std::sync::Arc::new(read::<Script>(&value)?),
            "--faults" => options.faults = Some(read::<Faults>(&value)?),
            _ => return Err(format!("unknown option {arg}")),
        }
    }
    let server = options
        .start()
        .map_err(|error| format!("cannot listen: {error}"))?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", server.address().port())
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("cannot say the port: {error}"))?;
    if until_stdin_closes {
        let _ = std::io::copy(&mut std::io::stdin().by_ref(), &mut std::io::sink());
        return Ok(());
    }
    loop {
        std::thread::park();
    }
}

fn read<T: serde::de::DeserializeOwned>(file: &str) -> Result<T, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{file}: {error}"))
}
