//! Whether anything moves: a sliding window over what agents did and got. The same again is no progress.

use std::collections::VecDeque;

use bwana_types::entry::NoProgressStage;
use bwana_types::hash::Hash;

/// How many observations are remembered.
pub const WINDOW: usize = 12;
/// So many equal observations in the window, and the agent is warned.
pub const WARN_AT: usize = 3;
/// One more, and it must make a new plan.
pub const REPLAN_AT: usize = 4;
/// One more, and it is stopped.
pub const STOP_AT: usize = 5;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    window: VecDeque<Hash>,
    /// What the newest observation calls for, until it is noticed.
    pending: Option<(NoProgressStage, String)>,
    noticed: Option<NoProgressStage>,
}

impl Progress {
    /// Records an observation; `what` describes it to people and is only made when it is needed.
    pub fn observe(&mut self, fingerprint: Hash, what: impl FnOnce() -> String) {
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(fingerprint);
        let stage = match self
            .window
            .iter()
            .filter(|seen| **seen == fingerprint)
            .count()
        {
            n if n >= STOP_AT => NoProgressStage::Stop,
            n if n >= REPLAN_AT => NoProgressStage::Replan,
            n if n >= WARN_AT => NoProgressStage::Warn,
            _ => return,
        };
        self.pending = Some((stage, what()));
    }

    /// What should be noticed now.
    pub fn pending(&self) -> Option<(NoProgressStage, &str)> {
        self.pending
            .as_ref()
            .map(|(stage, what)| (*stage, what.as_str()))
    }

    pub fn notice(&mut self, stage: NoProgressStage) {
        self.pending = None;
        self.noticed = Some(stage);
    }

    /// Whether the detector has fired.
    pub fn fired(&self) -> bool {
        self.noticed.is_some()
    }

    pub fn must_stop(&self) -> bool {
        self.noticed == Some(NoProgressStage::Stop)
    }
}

/// What an agent is told at a stage.
pub fn note(stage: NoProgressStage, what: &str) -> String {
    match stage {
        NoProgressStage::Warn => {
            format!(
                "You have now done the same thing three times with the same result ({what}). Do something else."
            )
        }
        NoProgressStage::Replan => format!(
            "This does not move: {what}. Stop, write a new plan in three lines, and follow it without repeating that."
        ),
        NoProgressStage::Stop => format!("Stopped: {what}, again and again."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(observations: &[u8]) -> Vec<Option<NoProgressStage>> {
        let mut progress = Progress::default();
        observations
            .iter()
            .map(|byte| {
                progress.observe(Hash::of(&[*byte]), || "x".into());
                let stage = progress.pending().map(|(stage, _)| stage);
                if let Some(stage) = stage {
                    progress.notice(stage);
                }
                stage
            })
            .collect()
    }

    #[test]
    fn repetition_is_warned_then_replanned_then_stopped() {
        use NoProgressStage::{Replan, Stop, Warn};
        assert_eq!(
            stages(b"aaaaa"),
            [None, None, Some(Warn), Some(Replan), Some(Stop)]
        );
    }

    #[test]
    fn alternating_between_two_things_is_repetition_too() {
        assert_eq!(stages(b"ababa")[4], Some(NoProgressStage::Warn));
    }

    #[test]
    fn repetition_far_apart_is_none() {
        assert!(
            stages(b"a123456789012a123456789012a")
                .iter()
                .all(Option::is_none)
        );
    }
}
