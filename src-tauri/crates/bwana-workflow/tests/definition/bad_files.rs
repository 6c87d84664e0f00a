//! Bad files and what is said about them. Each case is a file somebody might really write.

use super::report;

/// Reports of several files, each under its name.
fn reports(cases: &[(&str, &str)]) -> String {
    let each = cases.iter().map(|(name, file)| {
        format!(
            "{name}\n  {}\n",
            report(file.as_bytes()).replace('\n', "\n  ")
        )
    });
    each.collect::<Vec<_>>().join("\n")
}

/// A workflow of two shipped agents with these steps.
fn steps(steps: &str) -> String {
    format!(
        "schema: bwana.workflow/v1\nid: test\nname: Test\nagents: [operations, sales_marketing]\nsteps:\n{}",
        steps.trim_end()
    )
}

fn step_reports(cases: &[(&str, &str)]) -> String {
    let files: Vec<(&str, String)> = cases
        .iter()
        .map(|(name, text)| (*name, steps(text)))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    reports(&files)
}

#[test]
fn files_that_are_no_definition() {
    insta::assert_snapshot!(reports(&[
        ("an empty file", ""),
        ("only a comment", "# to do\n"),
        ("an empty document", "---\n"),
        ("a shopping list", "- bread\n- milk\n"),
        ("a text", "just words"),
        ("no schema", "id: a\nname: A\n"),
        ("a newer version", "schema: bwana.workflow/v2\nid: a\n"),
        ("another program's file", "schema: docker/compose\n"),
        ("a slip in the schema", "schema: bwana.agnet/v1\n"),
        ("a schema that is no text", "schema: [bwana.agent/v1]\n"),
        (
            "broken indentation",
            "schema: bwana.agent/v1\n  id: a\n name: b\n"
        ),
        (
            "an open quote",
            "schema: bwana.agent/v1\nname: \"A\ninstructions: x\n"
        ),
        (
            "an open bracket in JSON",
            "{\"schema\": \"bwana.agent/v1\", \"tools\": [\"a\""
        ),
        (
            "a tab for indentation",
            "schema: bwana.agent/v1\nmemory:\n\tscope: agent\n"
        ),
        (
            "an unknown alias",
            "schema: bwana.agent/v1\nname: *nobody\n"
        ),
        (
            "the original configuration where a definition is expected",
            "available_agents: []\n"
        ),
    ]));
}

#[test]
fn keys_and_kinds_of_values() {
    insta::assert_snapshot!(reports(&[
        (
            "many problems at once",
            "schema: bwana.agent/v1\nid: 7\nname:\n  - A\ntyp: analysis\ntype: analisys\ninstructions: ''\n\
             capabilities: market\ntools: [file.write, 3]\nmemory: {scope: agents, expires: 7 days}\ntemperature: warm\n\
             max_output_tokens: -5\n",
        ),
        ("missing keys", "schema: bwana.workflow/v1\nname: A\n"),
        (
            "a key twice",
            "schema: bwana.agent/v1\nid: a\nname: A\nname: B\ninstructions: x\n"
        ),
        (
            "a key twice inside a schema",
            "schema: bwana.workflow/v1\nid: a\nname: A\nagents: [operations]\ninput: {type: string, maxLength: 3, type: object}\nsteps: [One]\n"
        ),
        (
            "a key one level too high",
            "schema: bwana.workflow/v1\nid: a\nname: A\nagents: [operations]\nmax_round: 3\nbudget: 1\nsteps: [One]\n"
        ),
        (
            "a step with a colon in its name",
            &steps("  - Research: the market\n")
        ),
        ("a step that is a number", &steps("  - 1\n")),
        ("a step inside a step", &steps("  - [One, Two]\n")),
        (
            "yes for true",
            &steps(
                "  - {name: One, chat: {agents: [operations, sales_marketing], allow_repeat: yes}}\n"
            )
        ),
        (
            "money in words",
            &steps(
                "  - {name: One, limits: {budget_usd: 1 dollar, elapsed: 5, tokens: 1.5, calls: 99999999999}}\n"
            )
        ),
        (
            "money below nothing",
            &steps("  - {name: One, limits: {budget_usd: -1}}\n")
        ),
        (
            "a stop condition in words",
            &steps(
                "  - {name: One, chat: {agents: [operations, sales_marketing], stop: no_progress}}\n"
            )
        ),
        (
            "two stop conditions without any or all",
            &steps(
                "  - {name: One, chat: {agents: [operations, sales_marketing], stop: {rounds: 2, text: DONE}}}\n"
            )
        ),
        (
            "an unknown stop condition",
            &steps(
                "  - {name: One, chat: {agents: [operations, sales_marketing], stop: {round: 2}}}\n"
            )
        ),
        (
            "handoff, which is not there yet",
            &steps(
                "  - {name: One, chat: {agents: [operations, sales_marketing], select: handoff}}\n"
            )
        ),
        (
            "a problem in the second document",
            "schema: bwana.agent/v1\nid: a\nname: A\ninstructions: x\n---\nschema: bwana.agent/v1\nid: b\nname: B\ninstruction: x\n"
        ),
    ]));
}

#[test]
fn agents_that_cannot_work() {
    let agent = |rest: &str| format!("schema: bwana.agent/v1\n{rest}");
    insta::assert_snapshot!(reports(&[
        (
            "no useful id or name",
            &agent("id: Market Research!\nname: ' '\ninstructions: x\n")
        ),
        (
            "no instructions",
            &agent("id: a\nname: A\ninstructions: ' '\ninstructions_small: ''\n")
        ),
        (
            "an unknown variable",
            &agent(
                "id: a\nname: A\ninstructions: 'You are {{ agnet.name }} of {{ company }} {{ agent.role }}.'\n"
            )
        ),
        (
            "an include",
            &agent("id: a\nname: A\ninstructions: \"{% include '/etc/passwd' %}\"\n")
        ),
        (
            "an open tag",
            &agent("id: a\nname: A\ninstructions: '{{ agent.name'\n")
        ),
        (
            "filters and calls that are not there",
            &agent(
                "id: a\nname: A\ninstructions: '{{ input | uper }} {{ input.upper() }} {{ range(3) }} {{ input is odd }}'\n"
            )
        ),
        (
            "an unknown tool, misspelt",
            &agent(
                "id: a\nname: A\ninstructions: x\ntools: [file.wrtie, rocket.launch, file.read, file.read]\n"
            )
        ),
        (
            "no model",
            &agent("id: a\nname: A\ninstructions: x\nmodel: gpt\n")
        ),
        (
            "an empty fallback chain",
            &agent("id: a\nname: A\ninstructions: x\nmodel: []\n")
        ),
        (
            "numbers out of range",
            &agent(
                "id: a\nname: A\ninstructions: x\ntemperature: 9\nmax_output_tokens: 3\nmemory: {scope: run, expires: 0d}\n"
            )
        ),
        (
            "a novel for a small model",
            &agent(&format!(
                "id: a\nname: A\ninstructions: x\ninstructions_small: {}\n",
                "word ".repeat(400)
            ))
        ),
        (
            "too many tools",
            &agent(&format!(
                "id: a\nname: A\ninstructions: x\ncapabilities: [{}]\n",
                (0..70)
                    .map(|n| format!("c{n}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ))
        ),
    ]));
}

#[test]
fn workflows_whose_people_or_parts_are_missing() {
    let workflow = |rest: &str| format!("schema: bwana.workflow/v1\nid: a\nname: A\n{rest}");
    insta::assert_snapshot!(reports(&[
        (
            "an unknown agent, misspelt",
            &workflow("agents: [operation, nobody]\nsteps: [One]\n")
        ),
        ("no agents", &workflow("agents: []\nsteps: [One]\n")),
        (
            "an agent twice",
            &workflow("agents: [operations, operations]\nsteps: [One]\n")
        ),
        ("no steps", &workflow("agents: [operations]\nsteps: []\n")),
        (
            "an agent that never speaks",
            &workflow(
                "agents: [operations, customer_service]\nsteps: [{name: One, agent: operations}]\n"
            )
        ),
        (
            "a broken agent",
            &format!(
                "schema: bwana.agent/v1\nid: bad\nname: Bad\ninstructions: '{{{{ x }}}}'\n---\n{}",
                workflow("agents: [bad]\nsteps: [One]\n")
            )
        ),
        (
            "an input that is no schema",
            &workflow("agents: [operations]\ninput: {type: strin}\nsteps: [One]\n")
        ),
        (
            "an input from the internet",
            &workflow(
                "agents: [operations]\ninput: {$ref: 'https://example.org/input.json'}\nsteps: [One]\n"
            )
        ),
        (
            "an input that is a text",
            &workflow("agents: [operations]\ninput: string\nsteps: [One]\n")
        ),
        (
            "limits of nothing",
            &workflow(
                "agents: [operations]\nlimits: {max_round: 0, budget_usd: 0, tokens: 0, calls: 0, turns: 0, elapsed: 0s}\nsteps: [One]\n"
            )
        ),
        (
            "a chat without end",
            &workflow("agents: [operations]\nlimits: {max_round: 100000}\nsteps: [One]\n")
        ),
        (
            "101 steps",
            &workflow(&format!(
                "agents: [operations]\nsteps: [{}]\n",
                (0..101)
                    .map(|n| format!("S{n}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ))
        ),
    ]));
}

#[test]
fn steps_that_cannot_work() {
    insta::assert_snapshot!(step_reports(&[
        (
            "an agent outside the workflow",
            "  - {name: One, agent: customer_service}\n  - {name: Two, agents: [operatons]}\n"
        ),
        (
            "two ways of working",
            "  - {name: One, agent: operations, chat: {agents: [operations, sales_marketing]}}\n"
        ),
        ("nobody works", "  - {name: One, agents: []}\n"),
        (
            "the same id twice",
            "  - {id: x, name: One}\n  - {id: x, name: Two}\n"
        ),
        ("an id that is none", "  - {id: Step-1, name: One}\n"),
        ("no name", "  - {name: ''}\n"),
        ("an empty task", "  - {name: One, task: ' '}\n"),
        (
            "a result that is not there yet",
            "  - {name: One, task: 'See {{ results.two }}'}\n  - {name: Two, task: 'See {{ results.one }} and {{ results.on }}'}\n"
        ),
        (
            "reads a later step",
            "  - {name: One, reads: [two]}\n  - Two\n"
        ),
        ("reads itself", "  - {id: one, name: One, reads: [one]}\n"),
        (
            "reads a step by its name",
            "  - Research target market\n  - {name: Two, reads: [Research target market, resarch_target_market]}\n"
        ),
        ("reads nothing there is", "  - {name: One, reads: [zero]}\n"),
        (
            "reads the branch beside it",
            "  - name: Both\n    parallel: {steps: [{id: a, name: A}, {id: b, name: B, reads: [a, both]}]}\n"
        ),
        (
            "reads a branch from outside",
            "  - name: Both\n    parallel: {steps: [{id: a, name: A}, {id: b, name: B}]}\n  - {name: Two, reads: [a]}\n"
        ),
        (
            "a tool that nobody there has",
            "  - {name: One, agent: operations, tools: [file.wirte, linkedin.search]}\n"
        ),
        (
            "rounds without a chat",
            "  - {name: One, limits: {max_round: 3}}\n"
        ),
        (
            "an output in no form",
            "  - {name: One, agent: operations, output: {type: array}}\n"
        ),
        (
            "an output outside the grammar",
            "  - {name: One, agent: operations, output: {type: object, properties: {a: {type: string, pattern: x}, b: {anyOf: [{type: string}, {type: 'null'}]}}}}\n"
        ),
        (
            "an output that contains itself",
            "  - {name: One, agent: operations, output: {type: object, properties: {a: {$ref: '#/$defs/n'}}, $defs: {n: {type: object, properties: {n: {$ref: '#/$defs/n'}}}}}}\n"
        ),
        (
            "an output of a chat",
            "  - {name: One, output: {type: object, properties: {}}, chat: {agents: [operations, sales_marketing]}}\n"
        ),
    ]));
}

#[test]
fn joins_that_can_never_be_met() {
    insta::assert_snapshot!(step_reports(&[
        (
            "a join over nothing",
            "  - {name: Both, parallel: {steps: []}}\n"
        ),
        (
            "any over nothing",
            "  - {name: Both, parallel: {join: any, steps: []}}\n"
        ),
        (
            "nothing in flight",
            "  - {name: Both, parallel: {width: 0, steps: [A, B]}}\n"
        ),
        ("one branch", "  - {name: Both, parallel: {steps: [A]}}\n"),
        (
            "a branch that can never finish",
            "  - name: Both\n    parallel: {steps: [{name: A, agent: operations}, {name: B, limits: {calls: 1}}]}\n  - After\n  - Last\n"
        ),
        (
            "no branch that can finish",
            "  - name: Both\n    parallel: {join: any, steps: [{name: A, limits: {turns: 1}}, {name: B, limits: {calls: 1}}]}\n"
        ),
        (
            "one branch that can finish is enough for any",
            "  - name: Both\n    parallel: {join: any, steps: [{name: A, agent: operations}, {name: B, limits: {calls: 1}}]}\n"
        ),
        (
            "parallel inside parallel inside parallel inside parallel",
            "  - {name: A, parallel: {steps: [{name: B, parallel: {steps: [{name: C, parallel: {steps: [{name: D, parallel: {steps: [E, F]}}, X]}}, X]}}, X]}}\n"
        ),
        (
            "a task nobody reads",
            "  - {name: Both, task: Do it, parallel: {steps: [A, B]}}\n"
        ),
    ]));
}

#[test]
fn steps_that_can_never_be_reached() {
    let limited = |limits: &str, text: &str| {
        steps(text).replace("steps:\n", &format!("limits: {{{limits}}}\nsteps:\n"))
    };
    insta::assert_snapshot!(reports(&[
        (
            "more turns than the workflow has",
            &limited("turns: 4", "  - One\n  - Two\n  - Three\n  - Four\n")
        ),
        (
            "a step that does not fit any more",
            &limited("turns: 3", "  - One\n  - Two\n")
        ),
        (
            "more calls than the workflow has",
            &limited(
                "calls: 3",
                "  - {name: One, chat: {agents: [operations, sales_marketing], max_round: 4}}\n  - Two\n"
            )
        ),
        (
            "a first step that cannot finish",
            &limited(
                "turns: 50",
                "  - {name: One, limits: {turns: 1}}\n  - Two\n  - Three\n"
            )
        ),
        (
            "exactly enough",
            &limited("turns: 4, calls: 4", "  - One\n  - Two\n")
        ),
    ]));
}

#[test]
fn chats_that_cannot_go_on_or_never_stop() {
    let chat = |rest: &str| {
        format!("  - {{name: Talk, chat: {{agents: [operations, sales_marketing], {rest}}}}}\n")
    };
    let cases = [
        (
            "a monologue that may not repeat",
            String::from(
                "  - {name: Talk, chat: {agents: [operations], allow_repeat: false}}\n  - {name: Then}\n",
            ),
        ),
        (
            "a selector with nobody to select",
            String::from(
                "  - {name: Talk, chat: {agents: [operations], select: selector}}\n  - {name: Then}\n",
            ),
        ),
        (
            "a chat of nobody",
            String::from("  - {name: Talk, chat: {agents: []}}\n"),
        ),
        (
            "a stranger in the chat",
            String::from(
                "  - {name: Talk, chat: {agents: [operations, customer_service]}}\n  - Then\n",
            ),
        ),
        ("an empty any", chat("stop: {any: []}")),
        ("an empty all", chat("stop: {all: []}")),
        ("not of not", chat("stop: {not: {not: {text: DONE}}}")),
        ("not of a counter", chat("stop: {not: {rounds: 3}}")),
        (
            "two speakers at once",
            chat("stop: {all: [{source: operations}, {source: sales_marketing}]}"),
        ),
        (
            "something and its opposite",
            chat("stop: {all: [{text: DONE}, {not: {text: DONE}}]}"),
        ),
        (
            "something or its opposite",
            chat("stop: {any: [{text: DONE}, {not: {text: DONE}}]}"),
        ),
        (
            "a speaker who is not there",
            chat("stop: {source: operation}"),
        ),
        ("a tool nobody has", chat("stop: {tool_called: file.wirte}")),
        ("an empty text", chat("stop: {text: ''}")),
        (
            "progress as a reason to stop",
            chat("stop: {no_progress: false}"),
        ),
        (
            "zero of everything",
            chat(
                "stop: {any: [{rounds: 0}, {messages: 0}, {tokens: 0}, {cost: 0}, {elapsed: 0s}]}",
            ),
        ),
        (
            "later than the last round",
            chat("max_round: 4, stop: {all: [{rounds: 9}, {text: DONE}]}"),
        ),
        (
            "rounds above max_round among others",
            chat("max_round: 4, stop: {any: [{rounds: 9}, {text: DONE}]}"),
        ),
        (
            "more than two max_rounds",
            String::from(
                "  - {name: Talk, limits: {max_round: 3}, chat: {agents: [operations, sales_marketing], max_round: 4}}\n",
            ),
        ),
        ("no rounds at all", chat("max_round: 0")),
    ];
    let cases: Vec<(&str, &str)> = cases
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    insta::assert_snapshot!(step_reports(&cases));
}
