//! `bwana settings`: putting back the last ones that could be used.

use bwana_api::Events;
use bwana_api::HostOptions;
use bwana_api::command::SettingsRestore;
use bwana_api::definitions::Nothing;
use bwana_api::settings::put_back;
use bwana_api::socket::Client;
use bwana_types::error::{ApiError, ExitCode as Ends};

use crate::args::Settings;
use crate::out::Out;

pub(crate) async fn command(
    host: &HostOptions,
    out: &Out,
    command: &Settings,
) -> Result<Ends, ApiError> {
    let Settings::Restore = command;
    // Whoever works with the settings is told; else the file is all there is.
    let done = match Client::connect(&host.home).await? {
        Some(owner) => {
            let events = Events::none();
            owner.call::<SettingsRestore>(&Nothing {}, &events).await?
        }
        None => put_back(host)?,
    };
    out.json(&done);
    out.line("Put the last settings back that could be used.");
    out.line(&out.dim(&format!("what was there before: {}", done.replaced)));
    Ok(Ends::Done)
}
