//! Commands about secrets: where they are kept, and opening that place. A secret goes in and never comes out here.

use std::fmt;

use bwana_config::{PlaceKind, SecretName, probe};
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
    /// What this command has moved here, and what is still at the old place too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<String>,
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
    /// Of the vault that is involved: a new one is made with it.
    #[serde(default)]
    pub passphrase: Option<SecretText>,
    /// What is kept at the place before goes along.
    #[serde(default, rename = "move")]
    pub take_along: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassphraseRequest {
    pub old: SecretText,
    pub new: SecretText,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlockRequest {
    pub passphrase: SecretText,
}

pub(crate) async fn show(app: &App, _ctx: Ctx, _: Nothing) -> Result<SecretsShown, ApiError> {
    waiting(app, |app| Ok(shown(app))).await
}

/// Chooses the place, makes the vault if that is what is chosen and there is none, and writes the choice down.
pub(crate) async fn choose(
    app: &App,
    _ctx: Ctx,
    request: UseRequest,
) -> Result<SecretsShown, ApiError> {
    let place: PlaceKind = request.place.parse()?;
    if place == PlaceKind::Vault && request.passphrase.is_none() {
        let message = "a vault needs a passphrase";
        return Err(ApiError::new(ErrorCode::UsageInvalid, message));
    }
    waiting(app, move |app| {
        let passphrase = request.passphrase.as_ref().map(|text| &text.0);
        let take_along = request.take_along;
        let moved = app
            .secrets()
            .change_place(place, passphrase, take_along, || {
                app.settings_file().change(|settings| {
                    settings.secrets.place = Some(place);
                    Ok(())
                })?;
                Ok::<_, ApiError>(())
            })?;
        let names = |names: Vec<SecretName>| names.iter().map(ToString::to_string).collect();
        Ok(SecretsShown {
            moved: names(moved.moved),
            left_behind: names(moved.left_behind),
            ..shown(app)
        })
    })
    .await
}

pub(crate) async fn unlock(
    app: &App,
    _ctx: Ctx,
    request: UnlockRequest,
) -> Result<SecretsShown, ApiError> {
    waiting(app, move |app| {
        app.secrets().unlock(Some(&request.passphrase.0))?;
        Ok(shown(app))
    })
    .await
}

/// Encrypts the vault anew; the old passphrase opens it until the new one does.
pub(crate) async fn passphrase(
    app: &App,
    _ctx: Ctx,
    request: PassphraseRequest,
) -> Result<SecretsShown, ApiError> {
    waiting(app, move |app| {
        let secrets = app.secrets();
        secrets.change_passphrase(&request.old.0, &request.new.0)?;
        Ok(shown(app))
    })
    .await
}

/// Does what may wait for a keyring, a disk or a slow hash where waiting holds nobody up.
pub(crate) async fn waiting<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&App) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let app = app.clone();
    let done = tokio::task::spawn_blocking(move || work(&app)).await;
    done.unwrap_or_else(|error| Err(ApiError::new(ErrorCode::Internal, error.to_string())))
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
        moved: Vec::new(),
        left_behind: Vec::new(),
    }
}
