//! Commands about secrets, and the questions for them: what is typed is never shown.

use std::io::IsTerminal;

use bwana_api::command::{SecretsPassphrase, SecretsShow, SecretsUnlock, SecretsUse};
use bwana_api::definitions::Nothing;
use bwana_api::secrets::{PassphraseRequest, SecretText, SecretsShown, UnlockRequest, UseRequest};
use bwana_api::{HostOptions, read_secret};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};
use bwana_types::secret::Secret;

use crate::args::Secrets;
use crate::door::once;
use crate::lists::table;
use crate::out::Out;

/// Names a file that holds the passphrase of the vault, for programs that start without a person.
const PASSPHRASE_FILE: &str = "BWANA_VAULT_PASSPHRASE_FILE";
const ASK_PASSPHRASE: &str = "Passphrase of the vault (it is not shown): ";

pub(crate) async fn command(
    host: &HostOptions,
    out: &Out,
    secrets: &Secrets,
) -> Result<Ends, ApiError> {
    let shown = match secrets {
        Secrets::Show => once::<SecretsShow>(host, Nothing {}).await?,
        Secrets::Use { place, take_along } => {
            let request = use_request(host, place, *take_along).await?;
            once::<SecretsUse>(host, request).await?
        }
        Secrets::Passphrase => {
            let request = PassphraseRequest {
                old: SecretText(passphrase()?),
                new: SecretText(new_passphrase()?),
            };
            once::<SecretsPassphrase>(host, request).await?
        }
        Secrets::Unlock => {
            let passphrase = SecretText(passphrase()?);
            once::<SecretsUnlock>(host, UnlockRequest { passphrase }).await?
        }
    };
    out.json(&shown);
    print(out, &shown);
    Ok(Ends::Done)
}

/// A vault that is made, opened or emptied needs its passphrase.
async fn use_request(
    host: &HostOptions,
    place: &str,
    take_along: bool,
) -> Result<UseRequest, ApiError> {
    let is_from_vault = match take_along {
        true => {
            let shown = once::<SecretsShow>(host, Nothing {}).await?;
            let has_vault = shown
                .offers
                .iter()
                .any(|offer| offer.place == "vault" && offer.state == "locked");
            let chosen = shown.place.as_deref();
            // Asked for again where it is chosen already, a move that was interrupted is finished.
            chosen == Some("vault") || (chosen == Some(place) && has_vault)
        }
        false => false,
    };
    let passphrase = match place == "vault" || is_from_vault {
        true => Some(SecretText(passphrase()?)),
        false => None,
    };
    Ok(UseRequest {
        place: place.to_owned(),
        passphrase,
        take_along,
    })
}

fn print(out: &Out, shown: &SecretsShown) {
    if !shown.moved.is_empty() {
        out.line(&format!("moved: {}", shown.moved.join(", ")));
    }
    if !shown.left_behind.is_empty() {
        let names = shown.left_behind.join(", ");
        out.line(&out.warn(&format!(
            "still at the old place too: {names}; it differs there, or could not be removed"
        )));
    }
    let here = |place: &str| shown.place.as_deref() == Some(place);
    let rows: Vec<Vec<String>> = shown
        .offers
        .iter()
        .map(|offer| {
            let mark = if here(&offer.place) { "used" } else { "" };
            vec![
                offer.place.clone(),
                mark.to_owned(),
                offer.state.clone(),
                offer.what.clone(),
            ]
        })
        .collect();
    table(out, &["place", "", "state", "what"], &rows);
    match (&shown.place, &shown.names) {
        (None, _) => out.line(&out.dim("Nobody has chosen yet: `bwana secrets use keyring`.")),
        (Some(_), None) => out.line(&out.dim("closed: `bwana secrets unlock` opens it")),
        (Some(_), Some(names)) if names.is_empty() => {
            out.line(&out.dim("nothing is kept there yet"))
        }
        (Some(_), Some(names)) => out.line(&format!("kept: {}", names.join(", "))),
    }
}

/// Opens the place before a secret for it is read: standard input can be read only once.
///
/// # Errors
/// If it is a vault and its passphrase is wrong.
pub(crate) async fn make_ready(host: &HostOptions) -> Result<(), ApiError> {
    let shown = once::<SecretsShow>(host, Nothing {}).await?;
    if shown.place.as_deref() == Some("vault") && shown.names.is_none() {
        open(host)?;
    }
    Ok(())
}

/// Opens a closed vault for this process, if its passphrase can be had. `false`: it cannot.
///
/// # Errors
/// If the passphrase is wrong.
pub(crate) fn open(host: &HostOptions) -> Result<bool, ApiError> {
    if passphrase_file().is_none() && !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    host.secrets.unlock(Some(&passphrase()?))?;
    Ok(true)
}

fn passphrase_file() -> Option<std::ffi::OsString> {
    std::env::var_os(PASSPHRASE_FILE).filter(|path| !path.is_empty())
}

fn passphrase() -> Result<Secret, ApiError> {
    let Some(path) = passphrase_file() else {
        return ask(ASK_PASSPHRASE);
    };
    let file = std::fs::File::open(&path).map_err(|error| {
        let message = format!("{PASSPHRASE_FILE} names a file that cannot be read: {error}");
        ApiError::new(ErrorCode::UsageInvalid, message)
    })?;
    Ok(read_secret(file)?)
}

/// A new passphrase: twice at a terminal, because nobody sees what they type.
fn new_passphrase() -> Result<Secret, ApiError> {
    let is_typed = std::io::stdin().is_terminal();
    if !is_typed && passphrase_file().is_none() {
        let message = format!("{PASSPHRASE_FILE} names no file with the old passphrase");
        return Err(ApiError::new(ErrorCode::UsageInvalid, message));
    }
    let new = ask("New passphrase (it is not shown): ")?;
    if is_typed && ask("The same again: ")? != new {
        let message = "the two are not the same; nothing was changed";
        return Err(ApiError::new(ErrorCode::UsageInvalid, message));
    }
    Ok(new)
}

/// A secret: typed without being shown at a terminal, else all of standard input.
///
/// # Errors
/// If it cannot be read, or is none.
pub(crate) fn ask(question: &str) -> Result<Secret, ApiError> {
    if !std::io::stdin().is_terminal() {
        return Ok(read_secret(std::io::stdin().lock())?);
    }
    let typed = rpassword::prompt_password(question).map_err(|error| {
        ApiError::new(
            ErrorCode::UsageInvalid,
            format!("nothing could be read from the terminal: {error}"),
        )
    })?;
    Ok(read_secret(Secret::new(typed).expose().as_bytes())?)
}
