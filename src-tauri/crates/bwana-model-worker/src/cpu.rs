//! What this machine's processor can do, asked before any native code that needs it runs.

use bwana_llm::local::frame::Cpu;
use bwana_llm::local::machine::missing_features;

pub(crate) fn look() -> Cpu {
    Cpu {
        arch: std::env::consts::ARCH.to_owned(),
        physical_cores: u32::try_from(num_cpus::get_physical()).unwrap_or(1),
        missing: missing_features().into_iter().map(str::to_owned).collect(),
        can_run: cfg!(feature = "local-llm"),
    }
}

/// Threads to compute with: one physical core stays free for the rest of the machine, because two busy threads on
/// two busy cores were measured to be many times slower than one.
#[cfg(feature = "local-llm")]
pub(crate) fn default_threads(cpu: &Cpu) -> u32 {
    let allowed = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let usable = cpu
        .physical_cores
        .min(u32::try_from(allowed).unwrap_or(u32::MAX));
    usable.saturating_sub(1).max(1)
}

/// Why no model can run on this processor, if so.
#[cfg(feature = "local-llm")]
pub(crate) fn refusal(cpu: &Cpu) -> Option<String> {
    if cpu.missing.is_empty() {
        return None;
    }
    Some(format!(
        "the built-in model cannot run on this processor: it lacks {}; connect a model server or an online provider instead",
        cpu.missing.join(", ")
    ))
}

#[cfg(all(test, feature = "local-llm"))]
mod tests {
    use super::*;

    #[test]
    fn one_core_stays_free_and_one_thread_is_the_least() {
        let check = |physical_cores, most| {
            let cpu = Cpu {
                physical_cores,
                ..Cpu::default()
            };
            let threads = default_threads(&cpu);
            assert!((1..=most).contains(&threads), "{threads}");
        };
        check(0, 1);
        check(1, 1);
        check(2, 1);
        check(64, 63);
    }

    #[test]
    fn a_processor_without_the_instructions_is_told_what_it_lacks() {
        let old = Cpu {
            missing: vec!["AVX2".into(), "FMA".into()],
            ..Cpu::default()
        };
        let words = refusal(&old).unwrap();
        assert!(words.contains("it lacks AVX2, FMA"), "{words}");
        assert_eq!(refusal(&Cpu::default()), None);
    }
}
