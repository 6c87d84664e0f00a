//! Commands about secrets: where they are kept, and opening that place. A secret goes in and never comes out here.

use std::fmt;

use bwana_config::{PlaceKind, VAULT_FILE, probe};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::secret::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::app::App;
use crate::command::Ctx;
use crate::definitions::Nothing;

/// A secret on its way from a person to the owner of the data folder. It is written out for the owner's socket alone,
/// which only this user can open; nothing that is shown or kept may hold one.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(pub Secret);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretText".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "description": "a secret; never shown again", "writeOnly": true})
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretsShown {
    /// `keyring`, `vault` or `memory`; `null`: nobody has chosen, and nothing is kept.
    pub place: Option<String>,
    /// What this machine offers.
    pub offers: Vec<OfferShown>,
    /// What is kept there, by name; `null`: it is closed or cannot be read.
    pub names: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OfferShown {
    pub place: String,
    /// `ready`, `locked`, `new`, `unavailable` or `broken`.
    pub state: String,
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UseRequest {
    pub place: String,
    /// Of the vault: a new one is made with it.
    #[serde(default)]
    pub passphrase: Option<SecretText>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlockRequest {
    pub passphrase: SecretText,
}

pub(crate) async fn show(app: &App, _ctx: Ctx, _: Nothing) -> Result<SecretsShown, ApiError> {
    Ok(shown(app))
}

/// Chooses the place, makes the vault if that is what is chosen and there is none, and writes the choice down.
pub(crate) async fn choose(
    app: &App,
    _ctx: Ctx,
    request: UseRequest,
) -> Result<SecretsShown, ApiError> {
    let place: PlaceKind = request.place.parse()?;
    let secrets = app.secrets();
    secrets.choose(place);
    if place == PlaceKind::Vault {
        let passphrase = request
            .passphrase
            .as_ref()
            .ok_or_else(|| ApiError::new(ErrorCode::UsageInvalid, "a vault needs a passphrase"))?;
        if app.home().join(VAULT_FILE).exists() {
            secrets.unlock(Some(&passphrase.0))?;
        } else {
            secrets.create_vault(&passphrase.0)?;
        }
    } else {
        secrets.names()?;
    }
    app.settings_file().change(|settings| {
        settings.secrets.place = Some(place);
        Ok(())
    })?;
    Ok(shown(app))
}

pub(crate) async fn unlock(
    app: &App,
    _ctx: Ctx,
    request: UnlockRequest,
) -> Result<SecretsShown, ApiError> {
    app.secrets().unlock(Some(&request.passphrase.0))?;
    Ok(shown(app))
}

fn shown(app: &App) -> SecretsShown {
    let word = |state| {
        let value = serde_json::to_value(state).unwrap_or_default();
        value.as_str().unwrap_or_default().to_owned()
    };
    let offers = probe(app.home()).into_iter().map(|offer| OfferShown {
        place: offer.place.to_string(),
        state: word(offer.state),
        what: offer.what,
    });
    let secrets = app.secrets();
    let names = secrets.names().ok();
    SecretsShown {
        place: secrets.chosen_kind().map(|kind| kind.to_string()),
        offers: offers.collect(),
        names: names.map(|names| names.iter().map(ToString::to_string).collect()),
    }
}
