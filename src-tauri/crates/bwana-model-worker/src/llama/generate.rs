//! One answer: read the prompt, as far as it is not known from an earlier call, then write token by token.

use std::time::Instant;

use bwana_llm::local::frame::{Finish, FromWorker, Generate, Timings};
use bwana_types::message::Usage;
use bwana_types::model::ErrorKind;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use super::sampling::{Chooser, Vocabulary};
use super::template::Template;
use super::{Failure, millis};
use crate::control::Control;
use crate::kept::{Kept, Plan};
use crate::text::{JsonPlace, TextOut};

/// A prompt that leaves less room for the answer than this, in tokens, is too long.
const ANSWER_MIN_TOKENS: usize = 32;

/// What happened to a call that did not fail.
pub(crate) struct Report {
    pub(crate) finish: Finish,
    pub(crate) usage: Usage,
    pub(crate) timings: Timings,
}

/// Writes answers with one model.
pub(crate) struct Writer<'m> {
    model: &'m LlamaModel,
    template: Template,
    vocabulary: Vocabulary,
    kept: Kept,
    batch: LlamaBatch<'static>,
    chunk_tokens: usize,
    /// Models with a running state instead of a cache of tokens cannot go back to a shared beginning.
    can_reuse: bool,
}

impl<'m> Writer<'m> {
    pub(crate) fn new(model: &'m LlamaModel, chunk_tokens: usize) -> Self {
        Self {
            model,
            template: Template::of(model),
            vocabulary: Vocabulary::of(model),
            kept: Kept::default(),
            batch: LlamaBatch::new(chunk_tokens, 1),
            chunk_tokens,
            can_reuse: !model.is_recurrent() && !model.is_hybrid(),
        }
    }

    pub(crate) fn has_own_template(&self) -> bool {
        self.template.is_own()
    }

    pub(crate) fn kept_prompts(&self) -> u32 {
        u32::try_from(self.kept.count()).unwrap_or(u32::MAX)
    }

    /// Writes one answer, sending its text as it comes.
    ///
    /// # Errors
    /// `ContextTooLong` before anything is computed, `BadRequest` for a grammar llama.cpp refuses, `Server` if
    /// computing failed; the cache is then emptied, because what it holds is no longer known.
    pub(crate) fn write(
        &mut self,
        context: &mut LlamaContext<'m>,
        control: &Control,
        call: &Generate,
    ) -> Result<Report, Failure> {
        let prompt = self.template.tokens(self.model, &call.messages)?;
        let capacity = context.n_ctx() as usize;
        let room = room_for_answer(prompt.len(), call.max_output_tokens as usize, capacity)?;
        let chooser = Chooser::new(self.model, &self.vocabulary, call)?;
        let result = self.read_and_write(context, control, call, &prompt, room, chooser);
        if result.is_err() {
            context.clear_kv_cache();
            self.kept.clear();
        }
        result
    }

    fn read_and_write(
        &mut self,
        context: &mut LlamaContext<'m>,
        control: &Control,
        call: &Generate,
        prompt: &[LlamaToken],
        room: usize,
        chooser: Chooser,
    ) -> Result<Report, Failure> {
        let started = Instant::now();
        let plan = self.make_ready(context, prompt, room)?;
        let whole = self.read_prompt(context, control, call.id, prompt, &plan)?;
        let mut report = Report {
            finish: Finish::Cancelled,
            usage: Usage {
                input_tokens: prompt.len() as u64,
                cached_tokens: plan.keep as u64,
                ..Usage::default()
            },
            timings: Timings {
                prompt_ms: millis(started),
                generate_ms: 0,
                reused_tokens: u32::try_from(plan.keep).unwrap_or(u32::MAX),
            },
        };
        if !whole {
            return Ok(report);
        }
        let started = Instant::now();
        let (finish, written) =
            self.write_answer(context, control, call, plan.place, room, chooser)?;
        report.finish = finish;
        report.usage.output_tokens = written as u64;
        report.timings.generate_ms = millis(started);
        Ok(report)
    }

    /// Moves the cache to where `prompt` can be read on.
    fn make_ready(
        &mut self,
        context: &mut LlamaContext<'m>,
        prompt: &[LlamaToken],
        room: usize,
    ) -> Result<Plan, Failure> {
        if !self.can_reuse {
            context.clear_kv_cache();
            self.kept.clear();
        }
        let numbers: Vec<i32> = prompt.iter().map(|token| token.0).collect();
        let plan = self.kept.plan(&numbers, room, context.n_ctx() as usize);
        let kept_here = if plan.copy_from.is_some() {
            0
        } else {
            plan.keep
        };
        let emptied = empty_from(context, plan.place, kept_here)?;
        if let Some(from) = plan.copy_from {
            let keep = u32::try_from(plan.keep).map_err(|_| out_of_range())?;
            let place = |at: usize| i32::try_from(at).map_err(|_| out_of_range());
            context
                .copy_kv_cache_seq(place(from)?, place(plan.place)?, Some(0), Some(keep))
                .map_err(|_| out_of_range())?;
        }
        for place in &plan.forget {
            empty_from(context, *place, 0)?;
        }
        if !emptied {
            // This kind of cache cannot forget only the end of a prompt; read it all again.
            empty_from(context, plan.place, 0)?;
            self.kept.clear_place(plan.place);
            return Ok(Plan { keep: 0, ..plan });
        }
        Ok(plan)
    }

    /// Reads the part of the prompt that is not known; false if the call was cancelled on the way.
    fn read_prompt(
        &mut self,
        context: &mut LlamaContext<'m>,
        control: &Control,
        id: u64,
        prompt: &[LlamaToken],
        plan: &Plan,
    ) -> Result<bool, Failure> {
        let of = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
        let mut at = plan.keep;
        for chunk in prompt[plan.keep..].chunks(self.chunk_tokens) {
            if control.should_stop(id) {
                return Ok(false);
            }
            self.read_chunk(context, plan.place, at, chunk)?;
            at += chunk.len();
            control.send(&FromWorker::Progress {
                id,
                read: u32::try_from(at).unwrap_or(u32::MAX),
                of,
            });
        }
        Ok(true)
    }

    fn read_chunk(
        &mut self,
        context: &mut LlamaContext<'m>,
        place: usize,
        at: usize,
        tokens: &[LlamaToken],
    ) -> Result<(), Failure> {
        let sequence = [i32::try_from(place).map_err(|_| out_of_range())?];
        self.batch.clear();
        for (offset, token) in tokens.iter().enumerate() {
            let position = i32::try_from(at + offset).map_err(|_| out_of_range())?;
            let last = offset + 1 == tokens.len();
            self.batch
                .add(*token, position, &sequence, last)
                .map_err(|error| Failure::new(ErrorKind::Server, error.to_string()))?;
        }
        context.decode(&mut self.batch).map_err(|error| {
            Failure::new(
                ErrorKind::Server,
                format!("llama.cpp could not compute: {error}"),
            )
        })?;
        for token in tokens {
            self.kept.push(place, token.0);
        }
        Ok(())
    }

    /// Writes up to `room` tokens; answers why it stopped and how many tokens it wrote.
    fn write_answer(
        &mut self,
        context: &mut LlamaContext<'m>,
        control: &Control,
        call: &Generate,
        place: usize,
        room: usize,
        mut chooser: Chooser,
    ) -> Result<(Finish, usize), Failure> {
        let closing = call
            .constraint
            .as_ref()
            .map_or(0, |constraint| constraint.closing_tokens as usize);
        let mut out = TextOut::new(&call.stop);
        let mut piece = Vec::new();
        let mut position = self.kept.len(place);
        let mut written = 0;
        let mut json = JsonPlace::default();
        let mut shortened = false;
        let finish = loop {
            if control.should_stop(call.id) {
                break Finish::Cancelled;
            }
            if written == room {
                break Finish::Length;
            }
            let token = if room - written <= closing {
                shortened = true;
                chooser.next_towards_end(context, self.model, &self.vocabulary, json.in_string())?
            } else {
                chooser.next(context, &self.vocabulary)?
            };
            if self.vocabulary.is_end(token) {
                break if shortened {
                    Finish::Length
                } else {
                    Finish::End
                };
            }
            written += 1;
            piece.clear();
            self.model
                .vocab()
                .token_to_piece_into(token, &mut piece, false, None);
            json.push(&piece);
            send_text(control, call.id, out.push(&piece));
            if out.stopped() {
                break Finish::StopText;
            }
            if written < room {
                self.read_chunk(context, place, position, &[token])?;
                position += 1;
            }
        };
        send_text(control, call.id, out.finish());
        Ok((finish, written))
    }
}

fn send_text(control: &Control, id: u64, text: String) {
    if !text.is_empty() {
        control.send(&FromWorker::Token { id, text });
    }
}

/// Tokens the answer may have: what was asked for, as far as the context reaches.
fn room_for_answer(prompt: usize, asked: usize, capacity: usize) -> Result<usize, Failure> {
    let left = capacity.saturating_sub(prompt);
    if left < ANSWER_MIN_TOKENS.min(asked.max(1)) {
        return Err(Failure::new(
            ErrorKind::ContextTooLong,
            format!(
                "the prompt has {prompt} tokens and the model's context holds {capacity}, with room for the answer"
            ),
        ));
    }
    Ok(asked.max(1).min(left))
}

/// Empties a place behind its first `keep` tokens; false if the cache can only be emptied as a whole.
fn empty_from(context: &mut LlamaContext<'_>, place: usize, keep: usize) -> Result<bool, Failure> {
    let place = u32::try_from(place).map_err(|_| out_of_range())?;
    let keep = u32::try_from(keep).map_err(|_| out_of_range())?;
    context
        .clear_kv_cache_seq(Some(place), Some(keep), None)
        .map_err(|_| out_of_range())
}

fn out_of_range() -> Failure {
    Failure::new(
        ErrorKind::Server,
        "a position is beyond what llama.cpp can count",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_without_room_for_an_answer_is_too_long_before_anything_is_computed() {
        let check = |prompt, asked, expected: Option<usize>| {
            assert_eq!(room_for_answer(prompt, asked, 1_000).ok(), expected);
        };
        check(100, 200, Some(200));
        check(900, 200, Some(100));
        check(968, 200, Some(32));
        check(969, 200, None);
        check(995, 3, Some(3));
        check(998, 3, None);
        check(999, 0, Some(1));
        check(1_000, 1, None);
        check(5_000, 1, None);
    }
}
