//! What this machine offers a local model, and whether a model fits it. The reading is here once; the judgement is a pure
//! function over it, so that any machine can be tried in a test.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::catalogue::{Catalogue, Entry};

/// Memory a model needs beside its file, in percent of the file: context and working space.
const MEMORY_OVER_FILE_PERCENT: u64 = 50;
/// The rest of the machine needs this much memory as well, in bytes.
const MEMORY_OF_OTHERS_BYTES: u64 = 512 * 1024 * 1024;

/// A machine as far as models are concerned. What could not be read is `None` and stands in nobody's way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    pub memory_bytes: Option<u64>,
    /// On the disk of the models folder.
    pub free_disk_bytes: Option<u64>,
    /// Instruction sets the built-in runtime needs and the processor lacks.
    pub missing_features: Vec<String>,
}

/// Something that keeps a model from running here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Obstacle {
    /// The processor lacks instructions; no model of any size runs here.
    Processor {
        missing: Vec<String>,
    },
    Memory {
        needed_bytes: u64,
        has_bytes: u64,
    },
    Disk {
        needed_bytes: u64,
        free_bytes: u64,
    },
}

impl Machine {
    /// Looks at this machine. `models` may not exist yet: the disk of the nearest folder that does is meant.
    pub fn look(models: &Path) -> Self {
        let folder = models.ancestors().find(|folder| folder.is_dir());
        Self {
            memory_bytes: meminfo("MemTotal:"),
            free_disk_bytes: folder.and_then(|folder| fs4::available_space(folder).ok()),
            missing_features: missing_features().into_iter().map(str::to_owned).collect(),
        }
    }

    /// What stands in the way of a model of the catalogue that is `installed` or not.
    pub fn obstacles(&self, entry: &Entry, installed: bool) -> Vec<Obstacle> {
        let disk = if installed { 0 } else { entry.size_bytes };
        self.obstacles_to(entry.ram_min_bytes, disk)
    }

    /// The same for any model file that is here, of which only the size is known.
    pub fn obstacles_to_file(&self, file_bytes: u64) -> Vec<Obstacle> {
        self.obstacles_to(memory_for_file(file_bytes), 0)
    }

    fn obstacles_to(&self, memory_bytes: u64, disk_bytes: u64) -> Vec<Obstacle> {
        let mut found = Vec::new();
        if !self.missing_features.is_empty() {
            found.push(Obstacle::Processor {
                missing: self.missing_features.clone(),
            });
        }
        if let Some(has_bytes) = self
            .memory_bytes
            .filter(|has| !is_enough(*has, memory_bytes))
        {
            found.push(Obstacle::Memory {
                needed_bytes: memory_bytes,
                has_bytes,
            });
        }
        if let Some(free_bytes) = self.free_disk_bytes.filter(|free| *free < disk_bytes) {
            found.push(Obstacle::Disk {
                needed_bytes: disk_bytes,
                free_bytes,
            });
        }
        found
    }
}

/// The best model for a machine, by its memory; none where no model can run or nobody knows how much memory there is.
pub fn recommend<'c>(catalogue: &'c Catalogue, machine: &Machine) -> Option<&'c Entry> {
    let memory_bytes = machine
        .memory_bytes
        .filter(|_| machine.missing_features.is_empty())?;
    catalogue.best_for(memory_bytes)
}

/// A machine sold with 8 GB tells a little less, because the firmware keeps some: a sixteenth short still counts.
pub(super) fn is_enough(has_bytes: u64, needed_bytes: u64) -> bool {
    has_bytes.saturating_add(needed_bytes / 16) >= needed_bytes
}

/// Memory of the whole machine that a model file of this size wants.
pub fn memory_for_file(file_bytes: u64) -> u64 {
    let over = file_bytes / 100 * MEMORY_OVER_FILE_PERCENT;
    file_bytes
        .saturating_add(over)
        .saturating_add(MEMORY_OF_OTHERS_BYTES)
}

/// Memory that can be had now without pushing others out, where the system says so.
pub(super) fn available_memory_bytes() -> Option<u64> {
    meminfo("MemAvailable:")
}

fn meminfo(line: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|found| found.strip_prefix(line))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

/// The instruction sets llama.cpp is built to use here and this processor lacks.
#[cfg(target_arch = "x86_64")]
pub fn missing_features() -> Vec<&'static str> {
    lacking(&[
        ("AVX2", std::is_x86_feature_detected!("avx2")),
        ("FMA", std::is_x86_feature_detected!("fma")),
        ("F16C", std::is_x86_feature_detected!("f16c")),
        ("BMI2", std::is_x86_feature_detected!("bmi2")),
    ])
}

/// The instruction sets llama.cpp is built to use here and this processor lacks: none beyond what every one has.
#[cfg(not(target_arch = "x86_64"))]
pub fn missing_features() -> Vec<&'static str> {
    lacking(&[])
}

fn lacking(features: &[(&'static str, bool)]) -> Vec<&'static str> {
    features
        .iter()
        .filter_map(|(name, present)| (!present).then_some(*name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Catalogue;
    use super::*;

    const GIB: u64 = 1024 * 1024 * 1024;

    fn machine(memory_gib: u64, disk_gib: u64, missing: &[&str]) -> Machine {
        Machine {
            memory_bytes: Some(memory_gib * GIB),
            free_disk_bytes: Some(disk_gib * GIB),
            missing_features: missing.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn check(machine: &Machine, model: &str, installed: bool, want: &[&str]) {
        let entry = Catalogue::built_in().get(model).unwrap();
        let codes: Vec<String> = machine
            .obstacles(entry, installed)
            .iter()
            .map(|obstacle| {
                let json = serde_json::to_value(obstacle).unwrap();
                json["code"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(codes, want, "{machine:?} {model}");
    }

    #[test]
    fn each_obstacle_is_seen_by_itself_and_together() {
        let big = "qwen3-4b-instruct-2507";
        check(&machine(16, 100, &[]), big, false, &[]);
        check(&machine(4, 100, &[]), big, false, &["memory"]);
        check(&machine(16, 1, &[]), big, false, &["disk"]);
        check(&machine(16, 1, &[]), big, true, &[]);
        check(&machine(16, 100, &["AVX2"]), big, true, &["processor"]);
        check(
            &machine(4, 1, &["FMA"]),
            big,
            false,
            &["processor", "memory", "disk"],
        );
        check(&Machine::default(), big, false, &[]);
        check(&machine(2, 1, &[]), "smollm2-135m-instruct", false, &[]);
    }

    #[test]
    fn a_machine_sold_with_eight_gigabytes_counts_as_one() {
        let told = Machine {
            memory_bytes: Some(8 * GIB - 300 * 1024 * 1024),
            ..Machine::default()
        };
        check(&told, "qwen3-4b-instruct-2507", true, &[]);
        let seven = Machine {
            memory_bytes: Some(7 * GIB),
            ..Machine::default()
        };
        check(&seven, "qwen3-4b-instruct-2507", true, &["memory"]);
    }

    #[test]
    fn a_model_is_recommended_by_memory_and_only_where_it_can_run() {
        let check = |machine: Machine, want: Option<&str>| {
            let best = recommend(Catalogue::built_in(), &machine).map(|entry| entry.id.as_str());
            assert_eq!(best, want, "{machine:?}");
        };
        check(machine(32, 0, &[]), Some("qwen3-4b-instruct-2507"));
        check(machine(8, 0, &[]), Some("qwen3-4b-instruct-2507"));
        check(machine(6, 0, &[]), Some("qwen3-1.7b"));
        check(machine(4, 0, &[]), Some("qwen3-1.7b"));
        check(machine(2, 0, &[]), Some("smollm2-135m-instruct"));
        check(machine(0, 0, &[]), None);
        check(machine(32, 0, &["AVX2"]), None);
        check(Machine::default(), None);
    }

    #[test]
    fn what_a_processor_lacks_is_named() {
        assert_eq!(
            lacking(&[("AVX2", false), ("FMA", true), ("BMI2", false)]),
            ["AVX2", "BMI2"]
        );
        assert!(lacking(&[("AVX2", true)]).is_empty());
    }

    #[test]
    fn a_file_nobody_knows_wants_more_memory_than_its_size() {
        let machine = machine(2, 0, &[]);
        assert!(machine.obstacles_to_file(900_000_000).is_empty());
        let obstacles = machine.obstacles_to_file(2 * GIB);
        assert!(
            matches!(obstacles[..], [Obstacle::Memory { .. }]),
            "{obstacles:?}"
        );
    }
}
