//! Commands about models on this machine: what there is and what fits, fetching with consent, measuring.

pub(crate) mod pull;

use std::path::PathBuf;

use bwana_api::HostOptions;
use bwana_api::command::{
    ModelsAdd, ModelsDefault, ModelsEmbed, ModelsList, ModelsMeasure, ModelsRemove,
};
use bwana_api::definitions::Nothing;
use bwana_api::models::{
    AddRequest, DefaultRequest, EmbedRequest, EmbedShown, MeasureShown, ModelList, ModelRefRequest,
    ModelShown, ModelStatus, Obstacle, Speed,
};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};

use crate::args::Models;
use crate::door::once;
use crate::lists::table;
use crate::out::Out;

/// What people call a gigabyte of memory.
const MEMORY_GB_BYTES: u64 = 1024 * 1024 * 1024;

pub(crate) async fn command(
    host: &HostOptions,
    out: &Out,
    models: &Models,
) -> Result<Ends, ApiError> {
    match models {
        Models::List => {
            let list = once::<ModelsList>(host, Nothing {}).await?;
            list.models.iter().for_each(|model| out.json(model));
            show_list(out, &list);
        }
        Models::Show { id } => show(out, &once::<ModelsList>(host, Nothing {}).await?, id)?,
        Models::Pull { id, yes } => return pull::pull(host, out, id.clone(), *yes).await,
        Models::Add { file } => {
            let file = std::path::absolute(file).unwrap_or_else(|_| PathBuf::from(file));
            let added = once::<ModelsAdd>(host, AddRequest { file }).await?;
            line(out, &added, "added");
            obstacles(out, &added);
        }
        Models::Remove { id } => {
            let removed = once::<ModelsRemove>(host, ModelRefRequest { id: id.clone() }).await?;
            line(out, &removed, "removed");
        }
        Models::Measure { id } => {
            let request = ModelRefRequest { id: id.clone() };
            measured(out, &once::<ModelsMeasure>(host, request).await?);
        }
        Models::Embed { id, texts } => {
            let request = EmbedRequest {
                id: id.clone(),
                texts: texts.clone(),
            };
            vectors(out, texts, &once::<ModelsEmbed>(host, request).await?);
        }
        Models::Default { model } => {
            let request = DefaultRequest {
                model: model.clone(),
            };
            let shown = once::<ModelsDefault>(host, request).await?;
            out.json(&shown);
            default_line(out, shown.default_model.as_deref());
        }
    }
    Ok(Ends::Done)
}

/// A row of figures a model, and under it, quieter, what it is good for and what stands in its way.
fn show_list(out: &Out, list: &ModelList) {
    let head = ["model", "size", "memory", "context", "licence", "speed"];
    let rows: Vec<[String; 6]> = list.models.iter().map(figures).collect();
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.max().unwrap_or(0).max(head[at].len())
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let laid = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).enumerate();
        let padded = padded.map(|(at, (cell, width))| match at {
            // Figures stand under each other by their last digit.
            1..=3 => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    out_people(out, &out.dim(&laid(&head.map(str::to_owned))));
    for (model, row) in list.models.iter().zip(&rows) {
        let text = laid(row);
        let rest = text.strip_prefix(row[0].as_str()).unwrap_or_default();
        out_people(out, &format!("{}{rest}", out.bold(&row[0])));
        out_people(
            out,
            &format!("  {} {}", state(out, model), out.dim(&good_for(model))),
        );
        for obstacle in &model.obstacles {
            // The processor is the same for all; it is said once, below.
            if !matches!(obstacle, Obstacle::Processor { .. }) {
                out_people(out, &format!("  {}", out.warn(&obstacle_words(obstacle))));
            }
        }
    }
    out_people(out, "");
    machine_lines(out, list);
    default_line(out, list.default_model.as_deref());
}

/// A line that a script does not need.
fn out_people(out: &Out, text: &str) {
    if !out.is_json() {
        out.line(text);
    }
}

fn figures(model: &ModelShown) -> [String; 6] {
    [
        model.id.clone(),
        size(model.size_bytes),
        memory(model.ram_min_bytes),
        model
            .context_tokens
            .map_or_else(dash, |tokens| tokens.to_string()),
        model
            .licence
            .clone()
            .unwrap_or_else(|| String::from("unknown")),
        model
            .speed
            .and_then(|speed| speed.generation_tokens_per_s)
            .map_or_else(dash, |rate| format!("{rate} tokens/s")),
    ]
}

fn state(out: &Out, model: &ModelShown) -> String {
    let mut words = Vec::new();
    match (model.status, model.partial_bytes) {
        (ModelStatus::Installed, _) => words.push(out.good("installed")),
        (ModelStatus::Available, Some(bytes)) => {
            words.push(format!("{} of it fetched", size(bytes)));
        }
        (ModelStatus::Available, None) => words.push(String::from("not installed")),
    }
    if model.is_default {
        words.push(out.good("default"));
    }
    if model.recommended {
        words.push(out.name("best for this machine"));
    }
    words.join(" · ")
}

fn good_for(model: &ModelShown) -> String {
    let words = match model.purpose.as_deref() {
        Some("starter") => "shows how everything works; poor answers",
        Some("light") => "real work with little memory",
        Some("everyday") => "everyday work",
        _ => return format!("· your own file, {}", kind(model)),
    };
    format!("· {words}")
}

/// What a file says of itself.
fn kind(model: &ModelShown) -> String {
    let parameters = model.parameters.map(|count| match count {
        count if count < 1_000_000_000 => format!("{} M parameters", count / 1_000_000),
        count => format!(
            "{}.{} B parameters",
            count / 1_000_000_000,
            count % 1_000_000_000 / 100_000_000
        ),
    });
    let words = [
        model.architecture.clone(),
        parameters,
        model.quantisation.clone(),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    if words.is_empty() {
        return String::from("of which nothing is known");
    }
    crate::stage::visible(&words.join(", "))
}

fn obstacle_words(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::Processor { missing } => format!(
            "no built-in model can run on this processor: it lacks {}",
            missing.join(", ")
        ),
        Obstacle::Memory {
            needed_bytes,
            has_bytes,
        } => format!(
            "does not fit: wants a machine with {} of memory, this one has {}",
            memory(*needed_bytes),
            memory(*has_bytes)
        ),
        Obstacle::Disk {
            needed_bytes,
            free_bytes,
        } => format!(
            "no room: needs {}, the disk has {} free; {} too few",
            size(*needed_bytes),
            size(*free_bytes),
            size(needed_bytes.saturating_sub(*free_bytes))
        ),
    }
}

fn machine_lines(out: &Out, list: &ModelList) {
    let machine = &list.machine;
    if !machine.missing_features.is_empty() {
        let obstacle = Obstacle::Processor {
            missing: machine.missing_features.clone(),
        };
        out.line(&out.warn(&obstacle_words(&obstacle)));
        out.line(&out.dim("  Connect another model with `bwana providers add`."));
        return;
    }
    let memory = machine
        .memory_bytes
        .map(|bytes| format!("{} memory", memory(bytes)));
    let disk = machine
        .free_disk_bytes
        .map(|bytes| format!("{} free", size(bytes)));
    let has: Vec<String> = [memory, disk].into_iter().flatten().collect();
    if let Some(best) = &machine.recommended {
        out.line(&out.dim(&format!("for this machine ({}): {best}", has.join(", "))));
    }
}

fn default_line(out: &Out, model: Option<&str>) {
    let model = model.unwrap_or("none");
    out.line(&out.dim(&format!("used when none is named: {model}")));
}

fn show(out: &Out, list: &ModelList, id: &str) -> Result<(), ApiError> {
    let model = list
        .models
        .iter()
        .find(|model| model.id == id)
        .ok_or_else(|| {
            let message = format!("there is no model called '{}'", crate::stage::visible(id));
            ApiError::new(ErrorCode::ModelUnknown, message)
        })?;
    out.json(model);
    let mut rows = vec![
        (
            "model",
            format!("{} {}", out.bold(&model.id), state(out, model)),
        ),
        ("title", model.title.clone()),
        ("publisher", model.publisher.clone().unwrap_or_else(dash)),
        (
            "licence",
            model
                .licence
                .clone()
                .unwrap_or_else(|| String::from("unknown")),
        ),
        ("kind", kind(model)),
        ("size", size(model.size_bytes)),
        (
            "memory",
            format!("a machine with {}", memory(model.ram_min_bytes)),
        ),
        ("context", context(model)),
        (
            "speed",
            model.speed.as_ref().map_or_else(
                || String::from("not measured yet; `bwana models measure` does"),
                speed,
            ),
        ),
        ("trust", trust(model).to_owned()),
        ("sha256", model.sha256.clone().unwrap_or_else(dash)),
        ("file", model.path.clone().unwrap_or_else(dash)),
    ];
    rows.extend(
        model
            .obstacles
            .iter()
            .map(|one| ("but", out.warn(&obstacle_words(one)))),
    );
    for (name, value) in rows {
        out_people(out, &format!("{} {value}", out.dim(&format!("{name:<9}"))));
    }
    Ok(())
}

fn context(model: &ModelShown) -> String {
    let given = model
        .context_tokens
        .map_or_else(dash, |tokens| format!("{tokens} tokens"));
    match model.trained_context_tokens {
        Some(trained) => format!("{given} (trained for {trained})"),
        None => given,
    }
}

fn trust(model: &ModelShown) -> &'static str {
    match (model.trust.as_deref(), &model.sha256) {
        (Some("pinned"), _) => "its checksum is the one this program knows",
        (Some("first_use"), _) => "trusted on first download; later ones must be the same file",
        (Some(_), _) => "you brought the file",
        (None, Some(_)) => "its checksum is known and will be checked",
        (None, None) if model.status == ModelStatus::Available => FIRST_USE,
        (None, None) => "nothing is recorded about this file",
    }
}

/// Said before anything is fetched.
const FIRST_USE: &str =
    "no checksum is known; the first download is trusted, later ones held to it";

fn speed(speed: &Speed) -> String {
    let rate = |rate: Option<f64>| rate.map_or_else(dash, |rate| format!("{rate} tokens/s"));
    format!(
        "reads {}, writes {} ({})",
        rate(speed.prompt_tokens_per_s),
        rate(speed.generation_tokens_per_s),
        match speed.calls {
            1 => String::from("one call"),
            calls => format!("over the last of {calls} calls"),
        }
    )
}

fn measured(out: &Out, shown: &MeasureShown) {
    out.json(shown);
    out_people(
        out,
        &format!("{} {}", out.bold(&shown.id), speed(&shown.speed)),
    );
    out_people(
        out,
        &out.dim(&format!(
            "{} tokens read and {} written in {}.{} s, with loading",
            shown.input_tokens,
            shown.output_tokens,
            shown.elapsed_ms / 1_000,
            shown.elapsed_ms % 1_000 / 100
        )),
    );
}

/// The vectors themselves are for scripts; people see how near the texts are to the first one.
fn vectors(out: &Out, texts: &[String], shown: &EmbedShown) {
    out.json(shown);
    let Some(first) = shown.vectors.first() else {
        return;
    };
    let rows = texts.iter().zip(&shown.vectors);
    let rows: Vec<Vec<String>> = rows
        .map(|(text, vector)| vec![format!("{:.3}", cosine(first, vector)), text.clone()])
        .collect();
    table(out, &["like the first", "text"], &rows);
    let note = format!("{} numbers a text; --json prints them", shown.dimensions);
    out_people(out, &out.dim(&note));
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let length = (dot(a, a) * dot(b, b)).sqrt();
    if length > 0.0 {
        dot(a, b) / length
    } else {
        0.0
    }
}

fn obstacles(out: &Out, model: &ModelShown) {
    for obstacle in &model.obstacles {
        out.aside(&out.warn(&format!("  {}", obstacle_words(obstacle))));
    }
}

fn line(out: &Out, model: &ModelShown, word: &str) {
    out.json(model);
    out.line(&format!("{} {word} ({})", model.id, size(model.size_bytes)));
}

fn dash() -> String {
    String::from("-")
}

pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0 => dash(),
        bytes if bytes < 1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        bytes if bytes < 1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        bytes => format!(
            "{}.{} GB",
            bytes / 1_000_000_000,
            bytes % 1_000_000_000 / 100_000_000
        ),
    }
}

fn memory(bytes: u64) -> String {
    let tenths = (bytes * 10).div_ceil(MEMORY_GB_BYTES);
    match tenths % 10 {
        0 => format!("{} GB", tenths / 10),
        tenth => format!("{}.{tenth} GB", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_as_people_say_them() {
        assert_eq!(size(0), "-");
        assert_eq!(size(98_362_432), "98 MB");
        assert_eq!(size(2_497_281_120), "2.4 GB");
        assert_eq!(memory(8 * MEMORY_GB_BYTES), "8 GB");
        assert_eq!(memory(MEMORY_GB_BYTES / 2), "0.5 GB");
    }

    #[test]
    fn every_obstacle_is_a_sentence_with_its_figures() {
        let check = |obstacle: Obstacle, want: &str| assert_eq!(obstacle_words(&obstacle), want);
        check(
            Obstacle::Disk {
                needed_bytes: 2_000_000_000,
                free_bytes: 500_000_000,
            },
            "no room: needs 2.0 GB, the disk has 500 MB free; 1.5 GB too few",
        );
        check(
            Obstacle::Memory {
                needed_bytes: 8 * MEMORY_GB_BYTES,
                has_bytes: 4 * MEMORY_GB_BYTES,
            },
            "does not fit: wants a machine with 8 GB of memory, this one has 4 GB",
        );
        check(
            Obstacle::Processor {
                missing: vec!["AVX2".into(), "FMA".into()],
            },
            "no built-in model can run on this processor: it lacks AVX2, FMA",
        );
    }
}
