//! What can be typed. The wording of help texts is the documentation most people read.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

mod care;
mod setup;

pub(crate) use care::{Profiles, Recover, RecoverFrom, Restore, Settings, Update};
pub(crate) use setup::{Budget, Egress, Models, ProviderAdd, Providers, Secrets, Serve, Tools};

/// A team of agents on your own machine.
#[derive(Debug, Parser)]
#[command(
    name = "bwana",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
#[command(
    after_help = "Examples:\n  bwana run business_setup --input \"A bakery in Kisumu\"\n  bwana ask \"What \
does a food permit need?\"\n  bwana tasks list\n\nExit codes: 0 done, 2 usage, 3 waiting for a person, 4 stopped by a \
limit, 5 failed,\n6 data folder in use, 130 cancelled."
)]
pub(crate) struct Args {
    /// The data folder [default: $BWANA_HOME, else the platform's own place]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// A profile: data of its own under a name [default: $BWANA_PROFILE, else the one without a name]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Print JSON Lines on stdout; words for people go to stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print without colours; the variable NO_COLOR does the same
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Tell more of what happens, on stderr
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Cli,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cli {
    /// Run a workflow, or a workflow file that is not imported
    Run(Run),
    /// Ask one agent, or the team
    Ask(Ask),
    /// List, follow, steer and fork runs
    ///
    /// A run is named by its id or by the last four or more characters of it.
    #[command(
        subcommand,
        after_help = "Examples:
  bwana runs list
  bwana runs show 7k3f
  bwana runs events 7k3f --follow
  bwana runs fork 7k3f --at 12 --edit edit.json
  bwana runs export 7k3f > run.json"
    )]
    Runs(Runs),
    /// List, check, import and export workflows
    #[command(subcommand)]
    Workflows(Workflows),
    /// List, import and export agents
    #[command(subcommand)]
    Agents(Agents),
    /// Answer what only a person can settle
    #[command(
        subcommand,
        after_help = "Examples:
  bwana tasks list
  bwana tasks approve 9qxp
  bwana tasks deny 9qxp --reason \"not before Monday\"
  bwana tasks resolve 9qxp happened

An answer is for exactly what was asked. The first one stands."
    )]
    Tasks(Tasks),
    /// What was allowed and forbidden beyond one call: list it, take it back
    #[command(subcommand)]
    Grants(Grants),
    /// Say what a wish would start, what it may cost and what will ask
    Plan(Plan),
    /// List tools, or use one by hand
    #[command(subcommand)]
    Tools(Tools),
    /// Add, test and remove model providers
    #[command(
        subcommand,
        after_help = "Examples:
  bwana providers add groq --key-env GROQ_API_KEY \\
      --model llama-3.3-70b-versatile --price-in 0.59 --price-out 0.79
  bwana providers add ollama --model qwen3:8b
  bwana providers test groq

A key stays in the environment, and only the name of its variable is kept (--key-env); or it is kept where
`bwana secrets` says (--key-stdin). It is never written to a file as it is."
    )]
    Providers(Providers),
    /// Where keys are kept: the system's keyring, an encrypted vault, or memory only
    #[command(
        subcommand,
        after_help = "Examples:
  bwana secrets show
  bwana secrets use keyring
  bwana secrets use vault --move    what the keyring holds goes along
  bwana secrets passphrase"
    )]
    Secrets(Secrets),
    /// Models on this machine: list, fetch, add, remove
    #[command(
        subcommand,
        after_help = "Examples:
  bwana models list
  bwana models pull                 the small starter model
  bwana models pull qwen3-1.7b
  bwana models add ~/Downloads/model.gguf
  bwana models measure qwen3-1.7b
  bwana models default groq/llama-3.3-70b-versatile"
    )]
    Models(Models),
    /// What today has cost, and what it may cost
    #[command(
        subcommand,
        after_help = "Examples:
  bwana budget show
  bwana budget set 2.50             a day, over all runs
  bwana budget set 1.00 --run 7k3f  one run, which then goes on with `bwana runs resume`"
    )]
    Budget(Budget),
    /// Find what was asked, said and written
    #[command(after_help = "Examples:
  bwana search invoice
  bwana search \"solar lamps\" --limit 50

Words may be begun only. Words in double quotes must stand as they are.")]
    Search {
        text: String,
        /// Hits of each kind
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// What days cost, by agent, model or workflow
    #[command(after_help = "Examples:
  bwana usage
  bwana usage --by model --from 2026-11-01")]
    Usage {
        /// The first day, like 2026-11-01 [default: thirty days ago]
        #[arg(long, value_name = "DAY")]
        from: Option<String>,
        /// The last day [default: today]
        #[arg(long, value_name = "DAY")]
        to: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        by: UsageBy,
    },
    /// Private hosts that tools may reach
    ///
    /// Tools reach public addresses only. Each entry opens one target in your own network, exactly.
    #[command(subcommand)]
    Egress(Egress),
    /// Own the data folder: resume every unfinished run and serve other commands
    ///
    /// Other commands find it by themselves. Ctrl-C or SIGTERM lets calls in flight settle for two seconds; runs go on
    /// when it is started again.
    Serve(Serve),
    /// Copy everything into a folder, checked
    ///
    /// The data folder may be in use meanwhile. The backup is one folder that `bwana restore` brings back whole.
    Backup {
        /// The folder to be made, or an existing one to put it into [default: the backups of the data folder]
        folder: Option<PathBuf>,
        /// List those that were made by themselves instead: by the app or `bwana serve`, once an hour
        #[arg(long, conflicts_with = "folder")]
        list: bool,
    },
    /// Bring a backup back: in the place of the data, beside it, or as a profile of its own
    ///
    /// Without an option the data is replaced by the backup; what was there is kept beside it. With `--profile NAME` that
    /// happens in the profile, which is made if there is none.
    #[command(after_help = "Examples:
  bwana restore backup --preview         what is in it, and what of it is here
  bwana restore backup --merge           take in what is not here; nothing of yours is changed
  bwana restore --undo                   take that back again, within 30 days
  bwana restore backup --profile shop    bring it back as a profile of its own")]
    Restore(Restore),
    /// Put a database that works in the place of a damaged one, which is set aside
    ///
    /// The new one is made from the newest backup that is whole, and from what can still be read of the damaged one.
    #[command(after_help = "Examples:
  bwana recover --look                what can be brought back
  bwana recover
  bwana recover --from backup         the backup alone")]
    Recover(Recover),
    /// The settings file: put back the last one that could be used
    #[command(subcommand)]
    Settings(Settings),
    /// Data under different names: runs, settings and backups of their own
    #[command(
        subcommand,
        after_help = "Examples:
  bwana profiles list
  bwana profiles create shop
  bwana --profile shop runs list"
    )]
    Profiles(Profiles),
    /// Check that everything stored is whole: pages, contents, journals, lists
    Verify {
        /// Also compute lists and sums anew from the journals
        #[arg(long)]
        rebuild: bool,
    },
    /// Newer versions of this program: what is known, asking, fetching, installing
    ///
    /// Nothing is asked, fetched or installed unless you say so. An installation waits until no run is under way, and
    /// makes a backup first.
    #[command(after_help = "Examples:
  bwana update                        what is known, without asking anybody
  bwana update check
  bwana update download
  bwana update install --wait
  bwana update install --back         to the version before this one")]
    Update {
        #[command(subcommand)]
        what: Option<Update>,
    },
    /// Look at this machine and say what is missing
    Doctor,
    /// What you may hand to somebody who helps: versions, settings, findings, the last log lines
    ///
    /// Without keys and without texts of runs. It is shown, or written into a file; nothing is sent anywhere.
    Diagnostics {
        /// A file that does not exist yet [default: print it]
        file: Option<PathBuf>,
    },
    /// What completes this program's words in your shell
    #[command(after_help = "Examples:
  bwana completions bash > ~/.local/share/bash-completion/completions/bwana
  bwana completions zsh > ~/.zfunc/_bwana
  bwana completions fish > ~/.config/fish/completions/bwana.fish

The packages for Linux bring them along.")]
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Man { folder: PathBuf },
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  bwana run business_setup --input \"A bakery in Kisumu\"
  bwana run plan.yaml --input @brief.txt --model groq/llama-3.3-70b --budget 0.50
  cat brief.txt | bwana run market_expansion --input - --json
  bwana run business_setup --input \"A bakery\" --detach

Ctrl-C cancels the run; what is done stays. A run that stands still goes on with `bwana runs resume ID`.")]
pub(crate) struct Run {
    /// The id of a workflow, or a file (.yaml, .yml or .json)
    pub(crate) workflow: String,
    /// What to do: TEXT, @FILE, or - for standard input
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) input: String,
    #[command(flatten)]
    pub(crate) options: Options,
    /// Start it at the owner of the data folder and return at once
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  bwana ask \"What does a food permit in Kisumu need?\"
  bwana ask \"Draft a reply to this complaint\" --agent customer_service")]
pub(crate) struct Ask {
    /// The question: TEXT, @FILE, or - for standard input
    pub(crate) text: String,
    /// The agent to ask; without it the team answers
    #[arg(long, value_name = "SLUG")]
    pub(crate) agent: Option<String>,
    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Options {
    /// PROVIDER/MODEL for every agent, instead of what their files say
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// What this run may cost at most, in US dollars
    #[arg(long, value_name = "USD")]
    pub(crate) budget: Option<String>,
    /// What to do when a person is needed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) approve: Approve,
    /// A rehearsal: nothing outside the run's own folder is changed; on the model of this machine unless --model names
    /// another
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum UsageBy {
    #[default]
    Agent,
    Model,
    Workflow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportAs {
    /// For reading and editing
    Markdown,
    /// One file for a browser
    Html,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Approve {
    /// Ask here, or wait
    #[default]
    Ask,
    /// Nobody is there: the answer is no
    Deny,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// Runs, newest first
    List {
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Only runs of this workflow
        #[arg(long)]
        workflow: Option<String>,
    },
    /// A run with its steps, cost and result
    Show { id: String },
    /// The journal of a run
    Events {
        id: String,
        /// The first entry wanted
        #[arg(long, default_value_t = 1, value_name = "SEQ")]
        from: u64,
        /// Go on until the run has ended
        #[arg(long)]
        follow: bool,
    },
    /// Let a paused or interrupted run go on
    Resume {
        id: String,
        #[arg(long, value_enum, default_value_t)]
        approve: Approve,
    },
    /// Start nothing more in a run; calls in flight finish
    Pause { id: String },
    /// End a run
    Cancel { id: String },
    /// Tell a run something; whoever speaks next hears it
    Say {
        id: String,
        /// TEXT, @FILE, or - for standard input
        text: String,
        /// When it is heard
        #[arg(long, value_enum, default_value_t)]
        when: When,
    },
    /// A new run that shares another's journal up to an entry
    Fork {
        id: String,
        /// The last entry that is shared
        #[arg(long, value_name = "SEQ")]
        at: u64,
        /// JSON like {"replace": 12, "text": "other words"}
        #[arg(long, value_name = "FILE")]
        edit: Option<PathBuf>,
    },
    /// Fold the journal again, with no call and no effect, and compare
    Replay { id: String },
    /// The whole run on stdout: as one JSON document that `import` takes, or written down for people
    Export {
        id: String,
        /// Markdown or HTML instead
        #[arg(long = "as", value_enum)]
        format: Option<ExportAs>,
    },
    /// Take an exported run in, paused
    Import { file: PathBuf },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// By the next model call
    #[default]
    Now,
    /// By the first model call of the next step
    AfterStep,
    /// When the run would end: its last speaker takes one more turn
    AtEnd,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Grants {
    /// What stands, newest first
    List {
        /// Also what was taken back or has expired
        #[arg(long)]
        all: bool,
    },
    /// Take one back; from then on it decides nothing
    Revoke { id: String },
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  bwana plan \"What does a food permit in Kisumu need?\"
  bwana plan \"/business_setup A bakery in Kisumu\"
  bwana plan \"@sales_marketing Write a slogan\"

Nothing is started and nobody is called.")]
pub(crate) struct Plan {
    /// The wish: TEXT, @FILE, or - for standard input; TEXT may begin with /WORKFLOW or @AGENT
    pub(crate) text: String,
    /// PROVIDER/MODEL for every agent
    #[arg(long)]
    pub(crate) model: Option<String>,
}

/// What else a yes or a never covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Covers {
    /// Exactly these arguments
    Exact,
    /// This address, whatever is sent there
    Address,
    /// Any address of this host
    Host,
    /// Any recipient of this mail domain
    Domain,
    /// Any file in this folder
    Folder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AllowIn {
    /// The rest of this run
    Run,
    /// Every run of this version of the workflow, for 30 days
    Workflow,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Workflows {
    /// Workflows there are
    List,
    /// A workflow as it stands
    Show { id: String },
    /// Check a file without importing it
    Validate { file: PathBuf },
    /// Take workflows and agents of a file in
    Import(Import),
    /// A workflow as a file on stdout
    Export { id: String },
    /// What a workflow is and was
    Versions {
        id: String,
        /// Print this version as a file
        #[arg(long, value_name = "VERSION")]
        show: Option<String>,
    },
    /// Put a version in force again; nothing is lost
    Restore { id: String, version: String },
    /// Take a workflow away; one that comes with the program is then as it came
    Remove { id: String },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Import {
    pub(crate) file: PathBuf,
    /// Refuse what exists already instead of replacing it
    #[arg(long)]
    pub(crate) only_new: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Agents {
    /// Agents there are
    List,
    /// An agent as it stands
    Show { id: String },
    /// Take a new agent in; refuses one that exists
    Create { file: PathBuf },
    /// Take agents and workflows of a file in
    Import(Import),
    /// An agent as a file on stdout
    Export { id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tasks {
    /// Open questions, newest first
    List {
        /// Also those that are decided
        #[arg(long)]
        all: bool,
    },
    /// A question in full
    Show { id: String },
    /// Yes, to exactly what is asked
    Approve {
        id: String,
        /// Allow later calls like it as well
        #[arg(long = "in", value_enum, value_name = "SCOPE")]
        scope: Option<AllowIn>,
        /// Which calls are like it
        #[arg(long, value_enum, default_value = "exact", requires = "scope")]
        covers: Covers,
        /// Arguments to use instead, as JSON
        #[arg(long, value_name = "JSON")]
        edit: Option<String>,
    },
    /// No
    Deny {
        id: String,
        /// Told to the agent
        #[arg(long, default_value = "")]
        reason: String,
        /// Deny later calls like it in this workflow as well, without asking
        #[arg(long)]
        never: bool,
        /// Which calls are like it
        #[arg(long, value_enum, default_value = "exact", requires = "never")]
        covers: Covers,
    },
    /// Answer an agent's question; for an effect that may have happened: done, again or give-up
    Answer { id: String, text: String },
    /// Settle an effect that may have happened
    Resolve {
        id: String,
        #[arg(value_enum)]
        outcome: Outcome,
        #[arg(long, default_value = "")]
        note: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Outcome {
    /// It did happen
    Happened,
    /// Do it once more, knowing that it may have happened
    SendAgain,
    /// It did not happen, and it should not
    GiveUp,
}
