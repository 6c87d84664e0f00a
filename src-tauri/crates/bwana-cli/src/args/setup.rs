//! Words about what runs are made with: tools, providers, secrets, models, money, hosts.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Tools {
    /// Tools there are
    List,
    /// A tool with the schema of its arguments
    Show { id: String },
    /// Use a tool once, as yourself
    Call {
        id: String,
        /// The arguments as JSON
        args: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Providers {
    /// Providers that are set up
    List,
    /// Providers known by name, with their addresses, and where a key is to be had
    Presets,
    /// Add a provider, or change it
    Add(ProviderAdd),
    /// Ask it for one word and show what it says
    Test {
        name: String,
        #[arg(long)]
        model: Option<String>,
    },
    /// Remove a provider
    Remove { name: String },
    /// What each was asked, and what it cost
    Usage {
        name: Option<String>,
        /// So many days back
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
    },
    /// Ask a provider again at once that is left alone after failures
    Retry { name: String },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ProviderAdd {
    pub(crate) name: String,
    /// One of `bwana providers presets` [default: the one of this name, if no address is given]
    #[arg(long, value_name = "ID")]
    pub(crate) preset: Option<String>,
    /// What it speaks: openai, openai-responses, anthropic, gemini or ollama [default: as the preset, else openai]
    #[arg(long)]
    pub(crate) kind: Option<String>,
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The environment variable that holds the key
    #[arg(long, value_name = "VAR")]
    pub(crate) key_env: Option<String>,
    /// Read the key from standard input, and keep it where secrets are kept
    #[arg(long, conflicts_with = "key_env")]
    pub(crate) key_stdin: bool,
    /// The model to use when none is named
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// US dollars per million input tokens
    #[arg(long, value_name = "USD")]
    pub(crate) price_in: Option<String>,
    /// US dollars per million output tokens
    #[arg(long, value_name = "USD")]
    pub(crate) price_out: Option<String>,
    /// Tokens the model holds
    #[arg(long, value_name = "TOKENS")]
    pub(crate) context: Option<u32>,
    /// Agents get their compact instructions
    #[arg(long)]
    pub(crate) small: bool,
    /// Call tools through JSON of a given form
    #[arg(long)]
    pub(crate) constrained_tools: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Where they are kept, what this machine offers, and their names
    Show,
    /// Keep them there from now on
    Use {
        /// keyring, vault or memory
        place: String,
        /// Take along what is kept at the place before, and remove it there
        #[arg(long = "move")]
        take_along: bool,
    },
    /// Change the passphrase of the vault
    ///
    /// Without a terminal the old one is read from the file that BWANA_VAULT_PASSPHRASE_FILE names, and the new one from
    /// standard input.
    Passphrase,
    /// Open the vault of the program that works on runs
    Unlock,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// Models on this machine, and those that can be fetched
    List,
    /// Everything about one model
    Show { id: String },
    /// Fetch a model; without an id the starter model
    Pull {
        id: Option<String>,
        /// Do not ask before downloading
        #[arg(long, short)]
        yes: bool,
    },
    /// Take a model file (.gguf) in
    Add { file: PathBuf },
    /// Delete a model file, or what a broken download left of it
    Remove { id: String },
    /// Measure how fast a model is on this machine
    Measure { id: String },
    /// Turn texts into vectors with a model; --json prints them
    Embed {
        id: String,
        #[arg(required = true)]
        texts: Vec<String>,
    },
    /// The model for everything that names none; without one, choose by itself again
    Default { model: Option<String> },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Budget {
    /// Today's money
    Show,
    /// Set what a day may cost (USD or none), or top up a run
    Set {
        /// US dollars a day, or `none`; for a run, its new limit
        usd: Option<String>,
        /// Top up this run instead of the day
        #[arg(long, value_name = "ID")]
        run: Option<String>,
        #[arg(long, requires = "run")]
        tokens: Option<u64>,
        #[arg(long, requires = "run")]
        calls: Option<u32>,
        #[arg(long, requires = "run")]
        turns: Option<u32>,
        /// A duration like 2h
        #[arg(long, requires = "run")]
        elapsed: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Egress {
    /// Private hosts that are open to tools
    List,
    /// Open one private HOST:PORT to tools
    Allow { host: String },
    /// Close it again
    Forbid { host: String },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Serve {
    /// Where the interface is served, on 127.0.0.1 only; 0 for any free port
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub(crate) port: u16,
    /// The folder of the built interface, if it is not the one that belongs to this program
    #[arg(long, value_name = "FOLDER")]
    pub(crate) ui: Option<PathBuf>,
    /// Only the owner's socket, no interface in a browser
    #[arg(long, conflicts_with_all = ["port", "ui"])]
    pub(crate) no_gateway: bool,
    /// End after a minute without work or connections: for an owner that `run --detach` has started
    #[arg(long, hide = true)]
    pub(crate) exit_when_idle: bool,
}
