//! Who asks, and what they may do: the one place that decides it. A host says who its caller is; a caller never says so
//! of itself.

use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::task::DecidedBy;

/// Through which door a command comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The command line, holding the data folder itself.
    LocalCli,
    /// The command line of the same person, over the owner's socket.
    LocalSocket,
    /// The window of the desktop app.
    LocalUi,
    /// A page in a browser on this machine, over the gateway.
    LocalBrowser,
    /// A test that stands in for the person, over the gateway: what [`Caller::LocalUi`] may. No program that ships serves
    /// as this one.
    LocalPerson,
}

impl Caller {
    /// Every caller there is, for tests and documentation.
    pub const ALL: &'static [Self] = &[
        Self::LocalCli,
        Self::LocalSocket,
        Self::LocalUi,
        Self::LocalBrowser,
        Self::LocalPerson,
    ];

    /// As journals and logs name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocalCli => "local_cli",
            Self::LocalSocket => "local_socket",
            Self::LocalUi => "local_ui",
            Self::LocalBrowser => "local_browser",
            Self::LocalPerson => "local_person",
        }
    }

    /// The door a human decision came through; `None` if this caller may not decide.
    pub const fn decides_as(self) -> Option<DecidedBy> {
        match self {
            Self::LocalCli | Self::LocalSocket => Some(DecidedBy::LocalCli),
            Self::LocalUi | Self::LocalPerson => Some(DecidedBy::LocalUi),
            Self::LocalBrowser => None,
        }
    }
}

/// What a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Look at runs, tasks, definitions and settings.
    Read,
    /// Start, steer and import.
    Work,
    /// Settle what only a person can settle.
    Decide,
    /// Change providers, models and budgets.
    Configure,
    /// Name files of this machine, open private hosts, replace the data.
    Machine,
}

/// # Errors
/// [`ErrorCode::PolicyNotYours`] if this caller may not.
pub fn check(caller: Caller, permission: Permission, command: &str) -> Result<(), ApiError> {
    if may(caller, permission) {
        return Ok(());
    }
    let message = match permission {
        Permission::Decide => String::from(
            "this can only be decided by the person at this machine, in the app or with `bwana tasks`",
        ),
        _ => format!(
            "{} may not use {command}; it is for the person at this machine",
            caller.as_str()
        ),
    };
    Err(ApiError::new(ErrorCode::PolicyNotYours, message))
}

fn may(caller: Caller, permission: Permission) -> bool {
    match (caller, permission) {
        (Caller::LocalCli | Caller::LocalSocket, _) => true,
        // Files and private hosts are named on the command line only, where a page cannot reach.
        (Caller::LocalUi | Caller::LocalPerson, Permission::Machine) => false,
        (Caller::LocalUi | Caller::LocalPerson, _) => true,
        (Caller::LocalBrowser, Permission::Read | Permission::Work) => true,
        (
            Caller::LocalBrowser,
            Permission::Decide | Permission::Configure | Permission::Machine,
        ) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_reads_and_works_but_never_decides_or_configures() {
        let browser = |permission| check(Caller::LocalBrowser, permission, "x");
        assert!(browser(Permission::Read).is_ok());
        assert!(browser(Permission::Work).is_ok());
        for permission in [
            Permission::Decide,
            Permission::Configure,
            Permission::Machine,
        ] {
            let refused = browser(permission).unwrap_err();
            assert_eq!(refused.code, ErrorCode::PolicyNotYours);
        }
    }

    #[test]
    fn whoever_may_decide_leaves_a_name_for_it() {
        for caller in Caller::ALL {
            let decides = check(*caller, Permission::Decide, "x").is_ok();
            assert_eq!(decides, caller.decides_as().is_some(), "{caller:?}");
        }
    }
}
