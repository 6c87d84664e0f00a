//! The wire cases: what servers really send, and what must become of it. One row a case; `wire_cases` runs each
//! through the codec and over a socket. Shapes follow public descriptions and reports of the named servers.

mod answers;
mod refusals;

/// One answer of a server and what it means.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) status: u16,
    /// `name: value` lines.
    pub(crate) headers: &'static str,
    pub(crate) body: String,
    /// As `show::result` says it.
    pub(crate) expect: &'static str,
    /// Words the error's message must hold.
    pub(crate) says: &'static str,
}

/// A delta of the first choice.
pub(crate) fn delta(delta: &str) -> String {
    event(&format!(
        r#"{{"id":"r1","object":"chat.completion.chunk","model":"m-2","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#
    ))
}

pub(crate) fn text(text: &str) -> String {
    delta(&format!(r#"{{"content":"{text}"}}"#))
}

pub(crate) fn finish(reason: &str) -> String {
    event(&format!(
        r#"{{"id":"r1","choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#
    ))
}

pub(crate) fn usage(input: u64, output: u64) -> String {
    event(&format!(
        r#"{{"id":"r1","choices":[],"usage":{{"prompt_tokens":{input},"completion_tokens":{output}}}}}"#
    ))
}

pub(crate) fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

pub(crate) const DONE: &str = "data: [DONE]\n\n";

fn call(json: &str) -> String {
    delta(&format!(r#"{{"tool_calls":[{json}]}}"#))
}

fn stream(events: &[&str]) -> String {
    events.concat()
}

fn ok(name: &'static str, body: String, expect: &'static str) -> Case {
    Case {
        name,
        status: 200,
        headers: "content-type: text/event-stream",
        body,
        expect,
        says: "",
    }
}

fn fails(name: &'static str, body: String, expect: &'static str, says: &'static str) -> Case {
    Case {
        says,
        ..ok(name, body, expect)
    }
}

fn whole(name: &'static str, body: &str, expect: &'static str, says: &'static str) -> Case {
    Case {
        headers: "content-type: application/json",
        says,
        ..ok(name, body.to_owned(), expect)
    }
}

fn status(
    name: &'static str,
    (status, headers): (u16, &'static str),
    body: &str,
    expect: &'static str,
    says: &'static str,
) -> Case {
    Case {
        name,
        status,
        headers,
        body: body.to_owned(),
        expect,
        says,
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = answers::texts();
    cases.extend(answers::ends());
    cases.extend(answers::tool_calls());
    cases.extend(answers::usages());
    cases.extend(refusals::errors_in_streams());
    cases.extend(refusals::whole_answers());
    cases.extend(refusals::statuses());
    cases
}
