//! The original configuration file, exactly in its shapes, and files of our own with several documents.

use bwana_types::agent::AgentKind;
use bwana_types::error::ErrorCode;
use bwana_types::workflow::StepEntry;
use bwana_workflow::definition::{
    Import, Issue, Known, import, is_original, parse, shipped, validate_agent, validate_workflow,
};

use super::installed;

/// The configuration of the five agents and two workflows, as it stands.
const ORIGINAL: &str = r#"{
  "version": "1.0.0",
  "agent_integration": {
    "enabled": true,
    "websocket_url": "ws://localhost:8765",
    "available_agents": [
      {
        "id": "business_intelligence",
        "name": "Business Intelligence Agent",
        "type": "analysis",
        "tools": ["AnythingLLM", "Web Research", "Data Analysis", "ArangoDB"],
        "capabilities": ["market_analysis", "competitor_research", "financial_modeling"]
      },
      {
        "id": "technical_implementation",
        "name": "Technical Implementation Agent",
        "type": "development",
        "tools": ["Coder", "OneDev", "Docker", "EasyPanel"],
        "capabilities": ["code_generation", "deployment", "infrastructure_setup"]
      },
      {
        "id": "customer_service",
        "name": "Customer Service Agent",
        "type": "support",
        "tools": ["WordPress", "Keycloak", "Email", "SMS"],
        "capabilities": ["user_management", "support_tickets", "communication"]
      },
      {
        "id": "sales_marketing",
        "name": "Sales & Marketing Agent",
        "type": "business",
        "tools": ["LinkedIn", "Email", "WordPress", "Odoo"],
        "capabilities": ["lead_generation", "content_creation", "campaign_management"]
      },
      {
        "id": "operations",
        "name": "Operations Agent",
        "type": "operations",
        "tools": ["Odoo", "Plane", "Monitoring", "Backup"],
        "capabilities": ["process_automation", "monitoring", "backup_management"]
      }
    ],
    "workflow_templates": [
      {
        "id": "business_setup",
        "name": "Complete Business Setup",
        "agents": ["business_intelligence", "technical_implementation", "customer_service"],
        "steps": [
          "Analyze business requirements",
          "Generate technical solution",
          "Implement infrastructure",
          "Configure user accounts",
          "Test and validate setup"
        ]
      },
      {
        "id": "market_expansion",
        "name": "African Market Expansion",
        "agents": ["business_intelligence", "sales_marketing"],
        "steps": [
          "Research target market",
          "Analyze competition",
          "Generate market entry strategy",
          "Create marketing materials",
          "Execute outreach campaign"
        ]
      }
    ]
  }
}"#;

fn imported(text: &str) -> Import {
    import(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// Errors of everything imported.
fn errors(import: &Import) -> Vec<Issue> {
    let agents = import
        .agents
        .iter()
        .map(|(agent, _)| (agent.id.clone(), agent.clone()))
        .collect();
    let tools = installed();
    let known = Known {
        agents: &agents,
        tools: &tools,
    };
    let of_agents = import
        .agents
        .iter()
        .flat_map(|(agent, _)| validate_agent(agent, &known));
    let of_workflows = import
        .workflows
        .iter()
        .flat_map(|(workflow, _)| validate_workflow(workflow, &known));
    of_agents
        .chain(of_workflows)
        .filter(Issue::is_error)
        .collect()
}

#[test]
fn the_original_configuration_becomes_agents_and_workflows_that_are_valid() {
    assert!(is_original(ORIGINAL.as_bytes()));
    let import = imported(ORIGINAL);
    assert_eq!(errors(&import), []);
    let agents: Vec<(&str, AgentKind)> = import
        .agents
        .iter()
        .map(|(agent, _)| (agent.name.as_str(), agent.kind))
        .collect();
    assert_eq!(
        agents,
        [
            ("Business Intelligence Agent", AgentKind::Analysis),
            ("Technical Implementation Agent", AgentKind::Development),
            ("Customer Service Agent", AgentKind::Support),
            ("Sales & Marketing Agent", AgentKind::Business),
            ("Operations Agent", AgentKind::Operations),
        ]
    );
    let (first, _) = &import.agents[0];
    assert_eq!(
        first.tools,
        ["AnythingLLM", "Web Research", "Data Analysis", "ArangoDB"]
    );
    assert_eq!(
        first.capabilities,
        [
            "market_analysis",
            "competitor_research",
            "financial_modeling"
        ]
    );
    assert_eq!(
        first.instructions,
        shipped().agents["business_intelligence"].instructions
    );
    let (setup, _) = &import.workflows[0];
    assert_eq!(
        (setup.id.as_str(), setup.name.as_str()),
        ("business_setup", "Complete Business Setup")
    );
    assert_eq!(
        setup.agents,
        [
            "business_intelligence",
            "technical_implementation",
            "customer_service"
        ]
    );
    assert_eq!(
        setup.steps[4],
        StepEntry::Name(String::from("Test and validate setup"))
    );
    assert_eq!(import.workflows[1].0.steps.len(), 5);
    assert_eq!(
        import.notes.len(),
        5,
        "each agent says where its instructions come from"
    );
}

#[test]
fn the_shipped_workflows_have_the_agents_and_steps_of_the_original() {
    for (original, _) in imported(ORIGINAL).workflows {
        let (ours, _) = &shipped().workflows[&original.id];
        assert_eq!(
            (&ours.name, &ours.agents),
            (&original.name, &original.agents)
        );
        let names = |steps: &[StepEntry]| -> Vec<String> {
            let name = |step: &StepEntry| match step {
                StepEntry::Name(name) => name.clone(),
                StepEntry::Full(step) => step.name.clone(),
            };
            steps.iter().map(name).collect()
        };
        assert_eq!(names(&ours.steps), names(&original.steps));
    }
}

#[test]
fn sections_may_stand_at_the_top_and_be_maps_by_id() {
    let import = imported(
        "available_agents:
  market-research: {name: Market Research, type: Business Analytics, capabilities: [surveys], tools: Web Research}
  Help Desk: {type: customer support}
workflow_templates:
  launch: {name: Launch, agents: [market-research, Help Desk], steps: [Ask, {name: Answer, agent: Help Desk, description: 'With {{ care }}'}]}
theme: dark
",
    );
    assert_eq!(errors(&import), []);
    let told = format!(
        "{:#}",
        serde_json::json!({
            "agents": import.agents.iter().map(|(agent, _)| agent).collect::<Vec<_>>(),
            "workflows": import.workflows.iter().map(|(workflow, _)| workflow).collect::<Vec<_>>(),
            "notes": import.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    );
    insta::assert_snapshot!(told);
}

#[test]
fn the_same_content_has_the_same_hash_in_json_and_yaml() {
    let json = br#"{"steps": ["One"], "agents": ["operations"], "limits": {"budget_usd": 1}, "name": "A", "id": "a", "schema": "bwana.workflow/v1"}"#;
    let yaml = b"# a comment\nschema: bwana.workflow/v1\nid: a\nname: 'A'\nagents:\n- operations\nlimits: {budget_usd: 1.00}\nsteps:\n  - One\n";
    let hash = |bytes: &[u8]| parse(bytes).unwrap()[0].hash;
    assert_eq!(hash(json), hash(yaml));
    let other = String::from_utf8_lossy(yaml).replace("One", "Two");
    assert_ne!(hash(json), hash(other.as_bytes()));
}

#[test]
fn what_is_wrong_with_an_original_file_is_said_with_its_place() {
    let check = |text: &str, expected: &[&str]| {
        let error = import(text.as_bytes()).unwrap_err();
        assert_eq!(error.code, ErrorCode::DefinitionInvalid);
        let issues: Vec<String> = error.errors().map(ToString::to_string).collect();
        assert_eq!(issues, expected);
    };
    check(
        "available_agents: soon\n",
        &["line 1, available_agents: expected a list or a group by id, found the text 'soon'"],
    );
    check(
        "agent_integration: {}\n",
        &["the file has neither `available_agents` nor `workflow_templates`"],
    );
    check(
        "available_agents:\n  - {name: [A]}\n  - bob\nworkflow_templates:\n  - {id: x, agents: [a], steps: [1]}\n",
        &[
            "line 2, available_agents[0].name: expected text, found a list",
            "line 2, available_agents[0]: `id` is missing, and so is a name to make one from",
            "line 3, available_agents[1]: expected a group with `id` and `name`, found the text 'bob'",
            "line 5, workflow_templates[0].steps[0]: expected the name of a step, found the number 1",
            "line 5, workflow_templates[0]: `steps` is missing or empty",
        ],
    );
}
