//! Where an entry belongs: a step path like `material/en/r2`, found in a definition and in a state.

use std::sync::Arc;

use bwana_types::definition::{Definition, StepDef, Work};

use super::state::{Ledger, RunState, StepState};

/// A step, as positions from the top, and the turn in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    steps: Vec<usize>,
    /// From 1; 0 for the step itself.
    pub round: u32,
}

impl Place {
    /// Finds a path. `None` for the run itself and for a path this definition does not have.
    pub fn find(definition: &Definition, path: &str) -> Option<Self> {
        let mut steps = Vec::with_capacity(2);
        let mut siblings = definition.steps.as_slice();
        for segment in path.split('/') {
            if let Some(at) = siblings.iter().position(|step| step.id == segment) {
                siblings = match &siblings[at].work {
                    Work::Parallel(parallel) => &parallel.steps,
                    Work::Speak { .. } | Work::Chat(_) | Work::Pinned { .. } => &[],
                };
                steps.push(at);
            } else {
                let round = segment.strip_prefix('r')?.parse().ok()?;
                return (!steps.is_empty()).then_some(Self { steps, round });
            }
        }
        (!steps.is_empty()).then_some(Self { steps, round: 0 })
    }

    pub fn top(step: usize) -> Self {
        Self {
            steps: vec![step],
            round: 0,
        }
    }

    #[must_use]
    pub fn child(&self, step: usize) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step);
        Self { steps, round: 0 }
    }

    /// Whether this is a top-level step and not a branch.
    pub fn is_top(&self) -> bool {
        self.steps.len() == 1
    }

    /// The top-level step this place lies in.
    pub fn top_step(&self) -> usize {
        self.steps[0]
    }

    pub fn def<'a>(&self, definition: &'a Definition) -> &'a StepDef {
        let mut def = &definition.steps[self.steps[0]];
        for at in &self.steps[1..] {
            if let Work::Parallel(parallel) = &def.work {
                def = &parallel.steps[*at];
            }
        }
        def
    }

    pub fn step<'a>(&self, state: &'a RunState) -> &'a StepState {
        let top = &state.steps[self.steps[0]];
        self.steps[1..]
            .iter()
            .fold(top, |step, at| &step.children[*at])
    }

    pub fn step_mut<'a>(&self, state: &'a mut RunState) -> &'a mut StepState {
        let top = &mut state.steps[self.steps[0]];
        self.steps[1..]
            .iter()
            .fold(top, |step, at| &mut step.children[*at])
    }

    /// Every step from the top to here, outermost first.
    pub fn chain<'a>(&self, state: &'a RunState) -> Vec<&'a StepState> {
        let mut chain = vec![&state.steps[self.steps[0]]];
        for at in &self.steps[1..] {
            let inner = &chain[chain.len() - 1].children[*at];
            chain.push(inner);
        }
        chain
    }

    /// Every parallel step around this one, outermost first, with the position of the branch this place lies in.
    pub fn around(&self) -> impl Iterator<Item = (Self, usize)> + '_ {
        (1..self.steps.len()).map(|depth| {
            let steps = self.steps[..depth].to_vec();
            (Self { steps, round: 0 }, self.steps[depth])
        })
    }

    /// Whether this step and all around it are unfinished, so that a result still matters.
    pub fn is_open(&self, state: &RunState) -> bool {
        !self.chain(state).iter().any(|step| step.is_finished())
    }

    /// Changes the ledger of the run and of every step from the top to here.
    pub fn charge(&self, state: &mut RunState, change: impl Fn(&mut Ledger)) {
        change(&mut state.ledger);
        let mut step = &mut state.steps[self.steps[0]];
        change(&mut step.ledger);
        for at in &self.steps[1..] {
            step = &mut step.children[*at];
            change(&mut step.ledger);
        }
    }

    /// The path as text, with the turn if there is one.
    pub fn path(&self, definition: &Definition) -> Arc<str> {
        let mut path = String::with_capacity(32);
        let mut siblings = definition.steps.as_slice();
        for at in &self.steps {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(&siblings[*at].id);
            siblings = match &siblings[*at].work {
                Work::Parallel(parallel) => &parallel.steps,
                Work::Speak { .. } | Work::Chat(_) | Work::Pinned { .. } => &[],
            };
        }
        if self.round > 0 {
            path.push_str("/r");
            path.push_str(&self.round.to_string());
        }
        path.into()
    }

    #[must_use]
    pub fn with_round(&self, round: u32) -> Self {
        Self {
            steps: self.steps.clone(),
            round,
        }
    }
}
