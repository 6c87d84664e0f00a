//! Words about the care of the data and of the program itself.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

#[derive(Debug, ClapArgs)]
pub(crate) struct Recover {
    /// Only say what can be brought back
    #[arg(long)]
    pub(crate) look: bool,
    /// What the new database is made of
    #[arg(long, value_enum, default_value_t, conflicts_with = "look")]
    pub(crate) from: RecoverFrom,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecoverFrom {
    /// The newest backup that is whole, and nothing else
    Backup,
    /// The same, and what can be read of the damaged database behind it
    #[default]
    Salvage,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Update {
    /// Ask whether there is a newer version
    Check,
    /// Fetch it; what was fetched before is continued
    Download,
    /// Make a backup and give the fetched version to the system, which asks you
    Install {
        /// Wait until the runs under way have ended
        #[arg(long)]
        wait: bool,
        /// Go back to the version that was installed before this one
        #[arg(long)]
        back: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Settings {
    /// Put back the last settings that could be used; the file as it is is kept beside them
    Restore,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Profiles {
    /// List them
    List,
    /// Make one
    Create {
        /// Lower-case letters, digits, - and _
        name: String,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Restore {
    /// A folder that `bwana backup` made
    #[arg(required_unless_present = "undo")]
    pub(crate) folder: Option<PathBuf>,
    /// Only say what is in it and how its runs stand to yours; with --undo, what would be lost
    #[arg(long, conflicts_with = "merge")]
    pub(crate) preview: bool,
    /// Take in the runs that are not here, and let those go on that went further there
    #[arg(long)]
    pub(crate) merge: bool,
    /// Bring back what was there before the last merge; what was done since is kept beside it
    #[arg(long, conflicts_with_all = ["folder", "merge"])]
    pub(crate) undo: bool,
}
