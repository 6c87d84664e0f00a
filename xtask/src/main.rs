//! `cargo xtask NAME`: the development tasks. Only reads the arguments; the work is in the library.

use std::process::ExitCode;

use anyhow::Context;
use xtask::{HELP, bench, bindings, dist, fixture, icons, say, start, test, tidy};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            say::problem(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    let (name, rest) = args
        .split_first()
        .map_or(("", args), |(name, rest)| (name, rest));
    match (name, rest) {
        ("start", words) => start::run(&start::Options::from_words(words)),
        ("test", []) => test::run(test::Extent::Slice),
        ("test", [full]) if full == "--full" => test::run(test::Extent::Full),
        ("tidy", []) => run_tidy(),
        ("bench", names) => bench::run(names),
        ("bindings", []) => bindings::run(bindings::Wish::Write),
        ("bindings", [check]) if check == "--check" => bindings::run(bindings::Wish::Check),
        ("fixture-home", words) if !words.is_empty() => fixture::run(words),
        ("dist", words) => dist::run(&dist::Options::from_words(words)?),
        ("icons", []) => {
            icons::write(&xtask::root().join("icons")).context("cannot draw the icons")?;
            Ok(ExitCode::SUCCESS)
        }
        ("" | "help" | "--help" | "-h", _) => {
            say::line(HELP);
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            say::problem(&format!("there is no task `{}`\n\n{HELP}", args.join(" ")));
            Ok(ExitCode::from(2))
        }
    }
}

fn run_tidy() -> anyhow::Result<ExitCode> {
    let report = tidy::check(&xtask::root()).context("cannot read the tree")?;
    for (file, lines) in &report.long_files {
        say::line(&format!("long: {file} has {lines} lines"));
    }
    for finding in &report.findings {
        say::line(&finding.to_string());
    }
    let found = report.findings.len();
    say::line(&format!("{} files, {found} findings", report.files));
    Ok(if found == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
