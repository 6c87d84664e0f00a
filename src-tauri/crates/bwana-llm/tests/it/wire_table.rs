//! The wire cases: what servers really send, and what must become of it. One row a case; `wire_cases` runs each
//! through the codec and over a socket. Shapes follow public descriptions and reports of the named servers.

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
    let mut cases = texts();
    cases.extend(ends());
    cases.extend(tool_calls());
    cases.extend(usages());
    cases.extend(errors_in_streams());
    cases.extend(whole_answers());
    cases.extend(statuses());
    cases
}

fn texts() -> Vec<Case> {
    let hi = text("Hi");
    let stop = finish("stop");
    vec![
        ok(
            "text in pieces",
            stream(&[
                &delta(r#"{"role":"assistant","content":""}"#),
                &text("Ha"),
                &text("bari 🌍"),
                &stop,
                &usage(9, 4),
                DONE,
            ]),
            r#"text "Habari 🌍" stop=Done usage=9/4"#,
        ),
        ok(
            "line ends as CRLF",
            stream(&[&hi, &stop, DONE]).replace('\n', "\r\n"),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "line ends as CR",
            stream(&[&hi, &stop, DONE]).replace('\n', "\r"),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "a byte order mark, blank lines and no blank behind the colon",
            format!(
                "\u{FEFF}\n\n{}",
                stream(&[&hi, &stop, DONE]).replace("data: ", "data:")
            ),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "comments between events (OpenRouter)",
            stream(&[
                ": OPENROUTER PROCESSING\n\n",
                &hi,
                ": OPENROUTER PROCESSING\n\n",
                &stop,
                DONE,
            ]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "event names, ids and retry fields",
            format!(
                "event: message\nid: 7\nretry: 3000\n{}",
                stream(&[&hi, &stop, DONE])
            ),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "one event over several data lines",
            format!(
                "data: {{\"choices\":[{{\"delta\":\ndata: {{\"content\":\"Hi\"}},\ndata: \"finish_reason\":\"stop\"}}]}}\n\n{DONE}"
            ),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "two events without the blank line between them",
            stream(&[&hi, &stop, DONE]).replace("\n\n", "\n"),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "content as a list of typed pieces (Mistral)",
            stream(&[
                &delta(
                    r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
                ),
                &delta(
                    r#"{"content":[{"type":"text","text":"H"},{"type":"reference","reference_ids":[1]},{"type":"text","text":"i"}]}"#,
                ),
                &stop,
                DONE,
            ]),
            r#"think "hm" text "Hi" stop=Done"#,
        ),
        ok(
            "reasoning_content (DeepSeek, llama.cpp)",
            stream(&[
                &delta(r#"{"content":null,"reasoning_content":"let "}"#),
                &delta(r#"{"content":null,"reasoning_content":"me see"}"#),
                &hi,
                &stop,
                DONE,
            ]),
            r#"think "let me see" text "Hi" stop=Done"#,
        ),
        ok(
            "the same thought under both names counts once",
            stream(&[
                &delta(r#"{"reasoning":"hm","reasoning_content":"hm"}"#),
                &hi,
                &stop,
                DONE,
            ]),
            r#"think "hm" text "Hi" stop=Done"#,
        ),
        ok(
            "reasoning_details in pieces (OpenRouter)",
            stream(&[
                &delta(
                    r#"{"content":"","reasoning":"le","reasoning_details":[{"type":"reasoning.text","text":"le","index":0}]}"#,
                ),
                &delta(
                    r#"{"content":"","reasoning":"t","reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s","index":0}]}"#,
                ),
                &hi,
                &stop,
                DONE,
            ]),
            r#"think "let" opaque [{"index":0,"signature":"s","text":"let","type":"reasoning.text"}] text "Hi" stop=Done"#,
        ),
        ok(
            "encrypted reasoning_details alone",
            stream(&[
                &delta(
                    r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"QQ==","index":0}]}"#,
                ),
                &hi,
                &stop,
                DONE,
            ]),
            r#"think "" opaque [{"data":"QQ==","index":0,"type":"reasoning.encrypted"}] text "Hi" stop=Done"#,
        ),
        ok(
            "a refusal in pieces",
            stream(&[
                &delta(r#"{"refusal":"I can"}"#),
                &delta(r#"{"refusal":"not."}"#),
                &stop,
                DONE,
            ]),
            r#"text "I cannot." stop=Refused"#,
        ),
        ok(
            "escapes and pairs of surrogates",
            stream(&[&text(r"a\n\u0022\ud83c\udf0d"), &stop, DONE]),
            r#"text "a\n\"🌍" stop=Done"#,
        ),
        ok(
            "fields nobody knows, and known ones of wrong types",
            stream(&[
                &event(
                    r#"{"id":7,"model":null,"created":"x","choices":[{"index":null,"delta":{"role":5,"content":"Hi","audio":{}},"logprobs":[]}],"usage":"none","obfuscation":"zz"}"#,
                ),
                &stop,
                DONE,
            ]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "further choices are ignored",
            stream(&[
                &event(
                    r#"{"choices":[{"index":1,"delta":{"content":"no"}},{"index":0,"delta":{"content":"Hi"}}]}"#,
                ),
                &stop,
                DONE,
            ]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "null events and a chunk without choices (Azure's first)",
            stream(&[
                &event("null"),
                &event(r#"{"choices":[],"prompt_filter_results":[]}"#),
                &hi,
                &stop,
                DONE,
            ]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "a whole message behind its pieces is not said twice",
            stream(&[
                &hi,
                &event(
                    r#"{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}"#,
                ),
                DONE,
            ]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "a whole message as the only event",
            stream(&[
                &event(
                    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#,
                ),
                DONE,
            ]),
            r#"text "Hi" stop=Done"#,
        ),
        ok("an empty answer", stream(&[&stop, DONE]), "stop=Done"),
    ]
}

fn ends() -> Vec<Case> {
    let hi = text("Hi");
    vec![
        ok(
            "length",
            stream(&[&hi, &finish("length"), DONE]),
            r#"text "Hi" stop=Length"#,
        ),
        ok(
            "content_filter",
            stream(&[&hi, &finish("content_filter"), DONE]),
            r#"text "Hi" stop=Filtered"#,
        ),
        ok(
            "model_length (Mistral)",
            stream(&[&hi, &finish("model_length"), DONE]),
            r#"text "Hi" stop=Length"#,
        ),
        ok(
            "eos (old servers)",
            stream(&[&hi, &finish("eos"), DONE]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "an unknown reason is kept as it came",
            stream(&[&hi, &finish("insufficient_system_resource"), DONE]),
            r#"text "Hi" stop=Other("insufficient_system_resource")"#,
        ),
        ok(
            "no [DONE] but a reason",
            stream(&[&hi, &finish("stop")]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "[DONE] without the last line end",
            stream(&[&hi, &finish("stop"), "data: [DONE]"]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "[DONE] without a reason",
            stream(&[&hi, DONE]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "what follows [DONE] does not count",
            stream(&[
                &hi,
                &finish("stop"),
                DONE,
                &text("more"),
                "data: {rubbish\n\n",
            ]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "rubbish behind a finished answer does not take it back",
            stream(&[&hi, &finish("stop"), "data: {rubbish\n\n"]),
            r#"text "Hi" stop=Done"#,
        ),
        fails(
            "[DONE] alone",
            DONE.to_owned(),
            "Interrupted",
            "without saying anything",
        ),
        fails(
            "an empty body",
            String::new(),
            "Interrupted",
            "without an answer",
        ),
        fails(
            "blanks only",
            String::from("\n\n  \r\n"),
            "Interrupted",
            "without an answer",
        ),
        fails(
            "an end in the middle keeps what was said",
            stream(&[&hi, &text(" there")]),
            r#"Interrupted | text "Hi there" open"#,
            "before the answer was finished",
        ),
        fails(
            "an end in the middle of an event",
            stream(&[&hi, r#"data: {"choices":[{"index":0,"del"#]),
            r#"Interrupted | text "Hi" open"#,
            "before the answer was finished",
        ),
        fails(
            "an end in the middle of a call keeps its pieces",
            stream(&[&call(
                r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}"#,
            )]),
            r#"Interrupted | call a:f:{"x": open"#,
            "",
        ),
        fails(
            "a comment and then the end",
            String::from(": ping\n\n"),
            "Interrupted",
            "before the answer was finished",
        ),
    ]
}

fn tool_calls() -> Vec<Case> {
    let end = stream(&[&finish("tool_calls"), DONE]);
    vec![
        ok(
            "one call in pieces",
            stream(&[
                &call(
                    r#"{"index":0,"id":"call_a","type":"function","function":{"name":"get_price","arguments":""}}"#,
                ),
                &call(r#"{"index":0,"function":{"arguments":"{\"sku\""}}"#),
                &call(r#"{"index":0,"function":{"arguments":":\"kit\"}"}}"#),
                &end,
            ]),
            r#"call call_a:get_price:{"sku":"kit"} stop=ToolCalls"#,
        ),
        ok(
            "parallel calls, pieces interleaved",
            stream(&[
                &call(r#"{"index":0,"id":"a","function":{"name":"f","arguments":""}}"#),
                &call(r#"{"index":1,"id":"b","function":{"name":"g","arguments":"{"}}"#),
                &call(r#"{"index":0,"function":{"arguments":"{\"x\":1}"}}"#),
                &call(r#"{"index":1,"function":{"arguments":"}"}}"#),
                &end,
            ]),
            r#"call a:f:{"x":1} call b:g:{} stop=ToolCalls"#,
        ),
        ok(
            "two calls in one event",
            stream(&[
                &call(
                    r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}"#,
                ),
                &end,
            ]),
            "call a:f:{} call b:g:{} stop=ToolCalls",
        ),
        ok(
            "the index is missing (old Ollama)",
            stream(&[
                &call(r#"{"id":"a","function":{"name":"f","arguments":"{}"}}"#),
                &call(r#"{"id":"b","function":{"name":"g","arguments":"{}"}}"#),
                &end,
            ]),
            "call a:f:{} call b:g:{} stop=ToolCalls",
        ),
        ok(
            "every index is 0, ids differ (Ollama 0.20)",
            stream(&[
                &call(
                    r#"{"index":0,"id":"a","function":{"name":"get_price","arguments":"{\"sku\":\"kit\"}"}}"#,
                ),
                &call(
                    r#"{"index":0,"id":"b","function":{"name":"get_price","arguments":"{\"sku\":\"lamp\"}"}}"#,
                ),
                &finish("stop"),
                DONE,
            ]),
            r#"call a:get_price:{"sku":"kit"} call b:get_price:{"sku":"lamp"} stop=ToolCalls"#,
        ),
        ok(
            "neither index nor id",
            stream(&[
                &call(r#"{"function":{"name":"f","arguments":"{}"}}"#),
                &call(r#"{"function":{"name":"f","arguments":"{}"}}"#),
                &end,
            ]),
            "call call_0:f:{} call call_1:f:{} stop=ToolCalls",
        ),
        ok(
            "arguments as an object",
            stream(&[
                &call(r#"{"index":0,"id":"a","function":{"name":"f","arguments":{"x": 1}}}"#),
                &end,
            ]),
            r#"call a:f:{"x": 1} stop=ToolCalls"#,
        ),
        ok(
            "arguments null, empty or missing",
            stream(&[
                &call(r#"{"index":0,"id":"a","function":{"name":"f","arguments":null}}"#),
                &call(r#"{"index":1,"id":"b","function":{"name":"g"}}"#),
                &end,
            ]),
            "call a:f: call b:g: stop=ToolCalls",
        ),
        ok(
            "an index of three million",
            stream(&[
                &call(r#"{"index":3000000,"id":"a","function":{"name":"f","arguments":"{"}}"#),
                &call(r#"{"index":3000000,"function":{"arguments":"}"}}"#),
                &end,
            ]),
            "call a:f:{} stop=ToolCalls",
        ),
        ok(
            "an index beyond all numbers",
            stream(&[
                &call(r#"{"index":1e99,"id":"a","function":{"name":"f","arguments":"{}"}}"#),
                &end,
            ]),
            "call a:f:{} stop=ToolCalls",
        ),
        ok(
            "one call instead of a list",
            stream(&[
                &delta(r#"{"tool_calls":{"id":"a","function":{"name":"f","arguments":"{}"}}}"#),
                &end,
            ]),
            "call a:f:{} stop=ToolCalls",
        ),
        ok(
            "tool_calls null and empty",
            stream(&[
                &delta(r#"{"content":"Hi","tool_calls":null}"#),
                &delta(r#"{"tool_calls":[]}"#),
                &finish("stop"),
                DONE,
            ]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "the name comes late",
            stream(&[
                &call(r#"{"index":0,"id":"a","function":{"arguments":"{"}}"#),
                &call(r#"{"index":0,"function":{"name":"f","arguments":"}"}}"#),
                &end,
            ]),
            "call a:f:{} stop=ToolCalls",
        ),
        ok(
            "a dotted name comes back with its dot",
            stream(&[
                &call(r#"{"index":0,"id":"a","function":{"name":"file_write","arguments":"{}"}}"#),
                &end,
            ]),
            "call a:file.write:{} stop=ToolCalls",
        ),
        ok(
            "text before the call",
            stream(&[
                &text("Let me look."),
                &call(r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#),
                &end,
            ]),
            r#"text "Let me look." call a:f:{} stop=ToolCalls"#,
        ),
        ok(
            "calls beside the word stop",
            stream(&[
                &call(r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#),
                &finish("stop"),
                DONE,
            ]),
            "call a:f:{} stop=ToolCalls",
        ),
        ok(
            "the word tool_calls without calls",
            stream(&[&text("Hi"), &finish("tool_calls"), DONE]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "a call cut by the output limit",
            stream(&[
                &call(r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":\"ab"}}"#),
                &finish("length"),
                DONE,
            ]),
            r#"call a:f:{"x":"ab stop=Length"#,
        ),
        ok(
            "function_call, the form before tool_calls",
            stream(&[
                &delta(r#"{"function_call":{"name":"f","arguments":"{"}}"#),
                &delta(r#"{"function_call":{"arguments":"}"}}"#),
                &finish("function_call"),
                DONE,
            ]),
            "call call_0:f:{} stop=ToolCalls",
        ),
        fails(
            "tool_calls that are no list",
            stream(&[&text("Hi"), &delta(r#"{"tool_calls":"f()"}"#), &end]),
            r#"Malformed | text "Hi" open"#,
            "a tool call that is no readable JSON",
        ),
    ]
}

fn usages() -> Vec<Case> {
    let hi = text("Hi");
    let stop = finish("stop");
    let with = |usage: &str| {
        stream(&[
            &hi,
            &stop,
            &event(&format!(r#"{{"choices":[],"usage":{usage}}}"#)),
            DONE,
        ])
    };
    vec![
        ok(
            "usage in the last chunk",
            with(r#"{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}"#),
            r#"text "Hi" stop=Done usage=12/3"#,
        ),
        ok("usage null", with("null"), r#"text "Hi" stop=Done"#),
        ok(
            "usage absent",
            stream(&[&hi, &stop, DONE]),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "usage all zero tells nothing",
            with(r#"{"prompt_tokens":0,"completion_tokens":0}"#),
            r#"text "Hi" stop=Done"#,
        ),
        ok(
            "usage with cache and reasoning",
            with(
                r#"{"prompt_tokens":100,"completion_tokens":30,"prompt_tokens_details":{"cached_tokens":64,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":20}}"#,
            ),
            r#"text "Hi" stop=Done usage=100/30 cached=64 reasoning=20"#,
        ),
        ok(
            "cache as DeepSeek names it",
            with(
                r#"{"prompt_tokens":100,"completion_tokens":30,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}"#,
            ),
            r#"text "Hi" stop=Done usage=100/30 cached=64"#,
        ),
        ok(
            "usage without output tokens",
            with(r#"{"prompt_tokens":10,"total_tokens":14}"#),
            r#"text "Hi" stop=Done usage=10/4"#,
        ),
        ok(
            "usage as floats",
            with(r#"{"prompt_tokens":10.0,"completion_tokens":4.0,"prompt_tokens_details":null}"#),
            r#"text "Hi" stop=Done usage=10/4"#,
        ),
        ok(
            "usage below zero",
            with(r#"{"prompt_tokens":-5,"completion_tokens":4}"#),
            r#"text "Hi" stop=Done usage=0/4"#,
        ),
        ok(
            "usage in x_groq (Groq)",
            stream(&[
                &hi,
                &event(
                    r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"q","usage":{"prompt_tokens":7,"completion_tokens":2}}}"#,
                ),
                DONE,
            ]),
            r#"text "Hi" stop=Done usage=7/2"#,
        ),
        ok(
            "usage that grows in every chunk",
            stream(&[
                &event(
                    r#"{"choices":[{"index":0,"delta":{"content":"H"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}"#,
                ),
                &event(
                    r#"{"choices":[{"index":0,"delta":{"content":"i"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#,
                ),
                DONE,
            ]),
            r#"text "Hi" stop=Done usage=5/2"#,
        ),
        fails(
            "usage seen before the connection ended is kept",
            stream(&[&event(
                r#"{"choices":[{"index":0,"delta":{"content":"H"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}"#,
            )]),
            r#"Interrupted | text "H" open usage=5/1"#,
            "",
        ),
    ]
}

fn errors_in_streams() -> Vec<Case> {
    let hi = text("Hi");
    vec![
        fails(
            "an error object with finish_reason error (OpenRouter)",
            stream(&[
                &hi,
                &event(
                    r#"{"id":"r1","error":{"code":502,"message":"Upstream is down"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
                ),
                DONE,
            ]),
            r#"Server | text "Hi" open"#,
            "Upstream is down",
        ),
        fails(
            "an error inside the choice",
            stream(&[
                &hi,
                &event(
                    r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"code":429,"message":"slow down"}}]}"#,
                ),
            ]),
            r#"RateLimited | text "Hi" open"#,
            "slow down",
        ),
        fails(
            "finish_reason error and no reason",
            stream(&[&hi, &finish("error"), DONE]),
            r#"Server | text "Hi" open"#,
            "gave no reason",
        ),
        fails(
            "a full context in the stream (llama.cpp)",
            event(
                r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9016,"n_ctx":4096}}"#,
            ),
            "ContextTooLong",
            "available context size",
        ),
        fails(
            "an error field of the stream itself (older llama.cpp)",
            stream(&[
                &hi,
                "error: {\"code\":500,\"message\":\"slot unavailable\",\"type\":\"server_error\"}\n\n",
            ]),
            r#"Server | text "Hi" open"#,
            "slot unavailable",
        ),
        fails(
            "an event named error",
            stream(&[&hi, "event: error\ndata: {\"message\":\"overloaded\"}\n\n"]),
            r#"Overloaded | text "Hi" open"#,
            "overloaded",
        ),
        fails(
            "an error as text",
            stream(&[&hi, &event(r#"{"error":"CUDA out of memory"}"#)]),
            r#"Server | text "Hi" open"#,
            "CUDA out of memory",
        ),
        fails(
            "an error unwrapped (vLLM)",
            event(
                r#"{"object":"error","message":"bad request","type":"BadRequestError","code":400}"#,
            ),
            "BadRequest",
            "bad request",
        ),
        fails(
            "an error after the reason to stop is still an error",
            stream(&[
                &hi,
                &finish("stop"),
                &event(r#"{"error":{"message":"moderated","code":"content_filter"}}"#),
            ]),
            r#"Refused | text "Hi" open"#,
            "moderated",
        ),
        fails(
            "an event that is no JSON",
            stream(&[&hi, "data: {\"choices\": [}\n\n", &text("more"), DONE]),
            r#"Malformed | text "Hi" open"#,
            "no readable JSON",
        ),
        fails(
            "an event that is JSON of another kind",
            stream(&[&event("42")]),
            "Malformed",
            "42",
        ),
        fails(
            "choices of another kind",
            stream(&[&hi, &event(r#"{"choices":"none"}"#)]),
            r#"Malformed | text "Hi" open"#,
            "",
        ),
        ok(
            "half an emoji as an escape costs only itself",
            stream(&[&hi, &text(r"\ud83d there"), &finish("stop"), DONE]),
            "text \"Hi\u{FFFD} there\" stop=Done",
        ),
    ]
}

fn whole_answers() -> Vec<Case> {
    vec![
        whole(
            "a server that does not stream",
            r#"{"id":"r1","model":"m-2","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#,
            r#"text "Hi" stop=Done usage=9/1"#,
            "",
        ),
        whole(
            "calls, reasoning and no reason to stop",
            r#" {"choices":[{"message":{"content":null,"reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"file_write","arguments":"{}"}}]}}]}"#,
            r#"think "hm" call a:file.write:{} stop=ToolCalls"#,
            "",
        ),
        whole(
            "no choices",
            r#"{"id":"r1","choices":[]}"#,
            "Malformed",
            "without choices",
        ),
        whole(
            "another JSON altogether",
            r#"{"status":"ok"}"#,
            "Malformed",
            "without choices",
        ),
        whole(
            "200 with an error",
            r#"{"error":{"message":"no such deployment","type":"invalid_request_error"}}"#,
            "BadRequest",
            "no such deployment",
        ),
        whole(
            "200 with a gateway's error",
            r#"{"error":{"message":"Provider returned error","code":502}}"#,
            "Server",
            "Provider returned error",
        ),
        whole(
            "200 with an error in a list (Google)",
            r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
            "Auth",
            "API key not valid",
        ),
        whole(
            "200 with a cut answer",
            r#"{"id":"r1","choices":[{"mess"#,
            "Interrupted",
            "in the middle",
        ),
        whole(
            "200 with broken JSON",
            r#"{"id":"r1","choices":]}"#,
            "Malformed",
            "no readable JSON",
        ),
        Case {
            headers: "content-type: text/html",
            ..whole(
                "a hotel's login page",
                "<!DOCTYPE html><html><head><title>Hotel WiFi</title><style>p{}</style></head><body><p>Please log in</p></body></html>",
                "Malformed",
                "not a model server: it answered with a web page (Hotel WiFi Please log in)",
            )
        },
        Case {
            headers: "content-type: text/plain",
            ..whole(
                "plain words with 200",
                "Ollama is running",
                "Malformed",
                "neither a stream nor JSON: Ollama is running",
            )
        },
    ]
}

fn statuses() -> Vec<Case> {
    let json = "content-type: application/json";
    vec![
        status(
            "401",
            (401, json),
            r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            "Auth",
            "answered 401: Incorrect API key provided",
        ),
        status(
            "402",
            (402, json),
            r#"{"error":{"message":"Insufficient Balance"}}"#,
            "Quota",
            "Insufficient Balance",
        ),
        status(
            "403",
            (403, json),
            r#"{"error":{"message":"Country not supported","code":"unsupported_country_region_territory"}}"#,
            "Auth",
            "Country not supported",
        ),
        status(
            "404 for a model",
            (404, json),
            r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#,
            "NotFound",
            "does not exist",
        ),
        status(
            "404 as a page",
            (404, "content-type: text/html"),
            "<html><body><h1>404</h1> page not found</body></html>",
            "NotFound",
            "404 page not found",
        ),
        status(
            "429 out of credit",
            (429, json),
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            "Quota",
            "current quota",
        ),
        status(
            "429 with the wait in the words",
            (429, json),
            r#"{"error":{"message":"Rate limit reached for m. Please try again in 1.5s.","type":"requests","code":"rate_limit_exceeded"}}"#,
            "RateLimited wait=1.5s",
            "Rate limit reached",
        ),
        status(
            "429 with the wait in the details (Google)",
            (429, json),
            r#"[{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}]"#,
            "RateLimited wait=34s",
            "Quota exceeded",
        ),
        status(
            "413 that is a rate limit (Groq)",
            (413, json),
            r#"{"error":{"message":"Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9041","type":"tokens","code":"rate_limit_exceeded"}}"#,
            "RateLimited",
            "Request too large",
        ),
        status(
            "413 that is the size",
            (413, "content-type: text/html"),
            "<html><title>413 Request Entity Too Large</title></html>",
            "TooLarge",
            "Too Large",
        ),
        status(
            "a tool call the model could not write (Groq)",
            (400, json),
            r#"{"error":{"message":"Failed to call a function.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"<function=f{"}}"#,
            r#"Malformed | text "<function=f{" open"#,
            "Failed to call a function",
        ),
        status(
            "a full context (OpenAI)",
            (400, json),
            r#"{"error":{"message":"This model's maximum context length is 128000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            "ContextTooLong",
            "maximum context length",
        ),
        status(
            "a full context (llama.cpp)",
            (400, json),
            r#"{"error":{"code":400,"message":"request (9016 tokens) exceeds the available context size (4096 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9016,"n_ctx":4096}}"#,
            "ContextTooLong",
            "9016 tokens",
        ),
        status(
            "a full context (older words)",
            (400, json),
            r#"{"error":{"message":"9016 tokens exceeds 4096"}}"#,
            "ContextTooLong",
            "exceeds 4096",
        ),
        status(
            "a full context (vLLM)",
            (400, json),
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens","type":"BadRequestError","param":null,"code":400}"#,
            "ContextTooLong",
            "",
        ),
        status(
            "a filtered prompt (Azure)",
            (400, json),
            r#"{"error":{"message":"The response was filtered","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            "Refused",
            "filtered",
        ),
        status(
            "422 with places (FastAPI)",
            (422, json),
            r#"{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required"}]}"#,
            "BadRequest",
            "body.messages: Field required",
        ),
        status(
            "500 in plain words",
            (500, "content-type: text/plain"),
            "Internal Server Error",
            "Server",
            "Internal Server Error",
        ),
        status(
            "502 as a page",
            (502, "content-type: text/html"),
            "<html><center><h1>502 Bad Gateway</h1></center><hr>nginx</html>",
            "Server",
            "502 Bad Gateway nginx",
        ),
        status(
            "503 while loading (llama.cpp)",
            (503, json),
            r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#,
            "Overloaded",
            "Loading model",
        ),
        status(
            "529",
            (529, json),
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            "Overloaded",
            "Overloaded",
        ),
        status(
            "an empty error",
            (500, json),
            "",
            "Server",
            "no reason given",
        ),
    ]
}
