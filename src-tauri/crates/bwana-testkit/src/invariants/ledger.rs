//! Money, tokens, calls and turns: what is settled and held back fits every limit whenever something is intended.

use std::collections::BTreeMap;

use bwana_types::definition::{Definition, RunLimits};
use bwana_types::entry::{Reserve, Seq};
use bwana_types::message::Usage;
use bwana_types::money::MicroUsd;

use super::steps::Defs;
use super::{Verdict, must};

/// The path of the run itself.
const RUN: &str = "";

/// What was spent and is held back, by step path; the run's own under [`RUN`].
#[derive(Debug, Default)]
pub(super) struct Books {
    accounts: BTreeMap<String, Account>,
    /// What open attempts hold back, and the accounts they do so in.
    held: BTreeMap<Seq, (Reserve, Vec<String>)>,
}

#[derive(Debug, Default)]
struct Account {
    limits: RunLimits,
    settled: i64,
    reserved: i64,
    tokens_settled: u64,
    tokens_reserved: u64,
    calls: u64,
    turns: u64,
}

impl Books {
    pub(super) fn new(definition: &Definition, defs: &Defs) -> Self {
        let mut books = Self::default();
        books.account(RUN).limits = definition.limits;
        for (path, (def, _)) in defs {
            books.account(path).limits = def.limits;
        }
        books
    }

    fn account(&mut self, path: &str) -> &mut Account {
        self.accounts.entry(path.to_owned()).or_default()
    }

    pub(super) fn limit_run(&mut self, limits: RunLimits) {
        self.raise(RUN, limits);
    }

    pub(super) fn raise(&mut self, path: &str, limits: RunLimits) {
        let old = &mut self.account(path).limits;
        old.micro_usd = limits.micro_usd.or(old.micro_usd);
        old.tokens = limits.tokens.or(old.tokens);
        old.calls = limits.calls.or(old.calls);
        old.turns = limits.turns.or(old.turns);
        old.elapsed_ms = limits.elapsed_ms.or(old.elapsed_ms);
    }

    /// One more attempt of a call in `step`; it must fit the run and every step around it.
    pub(super) fn hold(&mut self, call: Seq, step: &str, reserve: Reserve, defs: &Defs) -> Verdict {
        let chain = chain(step, defs);
        for path in &chain {
            let account = self.account(path);
            account.reserved += reserve.micro_usd.0;
            account.tokens_reserved += reserve.tokens;
            account.calls += 1;
            account.must_fit(path)?;
        }
        let before = self.held.insert(call, (reserve, chain));
        must!(before.is_none(), "a second attempt while the first is open");
        Ok(())
    }

    pub(super) fn turn(&mut self, step: &str, defs: &Defs) -> Verdict {
        for path in chain(step, defs) {
            let account = self.account(&path);
            account.turns += 1;
            let max = account.limits.turns;
            let fits = max.is_none_or(|max| account.turns <= u64::from(max));
            must!(
                fits,
                "turn {} of at most {max:?} in '{path}'",
                account.turns
            );
        }
        Ok(())
    }

    pub(super) fn settle(&mut self, call: Seq, usage: Usage, cost: Option<MicroUsd>) {
        for path in self.release(call) {
            let account = self.account(&path);
            account.settled += cost.unwrap_or_default().0;
            account.tokens_settled += usage.total_tokens();
        }
    }

    pub(super) fn release(&mut self, call: Seq) -> Vec<String> {
        let Some((reserve, chain)) = self.held.remove(&call) else {
            return Vec::new();
        };
        for path in &chain {
            let account = self.account(path);
            account.reserved -= reserve.micro_usd.0;
            account.tokens_reserved -= reserve.tokens;
        }
        chain
    }
}

impl Account {
    fn must_fit(&self, path: &str) -> Verdict {
        let money = self.settled + self.reserved;
        if let Some(max) = self.limits.micro_usd {
            must!(
                money <= max.0,
                "{money} micro-USD of at most {} in '{path}'",
                max.0
            );
        }
        let tokens = self.tokens_settled + self.tokens_reserved;
        if let Some(max) = self.limits.tokens {
            must!(
                tokens <= max,
                "{tokens} tokens of at most {max} in '{path}'"
            );
        }
        if let Some(max) = self.limits.calls {
            must!(
                self.calls <= u64::from(max),
                "call {} of at most {max} in '{path}'",
                self.calls
            );
        }
        Ok(())
    }
}

/// The run, then every step from `step` outwards.
fn chain(step: &str, defs: &Defs) -> Vec<String> {
    let mut chain = vec![RUN.to_owned()];
    let mut at = Some(step.to_owned());
    while let Some(path) = at {
        at = defs.get(&path).and_then(|(_, parent)| parent.clone());
        chain.push(path);
    }
    chain
}
