//! Commands about profiles.

use bwana_api::HostOptions;
use bwana_api::command::{ProfilesCreate, ProfilesList};
use bwana_api::definitions::Nothing;
use bwana_api::profiles::ProfileRef;
use bwana_types::error::{ApiError, ExitCode as Ends};

use crate::args::Profiles;
use crate::door::once;
use crate::out::Out;

/// How the profile without a name is listed.
const NAMELESS: &str = "(no name)";

pub(crate) async fn command(
    host: &HostOptions,
    out: &Out,
    command: &Profiles,
) -> Result<Ends, ApiError> {
    match command {
        Profiles::List => {
            let list = once::<ProfilesList>(host, Nothing {}).await?;
            for profile in &list.profiles {
                out.json(profile);
                let name = match profile.name.as_str() {
                    "" => NAMELESS,
                    name => name,
                };
                let mark = if profile.is_open { "*" } else { " " };
                out.line(&format!("{mark} {name:<20} {}", profile.path));
            }
        }
        Profiles::Create { name } => {
            let name = name.clone();
            let made = once::<ProfilesCreate>(host, ProfileRef { name }).await?;
            out.json(&made);
            out.line(&format!("Made the profile {} in {}.", made.name, made.path));
            let hint = format!(
                "Use it with `bwana --profile {}` in front of a command.",
                made.name
            );
            out.line(&out.dim(&hint));
        }
    }
    Ok(Ends::Done)
}
