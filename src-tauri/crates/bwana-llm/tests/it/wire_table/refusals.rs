//! What a server says instead of a stream that comes to its end: errors within one, whole answers, statuses.

use super::{Case, DONE, event, fails, finish, ok, status, stream, text, whole};

pub(super) fn errors_in_streams() -> Vec<Case> {
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

pub(super) fn whole_answers() -> Vec<Case> {
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

pub(super) fn statuses() -> Vec<Case> {
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
