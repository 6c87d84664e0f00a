//! A request into what the worker takes: chat messages a small model understands, and the grammar it is held to.
//!
//! Small models use the tool formats of chat templates badly, so tools go through one small protocol of our own:
//! the answer is `{"say":...}` or `{"tool":NAME,"args":{...}}`, and the grammar allows nothing else. How such an
//! answer is read back is `answer`'s. Pure.

use std::fmt::Write as _;

use bwana_types::message::{Message, Part, Role};
use bwana_types::model::{ErrorKind, LlmError, OutputSchema, Request, ToolChoice, ToolDecl};
use serde_json::Value;

use super::answer::Form;
use super::frame::{ChatMessage, ChatRole, Constraint};
use super::grammar::{Field, SchemaError, Shape, Shapes, grammar_of, shapes_of, signature};

/// Keys of the protocol; the grammar and the reading of answers agree through them.
pub(super) const SAY: &str = "say";
pub(super) const TOOL: &str = "tool";
pub(super) const ARGS: &str = "args";
/// What is said when a conversation does not end with a question.
const GO_ON: &str = "Go on.";
/// Longest description of a tool that a small model is shown, in characters.
const TOOL_DESCRIPTION_MAX_CHARS: usize = 200;

/// A request, prepared for the worker.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prompt {
    pub(super) messages: Vec<ChatMessage>,
    pub(super) constraint: Option<Constraint>,
    pub(super) form: Form,
}

/// Prepares `request`.
///
/// # Errors
/// `BadRequest` if a schema is outside the subset of grammars, or the chosen tool is not among the tools.
pub(super) fn prepare(request: &Request) -> Result<Prompt, LlmError> {
    let tools = usable_tools(request)?;
    let (shapes, rules, form) = if tools.is_empty() {
        match &request.schema {
            None => (None, String::new(), Form::Free),
            Some(schema) => {
                let shapes = schema_shapes(schema)?;
                let rules = format!(
                    "Answer with one JSON value of this form and nothing else: {}",
                    signature(&shapes)
                );
                (Some(shapes), rules, Form::Json)
            }
        }
    } else {
        let (shapes, rules) = tool_protocol(request, &tools)?;
        (Some(shapes), rules, Form::Tools)
    };
    let constraint = shapes
        .map(|shapes| grammar_of(&shapes).map_err(|error| bad_schema("this request", &error)))
        .transpose()?
        .map(|grammar| Constraint {
            closing_tokens: u32::try_from(grammar.closing_bytes).unwrap_or(u32::MAX),
            gbnf: grammar.gbnf,
        });
    Ok(Prompt {
        messages: chat(&request.messages, &rules, form),
        constraint,
        form,
    })
}

/// Whether a tool with this schema of arguments can be offered to a local model.
///
/// # Errors
/// The place in the schema that is outside the subset.
pub fn check_tool(tool: &ToolDecl) -> Result<(), SchemaError> {
    argument_shapes(tool).map(|_| ())
}

fn usable_tools(request: &Request) -> Result<Vec<&ToolDecl>, LlmError> {
    match &request.tool_choice {
        ToolChoice::None => Ok(Vec::new()),
        ToolChoice::Auto | ToolChoice::Required => Ok(request.tools.iter().collect()),
        ToolChoice::Named(name) => {
            let tool = request.tools.iter().find(|tool| tool.name == *name);
            tool.map(|tool| vec![tool]).ok_or_else(|| {
                LlmError::new(
                    ErrorKind::BadRequest,
                    format!("the tool '{name}' must be used but is not among the tools"),
                )
            })
        }
    }
}

fn bad_schema(what: &str, error: &SchemaError) -> LlmError {
    LlmError::new(ErrorKind::BadRequest, format!("{what}: {error}"))
}

fn schema_shapes(schema: &OutputSchema) -> Result<Shapes, LlmError> {
    shapes_of(&schema.schema)
        .map_err(|error| bad_schema(&format!("the output schema '{}'", schema.name), &error))
}

fn argument_shapes(tool: &ToolDecl) -> Result<Shapes, SchemaError> {
    let none = match &tool.parameters {
        Value::Null => true,
        Value::Object(object) => object.is_empty(),
        _ => false,
    };
    if none {
        return Ok(Shapes::of(Shape::Object(Vec::new())));
    }
    let shapes = shapes_of(&tool.parameters)?;
    match shapes.root {
        Shape::Object(_) => Ok(shapes),
        _ => Err(SchemaError {
            path: String::from("#"),
            reason: String::from("the arguments of a tool are an object"),
        }),
    }
}

/// The shapes of the protocol for these tools, and the words that explain it.
fn tool_protocol(request: &Request, tools: &[&ToolDecl]) -> Result<(Shapes, String), LlmError> {
    let may_speak = matches!(request.tool_choice, ToolChoice::Auto | ToolChoice::None);
    let mut shapes = Shapes::of(Shape::AnyOf(Vec::new()));
    let mut branches = Vec::new();
    let mut rules = String::from("Answer with one JSON object and nothing else.\n");
    if may_speak {
        let (say, form) = match &request.schema {
            None => (
                Shape::Text { min: 1, max: None },
                String::from("\"your answer\""),
            ),
            Some(schema) => {
                let said = schema_shapes(schema)?;
                let form = signature(&said);
                (shapes.adopt(said), form)
            }
        };
        branches.push(Shape::Object(vec![Field::required(SAY, say)]));
        let _ = writeln!(rules, "To answer: {{\"{SAY}\":{form}}}");
    }
    let _ = writeln!(
        rules,
        "To use a tool: {{\"{TOOL}\":\"NAME\",\"{ARGS}\":{{...}}}}"
    );
    rules.push_str("Tools:\n");
    for tool in tools {
        let arguments = argument_shapes(tool)
            .map_err(|error| bad_schema(&format!("the tool '{}'", tool.name), &error))?;
        let _ = writeln!(
            rules,
            "- {} {} {}",
            tool.name,
            signature(&arguments),
            first_words(&tool.description)
        );
        let arguments = shapes.adopt(arguments);
        branches.push(Shape::Object(vec![
            Field::required(
                TOOL,
                Shape::Choice(vec![Value::from(tool.name.as_str()).to_string()]),
            ),
            Field::required(ARGS, arguments),
        ]));
    }
    rules.push_str(if may_speak {
        "Use a tool only if you need it for the task; its result comes in the next message. Never make up a result. When you have what you need, answer."
    } else {
        "Use a tool now; its result comes in the next message."
    });
    shapes.root = Shape::AnyOf(branches);
    Ok((shapes, rules))
}

fn first_words(description: &str) -> String {
    let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TOOL_DESCRIPTION_MAX_CHARS) {
        None => line,
        Some((at, _)) => format!("{}...", &line[..at]),
    }
}

/// The conversation with the roles templates know: one system message first, then user and assistant in turn.
fn chat(messages: &[Message], rules: &str, form: Form) -> Vec<ChatMessage> {
    let mut system = Vec::new();
    let mut turns: Vec<ChatMessage> = Vec::new();
    for message in messages {
        let (role, content) = match message.role {
            Role::System => {
                system.push(words(&message.parts, Form::Free));
                continue;
            }
            Role::User | Role::Tool => (ChatRole::User, words(&message.parts, Form::Free)),
            Role::Assistant => (ChatRole::Assistant, words(&message.parts, form)),
        };
        if content.is_empty() {
            continue;
        }
        match turns.last_mut() {
            Some(last) if last.role == role => {
                last.content.push_str("\n\n");
                last.content.push_str(&content);
            }
            _ => turns.push(ChatMessage { role, content }),
        }
    }
    if turns.last().is_none_or(|last| last.role != ChatRole::User) {
        turns.push(ChatMessage {
            role: ChatRole::User,
            content: GO_ON.to_owned(),
        });
    }
    system.push(rules.to_owned());
    system.retain(|text| !text.is_empty());
    if !system.is_empty() {
        turns.insert(
            0,
            ChatMessage {
                role: ChatRole::System,
                content: system.join("\n\n"),
            },
        );
    }
    turns
}

/// The parts of a message as text. What the model itself said is shown in the form it has to answer in, so that its
/// own turns are its examples.
fn words(parts: &[Part], form: Form) -> String {
    let mut lines = Vec::new();
    for part in parts {
        match part {
            Part::Text { text } if text.is_empty() => {}
            Part::Text { text } if form == Form::Tools => {
                lines.push(format!("{{\"{SAY}\":{}}}", Value::from(&**text)));
            }
            Part::Text { text } => lines.push(text.to_string()),
            Part::Image { .. } => lines.push(String::from("(an image, which you cannot see)")),
            Part::Reasoning { .. } => {}
            Part::ToolCall(call) => lines.push(format!(
                "{{\"{TOOL}\":{},\"{ARGS}\":{}}}",
                Value::from(&*call.name),
                compact(&call.args)
            )),
            Part::ToolResult {
                name,
                content,
                is_error,
                ..
            } => {
                let what = if *is_error { "failed" } else { "answered" };
                lines.push(format!("The tool {name} {what}:\n{content}"));
            }
        }
    }
    lines.join("\n")
}

/// Arguments as a grammar would write them; what is no JSON is shown as no arguments.
fn compact(args: &str) -> String {
    serde_json::from_str::<Value>(args).map_or_else(|_| String::from("{}"), |v| v.to_string())
}

#[cfg(test)]
mod tests {
    use bwana_types::message::ToolCall;
    use serde_json::json;

    use super::*;

    fn request(messages: Vec<Message>) -> Request {
        Request::new("starter", messages)
    }

    fn user(text: &str) -> Message {
        Message::text(Role::User, text)
    }

    fn price_tool() -> ToolDecl {
        ToolDecl {
            name: "get.price".into(),
            description: "The price\nof an article.".into(),
            parameters: json!({"type": "object", "properties": {"sku": {"type": "string", "maxLength": 8}}, "required": ["sku"]}),
        }
    }

    /// The messages as `role: content`, one a line.
    fn shown(prompt: &Prompt) -> String {
        let line = |m: &ChatMessage| format!("{}: {}", m.role.as_str(), m.content);
        prompt
            .messages
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn plain_talk_is_passed_on_with_roles_in_turn() {
        let prompt = prepare(&request(vec![
            Message::text(Role::System, "Be brief."),
            user("Hi"),
            user("there"),
            Message::text(Role::Assistant, "Hello"),
            Message::text(Role::System, "Be kind."),
            user("Bye"),
        ]))
        .unwrap();
        assert_eq!(
            shown(&prompt),
            "system: Be brief.\n\nBe kind.\nuser: Hi\n\nthere\nassistant: Hello\nuser: Bye"
        );
        assert_eq!((prompt.constraint, prompt.form), (None, Form::Free));
    }

    #[test]
    fn a_conversation_always_ends_with_the_user() {
        let after_assistant = prepare(&request(vec![
            user("a"),
            Message::text(Role::Assistant, "b"),
        ]));
        assert!(shown(&after_assistant.unwrap()).ends_with("assistant: b\nuser: Go on."));
        assert_eq!(shown(&prepare(&request(vec![])).unwrap()), "user: Go on.");
    }

    #[test]
    fn a_schema_becomes_a_grammar_and_a_line_in_the_system_message() {
        let mut request = request(vec![user("Who is next?")]);
        request.schema = Some(OutputSchema {
            name: "next".into(),
            schema: json!({"type": "object", "properties": {"speaker": {"enum": ["ada", "bob"]}}, "required": ["speaker"]}),
        });
        let prompt = prepare(&request).unwrap();
        assert_eq!(
            shown(&prompt),
            "system: Answer with one JSON value of this form and nothing else: {\"speaker\": \"ada\"|\"bob\"}\nuser: Who is next?"
        );
        assert_eq!(prompt.form, Form::Json);
        assert!(
            prompt
                .constraint
                .unwrap()
                .gbnf
                .contains(r#""\"ada\"" | "\"bob\"""#)
        );
    }

    #[test]
    fn tools_are_explained_and_earlier_turns_are_shown_in_the_same_form() {
        let mut request = request(vec![
            user("What does the kit cost?"),
            Message::new(
                Role::Assistant,
                vec![
                    Part::text("Let me \"look\"."),
                    Part::ToolCall(ToolCall {
                        id: "1".into(),
                        name: "get.price".into(),
                        args: "{\"sku\": \"kit\"}".into(),
                        opaque: None,
                    }),
                ],
            ),
            Message::new(
                Role::Tool,
                vec![Part::ToolResult {
                    id: "1".into(),
                    name: "get.price".into(),
                    content: "12".into(),
                    is_error: false,
                }],
            ),
        ]);
        request.tools = vec![price_tool()];
        let prompt = prepare(&request).unwrap();
        let shown = shown(&prompt);
        for words in [
            "To answer: {\"say\":\"your answer\"}",
            "- get.price {\"sku\": string} The price of an article.",
            "assistant: {\"say\":\"Let me \\\"look\\\".\"}\n{\"tool\":\"get.price\",\"args\":{\"sku\":\"kit\"}}",
            "user: The tool get.price answered:\n12",
        ] {
            assert!(shown.contains(words), "{words}\n--- in\n{shown}");
        }
        assert_eq!(prompt.form, Form::Tools);
    }

    #[test]
    fn the_choice_of_tools_narrows_what_can_be_written() {
        let with = |choice: ToolChoice| {
            let mut request = request(vec![user("Go")]);
            request.tools = vec![
                price_tool(),
                ToolDecl {
                    name: "stop".into(),
                    description: String::new(),
                    parameters: json!({}),
                },
            ];
            request.tool_choice = choice;
            prepare(&request)
        };
        let allows = |choice: ToolChoice| {
            let gbnf = with(choice).unwrap().constraint.unwrap().gbnf;
            ["say", "get.price", "stop"].map(|word| gbnf.contains(word))
        };
        assert_eq!(allows(ToolChoice::Auto), [true, true, true]);
        assert_eq!(allows(ToolChoice::Required), [false, true, true]);
        assert_eq!(
            allows(ToolChoice::Named("stop".into())),
            [false, false, true]
        );
        assert_eq!(with(ToolChoice::None).unwrap().form, Form::Free);
        let error = with(ToolChoice::Named("other".into())).unwrap_err();
        assert!(error.message.contains("'other'"), "{error}");
    }

    #[test]
    fn schemas_outside_the_subset_are_refused_with_the_name_of_their_owner() {
        let mut request = request(vec![user("Go")]);
        request.tools = vec![ToolDecl {
            name: "grep".into(),
            description: String::new(),
            parameters: json!({"type": "object", "properties": {"re": {"type": "string", "pattern": "x"}}}),
        }];
        let error = prepare(&request).unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadRequest);
        assert!(error.message.contains("the tool 'grep'"), "{error}");
        assert!(error.message.contains("#/properties/re/pattern"), "{error}");
        assert!(check_tool(&request.tools[0]).is_err());
        request.tools[0].parameters = json!({"type": "array", "items": {"type": "null"}});
        assert!(
            prepare(&request)
                .unwrap_err()
                .message
                .contains("are an object")
        );
        request.tools[0].parameters = json!({});
        check_tool(&request.tools[0]).unwrap();
    }
}
