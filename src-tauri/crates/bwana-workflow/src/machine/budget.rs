//! Reserving before spending: a call may only be intended if what is settled, what others hold back and what it may
//! cost itself fit every limit from the run down to its step.

use bwana_types::definition::{ModelRef, RunLimits};
use bwana_types::entry::{BudgetExhausted, Call, Reserve};
use bwana_types::message::Usage;
use bwana_types::model::MIN_MAX_OUTPUT_TOKENS;
use bwana_types::money::MicroUsd;
use bwana_types::status::BudgetLimit;

use super::place::Place;
use super::state::{Ledger, RunState};

/// Bytes of text that count as one token in an estimate: low, so that an estimate errs on the side of the budget.
pub(super) const BYTES_PER_TOKEN: u64 = 3;

/// What a model call may hold back.
#[derive(Debug, PartialEq)]
pub(super) enum Affordable {
    Yes {
        max_output_tokens: u32,
        reserve: Reserve,
    },
    /// A person must say whether to go on without a known price.
    PriceUnknown,
    No(BudgetExhausted),
}

/// The largest output a model call at `place` may ask for, up to `wanted`, and what it holds back.
pub(super) fn afford_model(
    state: &RunState,
    place: &Place,
    model: &ModelRef,
    prompt_bytes: u64,
    wanted: u32,
) -> Affordable {
    let input_tokens = prompt_bytes.div_ceil(BYTES_PER_TOKEN);
    let has_money_limit = limits_of(state, place).any(|(_, limits, _)| limits.micro_usd.is_some());
    if has_money_limit
        && !model.price.is_known()
        && !state.prices_accepted.contains(&model.provider)
    {
        return Affordable::PriceUnknown;
    }
    let reserve_for = |output: u32| Reserve {
        micro_usd: model
            .price
            .cost(input_tokens, u64::from(output))
            .unwrap_or(MicroUsd::ZERO),
        tokens: input_tokens.saturating_add(u64::from(output)),
        price_unknown: !model.price.is_known(),
    };
    let mut output = wanted;
    loop {
        let reserve = reserve_for(output);
        let Some(exhausted) = first_broken(state, place, reserve) else {
            return Affordable::Yes {
                max_output_tokens: output,
                reserve,
            };
        };
        let by_size = matches!(
            exhausted.limit,
            BudgetLimit::Tokens | BudgetLimit::RunMoney | BudgetLimit::StepMoney
        );
        if !by_size || output <= MIN_MAX_OUTPUT_TOKENS {
            return Affordable::No(exhausted);
        }
        output = (output / 2).max(MIN_MAX_OUTPUT_TOKENS);
    }
}

/// The first limit that one more tool call would break.
pub(super) fn afford_tool(state: &RunState, place: &Place) -> Option<BudgetExhausted> {
    first_broken(state, place, Reserve::default())
}

/// The first limit that one more turn would break.
pub(super) fn afford_turn(state: &RunState, place: &Place) -> Option<BudgetExhausted> {
    limits_of(state, place).find_map(|(_, limits, ledger)| {
        let max = limits.turns?;
        broken(
            BudgetLimit::Turns,
            1,
            i64::from(max) - i64::from(ledger.turns),
        )
    })
}

fn first_broken(state: &RunState, place: &Place, reserve: Reserve) -> Option<BudgetExhausted> {
    limits_of(state, place).find_map(|(money, limits, ledger)| {
        let money = limits.micro_usd.and_then(|max| {
            let left = max
                .saturating_sub(ledger.settled)
                .saturating_sub(ledger.reserved);
            broken(money, reserve.micro_usd.0, left.0)
        });
        let tokens = || {
            let used = ledger.tokens_settled.saturating_add(ledger.tokens_reserved);
            broken(
                BudgetLimit::Tokens,
                signed(reserve.tokens),
                signed(limits.tokens?) - signed(used),
            )
        };
        let calls = || {
            let used = i64::from(ledger.model_calls) + i64::from(ledger.tool_calls);
            broken(BudgetLimit::Calls, 1, i64::from(limits.calls?) - used)
        };
        money.or_else(tokens).or_else(calls)
    })
}

fn broken(limit: BudgetLimit, wanted: i64, left: i64) -> Option<BudgetExhausted> {
    (wanted > left).then_some(BudgetExhausted {
        limit,
        wanted,
        left: left.max(0),
    })
}

/// The limits and the ledger of the run, then of every step from the top to `place`.
fn limits_of<'a>(
    state: &'a RunState,
    place: &Place,
) -> impl Iterator<Item = (BudgetLimit, &'a RunLimits, &'a Ledger)> {
    let steps = place.chain(state).into_iter();
    std::iter::once((BudgetLimit::RunMoney, &state.limits, &state.ledger))
        .chain(steps.map(|step| (BudgetLimit::StepMoney, &step.limits, &step.ledger)))
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Ledger {
    pub(super) fn hold(&mut self, reserve: Reserve) {
        self.reserved = self.reserved.saturating_add(reserve.micro_usd);
        self.tokens_reserved = self.tokens_reserved.saturating_add(reserve.tokens);
    }

    /// Counts one attempt of a call.
    pub(super) fn count(&mut self, call: &Call) {
        match call {
            Call::Model(_) => self.model_calls += 1,
            Call::Tool(_) => self.tool_calls += 1,
        }
    }

    pub(super) fn release(&mut self, reserve: Reserve) {
        self.reserved = self.reserved.saturating_sub(reserve.micro_usd);
        self.tokens_reserved = self.tokens_reserved.saturating_sub(reserve.tokens);
    }

    /// Books what was spent; `None`: the price is unknown.
    pub(super) fn settle(&mut self, usage: Usage, cost: Option<MicroUsd>) {
        self.usage = self.usage.plus(usage);
        self.tokens_settled = self.tokens_settled.saturating_add(usage.total_tokens());
        match cost {
            Some(cost) => self.settled = self.settled.saturating_add(cost),
            None => self.price_unknown = true,
        }
    }
}
