//! What a run is pinned to: every default filled in, models and tools looked up.

use std::collections::BTreeMap;

use bwana_types::agent::AgentFile;
use bwana_types::definition::{ModelRef, Price, Work};
use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::hash::Hash;
use bwana_types::tool::{ToolLimits, ToolSpec};
use bwana_types::workflow::Limits;
use bwana_workflow::definition::{
    Ask, DefinitionError, ResolveOptions, Resolved, ask_workflow, parse_workflow, resolve, shipped,
};
use serde_json::json;

fn model(name: &str, small: bool) -> ModelRef {
    ModelRef {
        provider: String::from(if small { "local" } else { "cloud" }),
        model: name.to_owned(),
        context_tokens: if small { 4_096 } else { 128_000 },
        price: Price::FREE,
        constrained_tools: small,
        small,
    }
}

/// `default` is a large model, `local/tiny` a small one; nothing else is set up.
fn models(choice: &str) -> Result<ModelRef, ApiError> {
    match choice {
        "default" => Ok(model("large", false)),
        "local/tiny" => Ok(model("tiny", true)),
        other => Err(ApiError::new(
            ErrorCode::ProviderUnknown,
            format!("there is no provider for {other}"),
        )),
    }
}

fn tools() -> BTreeMap<String, ToolSpec> {
    let tool = |name: &str| ToolSpec {
        name: name.to_owned(),
        version: String::from("1"),
        description: String::new(),
        input_schema: json!({"type": "object"}),
        risk: RiskClass::ReadLocal,
        effect: EffectClass::Idempotent,
        limits: ToolLimits::default(),
    };
    ["file.read", "file.write"]
        .map(|name| (name.to_owned(), tool(name)))
        .into()
}

fn resolved(
    text: &str,
    change: impl Fn(&mut BTreeMap<String, AgentFile>),
    options: &ResolveOptions,
) -> Result<Resolved, DefinitionError> {
    let (workflow, hash) = parse_workflow(text.as_bytes())?;
    let mut agents = shipped().agents.clone();
    change(&mut agents);
    resolve(&workflow, hash, &agents, &tools(), &models, options)
}

const WORKFLOW: &str = "schema: bwana.workflow/v1
id: test
name: Test
agents: [operations, sales_marketing]
limits: {max_round: 7, budget_usd: 0.25, elapsed: 2h}
steps:
  - Research target market
  - Research target market
  - {name: Talk, chat: {agents: [operations, sales_marketing]}}
  - {name: Short talk, limits: {max_round: 3, turns: 9}, chat: {agents: [operations, sales_marketing], select: selector}}
  - name: Both
    tools: [file.read, web.fetch]
    reads: [talk]
    parallel: {width: 9, steps: [{name: One, agent: operations}, {name: Two, reads: [short_talk]}]}
  - {name: Last, agents: [sales_marketing, operations], approve: plan, output: {type: object, properties: {ok: {type: boolean}}}}
";

#[test]
fn every_default_is_filled_in() {
    let resolved = resolved(WORKFLOW, |_| {}, &ResolveOptions::default()).unwrap();
    let definition = serde_json::to_value(&resolved.definition).unwrap();
    let told = format!(
        "{:#}",
        json!({
            "limits": definition["limits"],
            "steps": definition["steps"],
            "tools": definition["tools"].as_object().unwrap().keys().collect::<Vec<_>>(),
            "agent tools": definition["agents"]["operations"]["tools"],
            "notes": resolved.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    );
    insta::assert_snapshot!(told);
    let bytes = resolved.definition.to_bytes();
    let again: bwana_types::definition::Definition = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(again, resolved.definition);
    assert_eq!(again.hash(), Hash::of(&bytes));
}

#[test]
fn a_small_model_gets_the_compact_instructions_and_half_of_its_context_for_answers() {
    let small = |agents: &mut BTreeMap<String, AgentFile>| {
        let agent = agents.get_mut("operations").unwrap();
        agent.model = serde_json::from_value(json!("local/tiny")).unwrap();
        agent.max_output_tokens = Some(100_000);
    };
    let definition = resolved(WORKFLOW, small, &ResolveOptions::default())
        .unwrap()
        .definition;
    let shipped = shipped();
    assert_eq!(
        Some(&definition.agents["operations"].instructions),
        shipped.agents["operations"].instructions_small.as_ref()
    );
    assert_eq!(definition.agents["operations"].max_output_tokens, 2_048);
    assert_eq!(
        definition.agents["sales_marketing"].instructions,
        shipped.agents["sales_marketing"].instructions
    );
    assert_eq!(
        definition.agents["sales_marketing"].max_output_tokens,
        2_048
    );
}

#[test]
fn a_fallback_chain_keeps_what_can_be_had_and_tells_the_rest() {
    let chain = |models: serde_json::Value| {
        move |agents: &mut BTreeMap<String, AgentFile>| {
            agents.get_mut("operations").unwrap().model =
                serde_json::from_value(models.clone()).unwrap();
        }
    };
    let kept = resolved(
        WORKFLOW,
        chain(json!(["openai/x", "default", "default", "local/tiny"])),
        &ResolveOptions::default(),
    )
    .unwrap();
    let names: Vec<&str> = kept.definition.agents["operations"]
        .models
        .iter()
        .map(|model| model.model.as_str())
        .collect();
    assert_eq!(names, ["large", "tiny"]);
    assert!(
        kept.notes
            .iter()
            .any(|note| note.reason.contains("openai/x"))
    );
    let error = resolved(
        WORKFLOW,
        chain(json!(["openai/x", "openai/y"])),
        &ResolveOptions::default(),
    )
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::ProviderUnknown);
    assert_eq!(error.errors().count(), 2);
    assert!(error.to_string().contains("agents[0]"), "{error}");
}

#[test]
fn a_model_chosen_for_everybody_that_cannot_be_had_is_said_once() {
    let options = ResolveOptions {
        model: Some(String::from("openai/x")),
        ..ResolveOptions::default()
    };
    let error = resolved(WORKFLOW, |_| {}, &options).unwrap_err();
    assert_eq!(error.errors().count(), 1);
    let error = ApiError::from(error);
    assert_eq!(error.code, ErrorCode::ProviderUnknown);
    assert_eq!(error.message, "there is no provider for openai/x");
    assert_eq!(error.hint, ErrorCode::ProviderUnknown.hint());
}

#[test]
fn a_run_may_choose_the_model_and_tighten_the_limits() {
    let options = ResolveOptions {
        locale: String::from("sw-KE"),
        limits: Limits {
            calls: Some(40),
            max_round: Some(2),
            ..Limits::default()
        },
        model: Some(String::from("local/tiny")),
        ..ResolveOptions::default()
    };
    let definition = resolved(WORKFLOW, |_| {}, &options).unwrap().definition;
    assert!(
        definition
            .agents
            .values()
            .all(|agent| agent.models.len() == 1 && agent.models[0].small)
    );
    assert_eq!(
        (
            definition.limits.calls,
            definition.limits.micro_usd.map(|usd| usd.0)
        ),
        (Some(40), Some(250_000))
    );
    assert_eq!(definition.locale, "sw-KE");
    let rounds: Vec<u32> = definition
        .steps
        .iter()
        .filter_map(|step| match &step.work {
            Work::Chat(chat) => Some(chat.max_round),
            _ => None,
        })
        .collect();
    assert_eq!(rounds, [2, 3], "a chat's own number stands");
}

#[test]
fn a_model_held_by_grammar_refuses_an_output_outside_the_grammar() {
    let text = WORKFLOW.replace("{type: boolean}", "{type: string, pattern: x}");
    let options = ResolveOptions {
        model: Some(String::from("local/tiny")),
        ..ResolveOptions::default()
    };
    let error = resolved(&text, |_| {}, &options).unwrap_err();
    let shown = error.to_string();
    assert!(
        shown
            .starts_with("steps[5].output.properties.ok.pattern: `pattern` is outside the grammar"),
        "{shown}"
    );
    assert!(resolved(&text, |_| {}, &ResolveOptions::default()).is_ok());
}

#[test]
fn a_workflow_that_is_not_valid_is_not_resolved() {
    let text = WORKFLOW.replace("agents: [sales_marketing, operations]", "agents: [bob]");
    let error = resolved(&text, |_| {}, &ResolveOptions::default()).unwrap_err();
    assert_eq!(error.code, ErrorCode::DefinitionUnknownAgent);
}

#[track_caller]
fn check_ask(whom: Ask<'_>, question: &str, chat_or_agent: &[&str]) {
    let agents = &shipped().agents;
    let plan = ask_workflow(whom, agents, question);
    let definition = resolve(
        &plan.workflow,
        plan.hash,
        agents,
        &tools(),
        &models,
        &ResolveOptions::default(),
    )
    .unwrap()
    .definition;
    assert_eq!(definition.workflow.slug, "ask");
    assert_eq!(definition.steps.len(), 1);
    let speakers = match &definition.steps[0].work {
        Work::Speak { agents } => agents,
        Work::Chat(chat) => {
            assert!(chat.max_round <= 6);
            &chat.agents
        }
        Work::Parallel(_) | Work::Pinned { .. } => panic!("a question is not split"),
    };
    assert_eq!(speakers, chat_or_agent);
}

#[test]
fn a_question_goes_to_the_agent_named_or_to_those_of_the_team_it_fits() {
    let team: Vec<String> = shipped().agents.keys().cloned().collect();
    check_ask(Ask::Agent("operations"), "Anything", &["operations"]);
    check_ask(
        Ask::Team(&team),
        "Install Docker",
        &["technical_implementation"],
    );
    check_ask(
        Ask::Team(&team),
        "A customer wants a refund for late delivery; the supplier was late and our stock is empty",
        &["operations", "customer_service"],
    );
    check_ask(Ask::Team(&team[..1]), "Hello?", &[team[0].as_str()]);
}

#[test]
fn a_question_to_an_unknown_agent_is_refused_by_name() {
    let agents = &shipped().agents;
    let plan = ask_workflow(Ask::Agent("operation"), agents, "Hello");
    let error = resolve(
        &plan.workflow,
        plan.hash,
        agents,
        &tools(),
        &models,
        &ResolveOptions::default(),
    )
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::DefinitionUnknownAgent);
    assert!(
        error.to_string().contains("did you mean `operations`?"),
        "{error}"
    );
}

#[test]
fn every_shipped_workflow_resolves_for_the_small_model() {
    let options = ResolveOptions {
        model: Some(String::from("local/tiny")),
        ..ResolveOptions::default()
    };
    for (workflow, hash) in shipped().workflows.values() {
        let resolved = resolve(
            workflow,
            *hash,
            &shipped().agents,
            &tools(),
            &models,
            &options,
        )
        .unwrap();
        for step in &resolved.definition.steps {
            assert_eq!(
                step.tools.as_deref(),
                Some(&[][..]),
                "{}: no tool is offered without the web connector",
                step.name
            );
        }
    }
}
