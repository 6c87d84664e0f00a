//! Chat messages into the tokens a model was trained to read.
//!
//! The template is rendered around placeholders and each message is tokenised on its own as plain text. So a message
//! that contains `<|im_end|>`, because a web page said so, stays text and cannot end its turn or speak as another.

use bwana_llm::local::frame::{ChatMessage, ChatRole};
use bwana_types::model::ErrorKind;
use llama_cpp_2::model::{LlamaChatMessage, LlamaChatTemplate, LlamaModel};
use llama_cpp_2::token::LlamaToken;

use super::Failure;

/// Templates that ask for this let a model think aloud first. A small local model has no tokens to spare for it.
const THINKING_SWITCH: &str = "enable_thinking";
/// What such a template writes itself when thinking is switched off.
const NO_THINKING: &str = "<think>\n\n</think>\n\n";

/// How a model's prompts are put together.
pub(crate) struct Template {
    own: Option<LlamaChatTemplate>,
    no_thinking: bool,
}

impl Template {
    pub(crate) fn of(model: &LlamaModel) -> Self {
        let own = model.chat_template(None).ok();
        let no_thinking = own
            .as_ref()
            .and_then(|template| template.to_str().ok())
            .is_some_and(|text| text.contains(THINKING_SWITCH));
        // llama.cpp recognises families of templates; one it does not know is served as ChatML.
        let known = own.filter(|template| {
            render(model, template, &[ChatRole::User])
                .and_then(|text| split(&text, 1))
                .is_some()
        });
        Self {
            own: known,
            no_thinking,
        }
    }

    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// The prompt as tokens, ending where the assistant begins to speak.
    pub(crate) fn tokens(
        &self,
        model: &LlamaModel,
        messages: &[ChatMessage],
    ) -> Result<Vec<LlamaToken>, Failure> {
        if messages.is_empty() {
            return Err(Failure::new(
                ErrorKind::BadRequest,
                "the request has no message",
            ));
        }
        let roles: Vec<ChatRole> = messages.iter().map(|message| message.role).collect();
        let mut pieces = self.pieces(model, &roles);
        if self.no_thinking
            && let Some(last) = pieces.last_mut()
        {
            last.push_str(NO_THINKING);
        }
        let vocab = model.vocab();
        let mut tokens = Vec::new();
        let bos = vocab.bos();
        if vocab.should_add_bos() {
            tokens.push(bos);
        }
        for (at, piece) in pieces.iter().enumerate() {
            vocab.tokenize_into(piece.as_bytes(), &mut tokens, false, true);
            if let Some(message) = messages.get(at) {
                vocab.tokenize_into(message.content.as_bytes(), &mut tokens, false, false);
            }
        }
        // Some templates write the first token themselves.
        if tokens.len() > 1 && tokens[0] == bos && tokens[1] == bos {
            tokens.remove(0);
        }
        Ok(tokens)
    }

    /// The text between the messages: one piece in front of each and one behind the last.
    fn pieces(&self, model: &LlamaModel, roles: &[ChatRole]) -> Vec<String> {
        self.own
            .as_ref()
            .and_then(|template| render(model, template, roles))
            .and_then(|text| split(&text, roles.len()))
            .unwrap_or_else(|| chatml(roles))
    }
}

fn placeholder(at: usize) -> String {
    // Private-use characters, which no template contains.
    format!("\u{e000}{at}\u{e001}")
}

fn render(model: &LlamaModel, template: &LlamaChatTemplate, roles: &[ChatRole]) -> Option<String> {
    let chat: Vec<LlamaChatMessage> = roles
        .iter()
        .enumerate()
        .map(|(at, role)| LlamaChatMessage::new(role.as_str().to_owned(), placeholder(at)))
        .collect::<Result<_, _>>()
        .ok()?;
    model.apply_chat_template(template, &chat, true).ok()
}

/// Cuts a rendered template at its placeholders; `None` if one is missing, doubled or out of order.
fn split(text: &str, messages: usize) -> Option<Vec<String>> {
    let mut pieces = Vec::with_capacity(messages + 1);
    let mut rest = text;
    for at in 0..messages {
        let (piece, after) = rest.split_once(&placeholder(at))?;
        pieces.push(piece.to_owned());
        rest = after;
    }
    pieces.push(rest.to_owned());
    let clean = |piece: &String| !piece.contains(['\u{e000}', '\u{e001}']);
    pieces.iter().all(clean).then_some(pieces)
}

/// ChatML, which most small models read.
fn chatml(roles: &[ChatRole]) -> Vec<String> {
    let mut pieces = Vec::with_capacity(roles.len() + 1);
    let mut before = "";
    for role in roles {
        pieces.push(format!("{before}<|im_start|>{}\n", role.as_str()));
        before = "<|im_end|>\n";
    }
    pieces.push(format!("{before}<|im_start|>assistant\n"));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_cut_at_its_placeholders() {
        let text = format!("<u>{}</u><a>{}</a><a>", placeholder(0), placeholder(1));
        assert_eq!(
            split(&text, 2),
            Some(vec!["<u>".into(), "</u><a>".into(), "</a><a>".into()])
        );
    }

    #[test]
    fn a_template_that_drops_doubles_or_moves_a_message_is_not_used() {
        let (zero, one) = (placeholder(0), placeholder(1));
        assert_eq!(split(&zero, 2), None);
        assert_eq!(split(&format!("{zero}{one}{zero}"), 2), None);
        assert_eq!(split(&format!("{one}{zero}"), 2), None);
    }

    #[test]
    fn chatml_has_a_piece_in_front_of_each_message_and_one_behind() {
        assert_eq!(
            chatml(&[ChatRole::System, ChatRole::User]),
            [
                "<|im_start|>system\n",
                "<|im_end|>\n<|im_start|>user\n",
                "<|im_end|>\n<|im_start|>assistant\n"
            ]
        );
    }
}
