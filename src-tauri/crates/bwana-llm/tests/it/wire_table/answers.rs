//! What a model says and how its answer ends: text, thought, tool calls, usage.

use super::{Case, DONE, call, delta, event, fails, finish, ok, stream, text, usage};

pub(super) fn texts() -> Vec<Case> {
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

pub(super) fn ends() -> Vec<Case> {
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

pub(super) fn tool_calls() -> Vec<Case> {
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

pub(super) fn usages() -> Vec<Case> {
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
