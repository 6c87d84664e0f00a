//! The built-in local model as a child process: frames in on stdin, frames out on stdout, llama.cpp in between.
//!
//! It is its own program so that a crash in native code, an illegal instruction or a lack of memory ends this process
//! and nothing else. One thread reads frames, so that a cancel is seen within a token; the main thread computes.
//! When stdin ends, because the host closed it or died, so does this program.
//! The protocol is `bwana_llm::local::frame`; the host's side is `bwana_llm::local`.
//!
//! For the same reason pages of files are drawn here (`draw`): one process a page.

mod control;
mod cpu;
mod draw;
#[cfg(feature = "local-llm")]
mod kept;
#[cfg(feature = "local-llm")]
mod llama;
#[cfg(not(feature = "local-llm"))]
mod refuse;
#[cfg(feature = "local-llm")]
mod text;

use std::process::ExitCode;

use bwana_types::drawing::DRAW_FLAG;
use control::Control;

/// Given as the only argument, llama.cpp's own log goes to stderr.
const DEBUG_FLAG: &str = "--debug";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, rest @ ..] = words.as_slice()
        && flag == DRAW_FLAG
    {
        let word = |at: usize| rest.get(at).map(String::as_str);
        return draw::run(word(0), word(1));
    }
    let debug = words.iter().any(|word| word == DEBUG_FLAG);
    let cpu = cpu::look();
    let (control, requests) = Control::start(cpu.clone());
    run(&control, &requests, &cpu, debug);
    control.exit_code()
}

#[cfg(feature = "local-llm")]
fn run(
    control: &Control,
    requests: &control::Requests,
    cpu: &bwana_llm::local::frame::Cpu,
    debug: bool,
) {
    llama::run(control, requests, cpu, debug);
}

#[cfg(not(feature = "local-llm"))]
fn run(
    control: &Control,
    requests: &control::Requests,
    _cpu: &bwana_llm::local::frame::Cpu,
    _debug: bool,
) {
    refuse::run(control, requests);
}
