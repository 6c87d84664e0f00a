//! Commands about money: what today has cost and may cost, and topping up a run.

use bwana_types::definition::RunLimits;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::money::MicroUsd;
use bwana_workflow::machine::{Control, Input};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, time_zone};
use crate::command::Ctx;
use crate::definitions::Nothing;
use crate::quiet;
use crate::runs::{money, show_run};
use crate::shape::Dollars;
use crate::view::RunShown;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetShown {
    /// The calendar day, like `2026-11-25`.
    pub day: String,
    /// The zone whose days count.
    pub time_zone: String,
    /// US dollars the day may cost; `null`: no limit.
    pub limit: Option<Dollars>,
    pub spent: Dollars,
    /// Held back for calls in flight.
    pub reserved: Dollars,
    /// `null`: no limit.
    pub left: Option<Dollars>,
    /// Calls whose price nobody knows; their money is in no sum.
    pub unpriced_calls: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRequest {
    /// US dollars a day, like `2.50`; `null`: no limit.
    pub day_usd: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RaiseRequest {
    /// An id, or its last characters.
    pub run: String,
    /// The new limit of the whole run in US dollars.
    #[serde(default)]
    pub usd: Option<String>,
    #[serde(default)]
    pub tokens: Option<u64>,
    #[serde(default)]
    pub calls: Option<u32>,
    #[serde(default)]
    pub turns: Option<u32>,
    /// A duration, like `2h`.
    #[serde(default)]
    pub elapsed: Option<String>,
}

pub(crate) async fn show(app: &App, _ctx: Ctx, _: Nothing) -> Result<BudgetShown, ApiError> {
    let settings = app.settings();
    let time_zone = time_zone(&settings);
    let day = app.clock().now().day_in(&time_zone);
    let spent = match app.maybe_store() {
        Some(store) => store.day_spent(&day)?,
        None => bwana_store::DaySpent::default(),
    };
    let limit = settings.budget.day_usd;
    let left = limit.map(|limit| {
        let left = limit
            .saturating_sub(spent.settled)
            .saturating_sub(spent.reserved);
        Dollars(left.max(MicroUsd::ZERO))
    });
    Ok(BudgetShown {
        day,
        time_zone,
        limit: limit.map(Dollars),
        spent: Dollars(spent.settled),
        reserved: Dollars(spent.reserved),
        left,
        unpriced_calls: spent.unpriced_calls,
    })
}

pub(crate) async fn set(app: &App, ctx: Ctx, request: SetRequest) -> Result<BudgetShown, ApiError> {
    let limit = request.day_usd.as_deref().map(money).transpose()?;
    app.settings_file().change(|settings| {
        settings.budget.day_usd = limit;
        Ok(())
    })?;
    show(app, ctx, Nothing {}).await
}

pub(crate) async fn raise(
    app: &App,
    ctx: Ctx,
    request: RaiseRequest,
) -> Result<RunShown, ApiError> {
    let elapsed = request.elapsed.as_deref().map(|text| {
        text.parse::<bwana_types::time::Duration>()
            .map_err(|error| ApiError::new(ErrorCode::BudgetInvalid, error.to_string()))
    });
    let limits = RunLimits {
        micro_usd: request.usd.as_deref().map(money).transpose()?,
        tokens: request.tokens,
        calls: request.calls,
        turns: request.turns,
        elapsed_ms: elapsed.transpose()?.map(bwana_types::time::Duration::as_ms),
    };
    if limits == RunLimits::default() {
        let message = "no limit was named";
        return Err(ApiError::new(ErrorCode::BudgetInvalid, message)
            .with_hint("Say at least one, like `bwana budget set --run ID 2.50`."));
    }
    let run = app.find_run(&request.run)?;
    let by = ctx.caller.as_str();
    match app.engine_of_live(run) {
        Some(engine) => engine.raise(run, limits, by).await?,
        None => {
            let raise = Control::Raise {
                path: "".into(),
                limits,
                by: by.to_owned(),
            };
            quiet::steer(app, run, Input::Control(raise)).await?;
        }
    }
    show_run(app, run)
}
