//! The words of agents on a terminal: one speaks at a time, the words of others wait until it is done. Knows calls and
//! their text, nothing of steps or money.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bwana_types::entry::Seq;

use crate::out::Out;
use crate::sentence;

/// Drawn one after the other while nobody speaks.
const FRAMES: [&str; 4] = ["·  ", "·· ", "···", "   "];
/// Frames of the drawing are changed every so many ticks.
const TICKS_A_FRAME: usize = 3;

pub(crate) struct Stage<'a> {
    out: &'a Out,
    /// Model calls under way.
    calls: BTreeMap<Seq, Speech>,
    /// Whole answers that wait until the stage is free.
    waiting: VecDeque<Speech>,
    /// The call whose words are being printed.
    on: Option<Seq>,
    /// The cursor stands behind printed words.
    mid_line: bool,
    ticks: usize,
}

struct Speech {
    /// Who speaks, as it is shown.
    name: String,
    /// The journal has told of this call: before that nobody knows whether its words are for people.
    known: bool,
    /// Words for the program, like the choice of a speaker.
    muted: bool,
    text: String,
    printed: usize,
    attempt: u32,
    /// Pieces were missed: the rest comes with the whole.
    broken: bool,
    since: Instant,
}

impl Speech {
    fn new() -> Self {
        Self {
            name: String::new(),
            known: false,
            muted: false,
            text: String::new(),
            printed: 0,
            attempt: 1,
            broken: false,
            since: Instant::now(),
        }
    }

    fn has_words(&self) -> bool {
        self.known && !self.muted && !self.text.trim().is_empty()
    }
}

impl<'a> Stage<'a> {
    pub(crate) fn new(out: &'a Out) -> Self {
        Self {
            out,
            calls: BTreeMap::new(),
            waiting: VecDeque::new(),
            on: None,
            mid_line: false,
            ticks: 0,
        }
    }

    /// A model is asked. Words of a muted call are not for people.
    pub(crate) fn begins(&mut self, call: Seq, name: String, muted: bool) {
        let speech = self.calls.entry(call).or_insert_with(Speech::new);
        speech.name = name;
        speech.known = true;
        speech.muted = muted;
        self.go_on();
    }

    /// A piece of an answer; `offset` is the bytes of this attempt before it.
    pub(crate) fn words(&mut self, call: Seq, attempt: u32, offset: u64, text: &str) {
        let speech = self.calls.entry(call).or_insert_with(Speech::new);
        if speech.attempt != attempt {
            speech.attempt = attempt;
            speech.text.clear();
            speech.printed = 0;
            speech.broken = false;
        }
        speech.broken |= usize::try_from(offset) != Ok(speech.text.len());
        if !speech.broken {
            speech.text.push_str(text);
        }
        if self.on == Some(call) {
            self.print_rest(call);
        } else {
            self.go_on();
        }
    }

    /// The whole answer is there.
    pub(crate) fn ends(&mut self, call: Seq, whole: &str) {
        let Some(mut speech) = self.calls.remove(&call) else {
            return;
        };
        let begun = speech.printed > 0;
        let printed = &speech.text[..speech.printed];
        if begun && let Some(rest) = whole.strip_prefix(printed) {
            let rest = rest.to_owned();
            self.indented(&rest);
        } else if begun {
            // What was seen on the way is not what was said in the end.
            self.say(&self.out.dim("    in full:"));
            self.indented(whole);
        } else if !speech.muted && !whole.trim().is_empty() {
            whole.clone_into(&mut speech.text);
            self.waiting.push_back(speech);
        }
        if self.on == Some(call) {
            self.leave();
        }
        self.go_on();
    }

    /// An attempt broke off: what was printed of it stands there, and another may begin.
    pub(crate) fn breaks(&mut self, call: Seq) {
        if self.on == Some(call) {
            self.leave();
        }
        if let Some(speech) = self.calls.get_mut(&call) {
            speech.text.clear();
            speech.printed = 0;
            speech.broken = false;
        }
    }

    /// The call is given up.
    pub(crate) fn drops(&mut self, call: Seq) {
        self.breaks(call);
        self.calls.remove(&call);
        self.go_on();
    }

    /// A line of the program itself, between what agents say.
    pub(crate) fn say(&mut self, text: &str) {
        self.end_line();
        self.out.line(text);
    }

    /// Everything that still waits, at the end.
    pub(crate) fn rest(&mut self) {
        self.leave();
        self.calls.clear();
        self.go_on();
    }

    /// Shows that work goes on, where nobody speaks.
    pub(crate) fn tick(&mut self) {
        self.ticks += 1;
        if self.mid_line || !self.ticks.is_multiple_of(TICKS_A_FRAME) {
            return;
        }
        let mut thinking = self.calls.values().filter(|speech| speech.known);
        let Some(first) = thinking.next() else {
            return;
        };
        let others = thinking.count();
        let who = if others == 0 {
            first.name.clone()
        } else {
            format!("{} and {others} more", first.name)
        };
        let frame = FRAMES[self.ticks / TICKS_A_FRAME % FRAMES.len()];
        let ms = i64::try_from(first.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        let text = format!("  {frame} {who}, {}", sentence::span(ms / 1_000 * 1_000));
        self.out.passing(&self.out.dim(&text));
    }

    /// Whoever waits longest takes a free stage.
    fn go_on(&mut self) {
        while self.on.is_none() {
            if let Some(speech) = self.waiting.pop_front() {
                self.announce(&speech.name);
                self.indented(&speech.text);
                self.end_line();
                continue;
            }
            let next = self.calls.iter().find(|(_, speech)| speech.has_words());
            let Some((call, name)) = next.map(|(call, speech)| (*call, speech.name.clone())) else {
                return;
            };
            self.on = Some(call);
            self.announce(&name);
            self.print_rest(call);
        }
    }

    fn leave(&mut self) {
        self.end_line();
        self.on = None;
    }

    fn announce(&mut self, name: &str) {
        self.end_line();
        self.out.line(&format!("  {}", self.out.name(name)));
    }

    fn print_rest(&mut self, call: Seq) {
        let Some(speech) = self.calls.get_mut(&call) else {
            return;
        };
        let rest = speech.text[speech.printed..].to_owned();
        speech.printed = speech.text.len();
        self.indented(&rest);
    }

    fn indented(&mut self, text: &str) {
        let mut shown = String::new();
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 {
                shown.push('\n');
                self.mid_line = false;
            }
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                continue;
            }
            if !self.mid_line {
                shown.push_str("    ");
                self.mid_line = true;
            }
            shown.push_str(&visible(line));
        }
        self.out.text(&shown);
    }

    fn end_line(&mut self) {
        if self.mid_line {
            self.out.text("\n");
            self.mid_line = false;
        }
    }
}

/// Text from outside must not steer the terminal, nor turn what stands there around.
pub(crate) fn visible(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\t' && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if steers(c) { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(
            visible("\u{1b}[2Jhello\u{7}\u{202e}"),
            "\u{fffd}[2Jhello\u{fffd}\u{fffd}"
        );
        assert_eq!(visible("a\tb\nمرحبا"), "a\tb\nمرحبا");
    }
}
