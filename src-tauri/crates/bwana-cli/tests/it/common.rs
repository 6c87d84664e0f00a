//! A fresh home with a model on loopback, and what the program said without what changes from run to run.

use bwana_testkit::model_server::{ModelServer, Options};
use bwana_testkit::{Bwana, Output, Script};

pub(crate) struct Stage {
    pub(crate) bwana: Bwana,
    pub(crate) model: ModelServer,
}

/// Three steps of one agent.
pub(crate) const NOTES: &str = r"
schema: bwana.agent/v1
id: writer
name: Writer
instructions: You write.
tools: [file.write]
---
schema: bwana.workflow/v1
id: notes
name: Notes
agents: [writer]
steps: [Collect, Write up]
";

pub(crate) fn bwana() -> Bwana {
    Bwana::new(env!("CARGO_BIN_EXE_bwana"))
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::answering(Script::default())
    }

    pub(crate) fn answering(script: Script) -> Self {
        Self::with(Options::scripted(script))
    }

    pub(crate) fn with(options: Options) -> Self {
        let model = options.start().unwrap();
        let bwana = bwana();
        bwana.add_provider("near", &model.url(), "scripted");
        Self { bwana, model }
    }

    /// Runs a command given as one line; words are split at spaces.
    pub(crate) fn run(&self, line: &str) -> Output {
        self.bwana.run(words(line))
    }

    /// Runs the file `text`, with more arguments.
    pub(crate) fn run_file(&self, text: &str, more: &str) -> Output {
        let file = self.bwana.file("work.yaml", text);
        let file = file.display().to_string();
        let args = ["run", &file, "--input", "A bakery"].into_iter();
        self.bwana.run(args.chain(words(more)))
    }
}

pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Everything on standard output.
pub(crate) fn text(output: &Output) -> String {
    output.lines.join("\n")
}
