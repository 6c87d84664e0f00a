//! How fast models were on this machine: a rolling figure a model, kept beside the model files so that it survives a
//! restart and every program that uses the folder sees it. A lost figure costs nothing, so nothing here can fail a call.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// In the models folder.
const FILE: &str = "speeds.json";
/// A larger file is not ours.
const FILE_MAX_BYTES: u64 = 256 * 1024;
/// Models remembered; the least used go first.
const MODELS_MAX: usize = 256;
/// How much of the past remains after each call: about the last ten calls count.
const REMAINS: f64 = 0.9;
/// Fewer tokens say nothing about speed.
const TOKENS_MIN: u64 = 2;

/// What one call showed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sample {
    /// Tokens that were read anew, not those that were still in memory.
    pub(super) prompt_tokens: u64,
    pub(super) prompt: Duration,
    /// Tokens after the first one.
    pub(super) generated_tokens: u64,
    pub(super) generation: Duration,
}

/// Tokens a second, weighted by tokens over the last calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Speed {
    pub prompt_tokens_per_s: Option<f64>,
    pub generation_tokens_per_s: Option<f64>,
    /// Calls measured so far.
    pub calls: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Sums {
    prompt_tokens: f64,
    prompt_s: f64,
    generated_tokens: f64,
    generation_s: f64,
    calls: u64,
}

/// The figures of all models of a folder, by name. A file that is missing or unreadable is empty.
pub fn read(folder: &Path) -> BTreeMap<String, Speed> {
    let speeds = load(folder).into_iter();
    speeds.map(|(name, sums)| (name, sums.speed())).collect()
}

/// Adds a call. Two programs at once may lose one sample, never the file.
pub(super) fn record(folder: &Path, model: &str, sample: Sample) {
    let mut all = load(folder);
    if all.len() >= MODELS_MAX && !all.contains_key(model) {
        let least = all.iter().min_by_key(|(_, sums)| sums.calls);
        if let Some(name) = least.map(|(name, _)| name.clone()) {
            all.remove(&name);
        }
    }
    all.entry(model.to_owned()).or_default().add(sample);
    store(folder, &all);
}

/// Forgets a model whose file is gone.
pub(super) fn forget(folder: &Path, model: &str) {
    let mut all = load(folder);
    if all.remove(model).is_some() {
        store(folder, &all);
    }
}

impl Sample {
    /// The speed of this call alone.
    pub(super) fn speed(self) -> Speed {
        let mut sums = Sums::default();
        sums.add(self);
        sums.speed()
    }
}

impl Sums {
    fn add(&mut self, sample: Sample) {
        let roll = |tokens: &mut f64, seconds: &mut f64, more: u64, time: Duration| {
            if more >= TOKENS_MIN && !time.is_zero() {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a call has far fewer tokens than 2^52"
                )]
                let more = more as f64;
                *tokens = *tokens * REMAINS + more;
                *seconds = *seconds * REMAINS + time.as_secs_f64();
            }
        };
        roll(
            &mut self.prompt_tokens,
            &mut self.prompt_s,
            sample.prompt_tokens,
            sample.prompt,
        );
        roll(
            &mut self.generated_tokens,
            &mut self.generation_s,
            sample.generated_tokens,
            sample.generation,
        );
        self.calls = self.calls.saturating_add(1);
    }

    fn speed(&self) -> Speed {
        let rate = |tokens: f64, seconds: f64| {
            let rate = (tokens / seconds * 10.0).round() / 10.0;
            (seconds > 0.0 && rate.is_finite() && rate >= 0.0).then_some(rate)
        };
        Speed {
            prompt_tokens_per_s: rate(self.prompt_tokens, self.prompt_s),
            generation_tokens_per_s: rate(self.generated_tokens, self.generation_s),
            calls: self.calls,
        }
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

fn load(folder: &Path) -> BTreeMap<String, Sums> {
    let path = path(folder);
    let small = std::fs::metadata(&path).is_ok_and(|file| file.len() <= FILE_MAX_BYTES);
    let text = small.then(|| std::fs::read(&path).ok()).flatten();
    text.and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

fn store(folder: &Path, all: &BTreeMap<String, Sums>) {
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(all)?)?;
        file.persist(path(folder))?;
        Ok(())
    };
    if let Err(error) = write() {
        tracing::debug!(%error, "the speed of a model was not written down");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(prompt: u64, prompt_ms: u64, generated: u64, generation_ms: u64) -> Sample {
        Sample {
            prompt_tokens: prompt,
            prompt: Duration::from_millis(prompt_ms),
            generated_tokens: generated,
            generation: Duration::from_millis(generation_ms),
        }
    }

    fn rates(samples: &[Sample]) -> (Option<f64>, Option<f64>) {
        let mut sums = Sums::default();
        samples.iter().for_each(|sample| sums.add(*sample));
        let speed = sums.speed();
        (speed.prompt_tokens_per_s, speed.generation_tokens_per_s)
    }

    #[test]
    fn a_speed_is_tokens_by_seconds_and_follows_the_last_calls() {
        assert_eq!(rates(&[]), (None, None));
        assert_eq!(
            rates(&[sample(250, 1_000, 50, 2_000)]),
            (Some(250.0), Some(25.0))
        );
        assert_eq!(
            rates(&[sample(0, 10, 1, 10)]),
            (None, None),
            "too little to tell"
        );
        let slow_then_fast = [
            vec![sample(100, 1_000, 10, 1_000)],
            vec![sample(200, 1_000, 20, 1_000); 60],
        ]
        .concat();
        assert_eq!(rates(&slow_then_fast), (Some(200.0), Some(20.0)));
    }

    #[test]
    fn figures_survive_a_restart_and_damage_costs_only_them() {
        let folder = tempfile::tempdir().unwrap();
        record(folder.path(), "a", sample(250, 1_000, 50, 2_000));
        record(folder.path(), "b", sample(9, 1_000, 9, 1_000));
        let speeds = read(folder.path());
        assert_eq!(speeds["a"].generation_tokens_per_s, Some(25.0));
        assert_eq!(speeds["a"].calls, 1);
        forget(folder.path(), "b");
        assert_eq!(read(folder.path()).len(), 1);
        std::fs::write(path(folder.path()), "{\"a\": ").unwrap();
        assert!(read(folder.path()).is_empty());
        record(folder.path(), "a", sample(9, 1_000, 9, 1_000));
        assert_eq!(read(folder.path())["a"].calls, 1);
        record(&folder.path().join("not there"), "a", Sample::default());
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        for at in 0..MODELS_MAX + 3 {
            record(folder.path(), &format!("m{at}"), Sample::default());
        }
        assert_eq!(read(folder.path()).len(), MODELS_MAX);
    }
}
