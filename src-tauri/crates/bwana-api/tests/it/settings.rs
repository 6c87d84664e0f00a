//! A settings file that is spoiled: a host that stays goes on with the last good one, says what is wrong, and puts it back.

use bwana_api::command::{SettingsRestore, SettingsSet, SettingsShow};
use bwana_api::definitions::Nothing;
use bwana_api::settings::SetRequest;
use bwana_api::{App, Mode};
use bwana_types::error::ErrorCode;
use serde_json::json;

use crate::common::{Home, PLAIN, call, settle, start};

#[tokio::test]
async fn a_host_that_stays_goes_on_with_the_last_good_settings_and_puts_them_back() {
    let home = Home::new();
    home.open(Mode::Own).close().await.unwrap();
    let file = home.path().join("settings.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    home.file("settings.toml", &format!("{good}\nlocale == \"sw\"\n"));
    let refused = App::open(home.host(), Mode::Drive).err().unwrap();
    assert_eq!(refused.code, ErrorCode::SettingsInvalid);

    let app = home.open(Mode::Own);
    let shown = call::<SettingsShow>(&app, Nothing {}).await.unwrap();
    let problem = shown.problem.unwrap();
    assert_eq!(problem.line, Some(good.lines().count() + 2), "{problem:?}");
    assert!(problem.can_restore);
    let run = start(&app, PLAIN).await.run;
    assert!(
        settle(&app, run).await.status.is_ended(),
        "its provider is known"
    );
    let language = SetRequest {
        key: String::from("language"),
        value: json!("sw"),
    };
    let refused = call::<SettingsSet>(&app, language.clone())
        .await
        .unwrap_err();
    assert_eq!(
        refused.code,
        ErrorCode::SettingsInvalid,
        "nothing is written over it"
    );

    let done = call::<SettingsRestore>(&app, Nothing {}).await.unwrap();
    assert!(
        std::fs::read_to_string(done.replaced)
            .unwrap()
            .contains("locale ==")
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), good);
    let shown = call::<SettingsShow>(&app, Nothing {}).await.unwrap();
    assert_eq!(shown.problem, None);
    call::<SettingsSet>(&app, language).await.unwrap();
    app.close().await.unwrap();
}
