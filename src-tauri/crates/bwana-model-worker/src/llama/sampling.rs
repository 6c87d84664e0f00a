//! Choosing the next token: freely, within a grammar, or on the shortest way to the grammar's end.

use bwana_llm::local::frame::{Constraint, Generate};
use bwana_types::model::ErrorKind;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;
use llama_cpp_2::token::logit_bias::LlamaLogitBias;

use super::Failure;

/// Tokens considered at all, the likeliest first.
const TOP_K: i32 = 40;
/// Tokens that together hold this share of the probability are considered.
const TOP_P: f32 = 0.95;
/// Tokens less likely than this share of the likeliest are not considered.
const MIN_P: f32 = 0.05;
/// Free text of a small model falls into loops without a gentle penalty on what it just said.
const REPEAT_PENALTY: f32 = 1.1;
/// How far back the penalty looks, in tokens.
const REPEAT_WINDOW_TOKENS: i32 = 64;
/// Where llama.cpp's grammar begins.
const GRAMMAR_ROOT: &str = "root";
/// What ends JSON soonest outside a string, in order of preference.
const CLOSERS: [&str; 5] = ["}", "]", ",", "0", "\""];
/// What ends a string.
const QUOTE: usize = 4;
/// The last output of the last batch.
const LAST: i32 = -1;

/// What of a model's vocabulary sampling needs to know, looked up once a model.
pub(crate) struct Vocabulary {
    /// Tokens that steer a chat and must not be written by the model, minus those that end it.
    forbidden: Vec<LlamaLogitBias>,
    ends: Vec<LlamaToken>,
    closers: [Option<LlamaToken>; CLOSERS.len()],
    size: i32,
}

impl Vocabulary {
    pub(crate) fn of(model: &LlamaModel) -> Self {
        let vocab = model.vocab();
        let mut forbidden = Vec::new();
        let mut ends = Vec::new();
        let mut closers: [Option<LlamaToken>; CLOSERS.len()] = [None; CLOSERS.len()];
        let mut piece = Vec::new();
        for token in vocab.tokens() {
            if vocab.is_eog(token) {
                ends.push(token);
                continue;
            }
            if vocab.is_control(token) {
                forbidden.push(LlamaLogitBias::new(token, f32::NEG_INFINITY));
                continue;
            }
            piece.clear();
            vocab.token_to_piece_into(token, &mut piece, false, None);
            if let Some(at) = CLOSERS.iter().position(|c| c.as_bytes() == piece) {
                closers[at].get_or_insert(token);
            }
        }
        Self {
            forbidden,
            ends,
            closers,
            size: vocab.n_tokens(),
        }
    }

    pub(crate) fn is_end(&self, token: LlamaToken) -> bool {
        self.ends.contains(&token)
    }
}

/// Chooses the tokens of one call.
pub(crate) struct Chooser {
    chain: LlamaSampler,
    grammar: Option<LlamaSampler>,
}

impl Chooser {
    /// # Errors
    /// `BadRequest` if llama.cpp does not accept the grammar.
    pub(crate) fn new(
        model: &LlamaModel,
        vocabulary: &Vocabulary,
        call: &Generate,
    ) -> Result<Self, Failure> {
        let grammar = call
            .constraint
            .as_ref()
            .map(|constraint| grammar(model, constraint))
            .transpose()?;
        let mut chain = vec![LlamaSampler::logit_bias(
            vocabulary.size,
            &vocabulary.forbidden,
        )];
        if call.constraint.is_none() {
            chain.push(LlamaSampler::penalties(
                vocabulary.size,
                REPEAT_WINDOW_TOKENS,
                REPEAT_PENALTY,
                0.0,
                0.0,
            ));
        }
        if call.temperature <= 0.0 {
            chain.push(LlamaSampler::greedy());
        } else {
            chain.extend([
                LlamaSampler::top_k(TOP_K),
                LlamaSampler::top_p(TOP_P, 1),
                LlamaSampler::min_p(MIN_P, 1),
                LlamaSampler::temp(call.temperature),
                LlamaSampler::dist(call.seed),
            ]);
        }
        Ok(Self {
            chain: LlamaSampler::chain(chain, true),
            grammar,
        })
    }

    /// The next token, already counted as said. Most choices fit the grammar anyway, so it is asked about one token
    /// first and about the whole vocabulary only if that one does not fit.
    pub(crate) fn next(
        &mut self,
        context: &LlamaContext<'_>,
        vocabulary: &Vocabulary,
    ) -> Result<LlamaToken, Failure> {
        let mut candidates = context.token_data_array_ith(LAST);
        candidates.apply_sampler(&mut self.chain);
        let mut token = candidates.selected_token().ok_or_else(nothing_left)?;
        if let Some(grammar) = &mut self.grammar
            && !fits(grammar, token)
        {
            let mut candidates = context.token_data_array_ith(LAST);
            candidates.apply_sampler(grammar);
            candidates.apply_sampler(&mut self.chain);
            token = candidates.selected_token().ok_or_else(nothing_left)?;
            if !fits(grammar, token) {
                return Err(nothing_left());
            }
        }
        self.accept(token, vocabulary)
    }

    /// The token that ends the JSON of the grammar soonest: an end, a closing mark, or else the longest piece that
    /// fits. Inside a string only a quote closes; a brace there would be one more character.
    pub(crate) fn next_towards_end(
        &mut self,
        context: &LlamaContext<'_>,
        model: &LlamaModel,
        vocabulary: &Vocabulary,
        in_string: bool,
    ) -> Result<LlamaToken, Failure> {
        let Some(grammar) = &mut self.grammar else {
            return self.next(context, vocabulary);
        };
        let closers = if in_string {
            &vocabulary.closers[QUOTE..]
        } else {
            &vocabulary.closers[..]
        };
        let shortest = vocabulary
            .ends
            .iter()
            .copied()
            .chain(closers.iter().copied().flatten())
            .find(|token| fits(grammar, *token));
        let token = match shortest {
            Some(token) => token,
            None => longest_that_fits(context, model, vocabulary, grammar)?,
        };
        self.accept(token, vocabulary)
    }

    fn accept(
        &mut self,
        token: LlamaToken,
        vocabulary: &Vocabulary,
    ) -> Result<LlamaToken, Failure> {
        if vocabulary.is_end(token) {
            return Ok(token);
        }
        self.chain.accept(token);
        if let Some(grammar) = &mut self.grammar {
            grammar.try_accept(token).map_err(|_| nothing_left())?;
        }
        Ok(token)
    }
}

fn grammar(model: &LlamaModel, constraint: &Constraint) -> Result<LlamaSampler, Failure> {
    LlamaSampler::grammar(model, &constraint.gbnf, GRAMMAR_ROOT).map_err(|error| {
        Failure::new(
            ErrorKind::BadRequest,
            format!("llama.cpp does not accept the grammar: {error}"),
        )
    })
}

fn fits(grammar: &mut LlamaSampler, token: LlamaToken) -> bool {
    let mut one = LlamaTokenDataArray::new(vec![LlamaTokenData::new(token, 1.0, 0.0)], false);
    one.apply_sampler(grammar);
    one.data
        .first()
        .is_some_and(|data| data.logit() > f32::NEG_INFINITY)
}

fn longest_that_fits(
    context: &LlamaContext<'_>,
    model: &LlamaModel,
    vocabulary: &Vocabulary,
    grammar: &mut LlamaSampler,
) -> Result<LlamaToken, Failure> {
    let mut candidates = context.token_data_array_ith(LAST);
    candidates.apply_sampler(grammar);
    let vocab = model.vocab();
    let forbidden = |token| vocab.is_control(token) && !vocabulary.is_end(token);
    candidates
        .data
        .iter()
        .filter(|data| data.logit() > f32::NEG_INFINITY && !forbidden(data.id()))
        .max_by(|a, b| {
            let bytes = |data: &LlamaTokenData| vocab.token_to_piece(data.id(), false, None).len();
            bytes(a)
                .cmp(&bytes(b))
                .then(a.logit().total_cmp(&b.logit()))
        })
        .map(LlamaTokenData::id)
        .ok_or_else(nothing_left)
}

fn nothing_left() -> Failure {
    Failure::new(
        ErrorKind::Server,
        "the grammar left the model no token to go on with",
    )
}
