//! The built-in workflow behind a single question: one agent, or the part of a team that fits it. Who fits is decided
//! by rule, from what each agent says it can do; a model is asked only where the rule finds several equally good.

use std::collections::{BTreeMap, BTreeSet};

use bwana_types::agent::{AgentFile, AgentKind};
use bwana_types::hash::Hash;
use bwana_types::workflow::{
    ChatFile, Limits, Select, StepEntry, StepFile, Summary, WORKFLOW_SCHEMA, WorkflowFile,
};

/// Turns a team may take over one question.
pub const ASK_MAX_ROUND: u32 = 6;
/// Agents that answer one question together.
const ASK_TEAM_MAX: usize = 3;
/// An agent takes part if it has at least one in this many of the best one's points.
const RELEVANT_SHARE: u32 = 3;
/// Bytes of the question that routing reads.
const ROUTE_MAX_BYTES: usize = 16 * 1024;

/// Whom a question goes to.
#[derive(Debug, Clone, Copy)]
pub enum Ask<'a> {
    Agent(&'a str),
    /// Ids of the team, in the order in which ties are broken where no model can.
    Team(&'a [String]),
}

/// How well an agent fits a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    pub agent: String,
    /// Points; 0: nothing it can do is named in the question.
    pub points: u32,
    /// The words that gave points, for people who ask why.
    pub words: Vec<String>,
}

/// The workflow for a question.
#[derive(Debug, Clone, PartialEq)]
pub struct AskPlan {
    pub workflow: WorkflowFile,
    pub hash: Hash,
    /// Every agent considered, best first.
    pub fits: Vec<Fit>,
}

/// The workflow `ask`: one step with the agent; or with the one of the team that fits best; or, if several fit, a chat
/// in which the best opens and closes. Agents that fit equally well are chosen among by a model, turn by turn.
/// A team without members gives a workflow that validation refuses.
pub fn ask_workflow(
    whom: Ask<'_>,
    agents: &BTreeMap<String, AgentFile>,
    question: &str,
) -> AskPlan {
    let (step, team, fits) = match whom {
        Ask::Agent(id) => {
            let step = StepFile {
                agent: Some(id.to_owned()),
                ..question_step()
            };
            (step, vec![id.to_owned()], Vec::new())
        }
        Ask::Team(ids) => {
            let fits = route(question, ids.iter().filter_map(|id| agents.get(id)));
            let (step, team) = team_step(ids, &fits);
            (step, team, fits)
        }
    };
    let workflow = WorkflowFile {
        schema: WORKFLOW_SCHEMA.to_owned(),
        id: String::from("ask"),
        name: String::from("Question"),
        description: String::from("One question, answered by an agent or by a team."),
        agents: team,
        input: None,
        limits: Limits::default(),
        steps: vec![StepEntry::Full(Box::new(step))],
    };
    let content = serde_json::to_value(&workflow).unwrap_or_default();
    AskPlan {
        hash: Hash::of_json(&content),
        workflow,
        fits,
    }
}

/// Ranks agents by how much of what they can do is named in the question. Deterministic; equal points keep the order
/// given.
pub fn route<'a>(question: &str, agents: impl IntoIterator<Item = &'a AgentFile>) -> Vec<Fit> {
    let question = &question[..question.floor_char_boundary(ROUTE_MAX_BYTES)];
    let asked = stems(question);
    let mut fits: Vec<Fit> = agents.into_iter().map(|agent| fit(agent, &asked)).collect();
    fits.sort_by_key(|fit| std::cmp::Reverse(fit.points));
    fits
}

/// How well a workflow fits a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowFit {
    pub workflow: String,
    /// Points, by the same measure as an agent's.
    pub points: u32,
    /// The words that gave points.
    pub words: Vec<String>,
    /// So many of them stand in the workflow's name.
    pub named: usize,
}

impl WorkflowFit {
    /// Whether the wish is about this workflow and not merely near it: one word of its name and another of its words.
    pub fn is_meant(&self) -> bool {
        self.named > 0 && self.words.len() > 1
    }
}

/// Ranks workflows by how much of what they are about is named in a wish. Deterministic; equal points keep the order
/// given.
pub fn route_workflows<'a>(
    wish: &str,
    workflows: impl IntoIterator<Item = &'a WorkflowFile>,
) -> Vec<WorkflowFit> {
    let wish = &wish[..wish.floor_char_boundary(ROUTE_MAX_BYTES)];
    let asked = stems(wish);
    let fit = |workflow: &WorkflowFile| {
        let names = workflow.steps.iter().map(|step| match step {
            StepEntry::Name(name) => name.as_str(),
            StepEntry::Full(step) => step.name.as_str(),
        });
        let steps = names.collect::<Vec<_>>().join(" ");
        let sources = [
            (workflow.name.as_str(), 3),
            (steps.as_str(), 2),
            (workflow.description.as_str(), 1),
        ];
        let best = matched(&sources, &asked);
        let name = stems(&workflow.name);
        WorkflowFit {
            workflow: workflow.id.clone(),
            points: best.values().sum(),
            named: best.keys().filter(|word| name.contains(*word)).count(),
            words: best.into_keys().collect(),
        }
    };
    let mut fits: Vec<WorkflowFit> = workflows.into_iter().map(fit).collect();
    fits.sort_by_key(|fit| std::cmp::Reverse(fit.points));
    fits
}

/// The workflow a wish speaks of, if it speaks of one more than of any other and of no agent more than of it. Both lists
/// come best first.
pub fn meant_workflow<'a>(workflows: &'a [WorkflowFit], agents: &[Fit]) -> Option<&'a WorkflowFit> {
    let [best, others @ ..] = workflows else {
        return None;
    };
    let alone = others
        .first()
        .is_none_or(|other| other.points < best.points);
    let no_agent = agents
        .first()
        .is_none_or(|agent| agent.points <= best.points);
    (best.is_meant() && alone && no_agent).then_some(best)
}

fn question_step() -> StepFile {
    StepFile {
        id: Some(String::from("answer")),
        name: String::from("Answer the question"),
        ..StepFile::default()
    }
}

fn team_step(ids: &[String], fits: &[Fit]) -> (StepFile, Vec<String>) {
    let best = fits.first().map_or(0, |fit| fit.points);
    let tied: Vec<String> = fits
        .iter()
        .filter(|fit| fit.points == best)
        .map(|fit| fit.agent.clone())
        .collect();
    let relevant: Vec<String> = fits
        .iter()
        .filter(|fit| fit.points > 0 && fit.points * RELEVANT_SHARE >= best)
        .take(ASK_TEAM_MAX)
        .map(|fit| fit.agent.clone())
        .collect();
    let (agents, select) = match (tied.len(), relevant.len()) {
        (0, _) => (ids.to_vec(), Select::RoundRobin),
        (1, 0 | 1) => (tied, Select::RoundRobin),
        (1, _) => (relevant, Select::RoundRobin),
        _ => (tied, Select::Selector),
    };
    if let [only] = agents.as_slice() {
        return (
            StepFile {
                agent: Some(only.clone()),
                ..question_step()
            },
            agents,
        );
    }
    // Round robin comes back to the best agent, which then has heard the others and gives the answer.
    let rounds = u32::try_from(agents.len() + 1)
        .unwrap_or(ASK_MAX_ROUND)
        .min(ASK_MAX_ROUND);
    let chat = ChatFile {
        agents: agents.clone(),
        select,
        allow_repeat: None,
        max_round: Some(rounds),
        stop: None,
        summary: Summary::LastMessage,
    };
    (
        StepFile {
            chat: Some(chat),
            ..question_step()
        },
        agents,
    )
}

/// Points for a word of the question: found in a capability, in the name, among the words of the agent's type, in the
/// description.
const POINTS: [u32; 4] = [3, 3, 2, 1];

fn fit(agent: &AgentFile, asked: &BTreeSet<String>) -> Fit {
    let capabilities = agent.capabilities.join(" ").replace('_', " ");
    let sources = [
        capabilities.as_str(),
        agent.name.as_str(),
        keywords(agent.kind),
        agent.description.as_str(),
    ];
    let sources: Vec<(&str, u32)> = sources.into_iter().zip(POINTS).collect();
    let best = matched(&sources, asked);
    Fit {
        agent: agent.id.clone(),
        points: best.values().sum(),
        words: best.into_keys().collect(),
    }
}

/// The words of a question that stand in some source, each with the points of the best one.
fn matched(sources: &[(&str, u32)], asked: &BTreeSet<String>) -> BTreeMap<String, u32> {
    let mut best: BTreeMap<String, u32> = BTreeMap::new();
    for (source, points) in sources {
        for word in stems(source)
            .intersection(asked)
            .filter(|word| !COMMON.split(' ').any(|common| common == word.as_str()))
        {
            let entry = best.entry(word.clone()).or_default();
            *entry = (*points).max(*entry);
        }
    }
    best
}

/// Words in every mouth: they tell nobody apart. As stems, see [`stems`].
const COMMON: &str = "agent help need want plan make give write busines compan team work with from this that what which \
    have your about small good into the and for our was are not you can how who why when has had its any all new next day writ \
    les des une pour avec est nos com para uma dos por kwa yetu una";

/// Words by which people ask for a kind of work, in the languages of our first users (English, French, Portuguese,
/// Swahili).
fn keywords(kind: AgentKind) -> &'static str {
    match kind {
        AgentKind::Analysis => {
            "analysis analyse analyze research market competitor competition data report forecast numbers trend survey \
             margin profit revenue cost price marché concurrence étude données prévision mercado concorrência dados \
             pesquisa soko utafiti takwimu ushindani"
        }
        AgentKind::Development => {
            "software code website site server api database deploy deployment docker install integration technical \
             architecture bug error backup domain ssl account login permission logiciel serveur base développement \
             técnico servidor código banco tovuti programu seva"
        }
        AgentKind::Support => {
            "customer client complaint complain refund support ticket faq reply answer onboarding training satisfaction \
             clients plainte remboursement réclamation cliente reclamação reembolso mteja wateja malalamiko msaada"
        }
        AgentKind::Business => {
            "sales sell selling marketing campaign advert advertising promotion brand lead customer offer proposal \
             outreach slogan social linkedin facebook instagram vente ventes publicité campagne vendas propaganda campanha \
             mauzo tangazo biashara"
        }
        AgentKind::Operations => {
            "operations operation process schedule stock inventory supplier delivery logistics invoice payment payroll \
             procurement purchase monitoring incident outage checklist procedure stocks livraison fournisseur facture \
             estoque fornecedor entrega fatura bidhaa usafirishaji malipo ankara"
        }
        AgentKind::Custom => "",
    }
}

/// The words of a text in lower case ASCII, without the endings by which forms of one English word differ.
fn stems(text: &str) -> BTreeSet<String> {
    let ascii = deunicode::deunicode(text).to_ascii_lowercase();
    ascii
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() >= 3)
        .map(stem)
        .collect()
}

fn stem(word: &str) -> String {
    let mut stem = word;
    for ending in [
        "ations", "ation", "ments", "ment", "ings", "ing", "ers", "er", "ors", "or", "ies", "es",
        "ed", "s", "e", "y",
    ] {
        if let Some(rest) = stem.strip_suffix(ending).filter(|rest| rest.len() >= 4) {
            stem = rest;
            break;
        }
    }
    stem.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::shipped;
    use super::*;

    #[track_caller]
    fn check(question: &str, expected: &str) {
        let agents = &shipped().agents;
        let fits = route(question, agents.values());
        assert_eq!(fits[0].agent, expected, "{question}: {fits:?}");
        assert!(
            fits[0].points > fits[1].points,
            "{question} is a tie: {fits:?}"
        );
    }

    #[test]
    fn questions_go_to_the_agent_whose_work_they_name() {
        check(
            "Who are our competitors in the Lagos market and what do they charge?",
            "business_intelligence",
        );
        check(
            "Set up a Docker server with daily backups for our web shop",
            "technical_implementation",
        );
        check(
            "A customer complains that her order never came. How do I reply?",
            "customer_service",
        );
        check(
            "Write a LinkedIn campaign for our new product",
            "sales_marketing",
        );
        check(
            "Our supplier is late again; organise stock and deliveries for next week",
            "operations",
        );
        check(
            "Rédige une réponse à la réclamation d'un client",
            "customer_service",
        );
        check("Andika tangazo la mauzo", "sales_marketing");
    }

    /// The workflow a wish goes to among all that ship, beside all agents that ship.
    #[track_caller]
    fn check_wish(wish: &str, expected: Option<&str>) {
        let shipped = shipped();
        let workflows = route_workflows(wish, shipped.workflows.values().map(|(file, _)| file));
        let agents = route(wish, shipped.agents.values());
        let meant = meant_workflow(&workflows, &agents).map(|fit| fit.workflow.as_str());
        assert_eq!(
            meant,
            expected,
            "{wish}: {:?}, {:?}",
            &workflows[..3],
            &agents[..2]
        );
    }

    /// How the owner of a small company would say it: each workflow that ships is found by more than one way of asking.
    const WISHES: &[(&str, &[&str])] = &[
        (
            "business_setup",
            &[
                "Complete setup for my new salon in Kisumu",
                "Business setup with user accounts for a bakery",
            ],
        ),
        (
            "market_expansion",
            &[
                "Plan a market expansion into Ghana",
                "Expansion to Kampala: research the market and the competition",
                "Help us with expansion into the African market with our solar lamps",
            ],
        ),
        (
            "weekly_operations_review",
            &[
                "Weekly review of our operations from these notes",
                "Review the operations of this week",
            ],
        ),
        (
            "price_list",
            &[
                "Write a price list for my bakery",
                "Make a quotation for a school that wants 120 breads, from our prices",
                "Quotation and price list for cement and nails",
            ],
        ),
        (
            "customer_replies",
            &[
                "Write replies to a complaint and a refund request",
                "What do I reply to a late delivery and a complaint?",
                "Prepare a refund reply for an angry buyer",
            ],
        ),
        (
            "debt_reminders",
            &[
                "Remind customers who owe me money",
                "Write debt reminders for WhatsApp",
                "Reminders to everybody who has a debt in my shop",
            ],
        ),
        (
            "stock_reorder",
            &[
                "Count my stock and tell me what to reorder",
                "Which stock runs out first and must be reordered?",
            ],
        ),
        (
            "supplier_order",
            &[
                "Compare two suppliers and write a purchase order",
                "Which supplier is cheaper for flour? I need a purchase order",
            ],
        ),
        (
            "cash_review",
            &[
                "Review the cash of this month",
                "Where did the cash go this month?",
            ],
        ),
        (
            "product_launch",
            &[
                "Launch our new product with posts on WhatsApp and Facebook",
                "Write launch posts for our mango juice in English and Swahili",
            ],
        ),
        (
            "opinion_survey",
            &[
                "Make a survey of our customers about the new menu",
                "What is the opinion of our customers? Write a survey",
            ],
        ),
        (
            "job_advert",
            &[
                "Write a job advert for a shop assistant",
                "Prepare interview questions and the first week for a driver",
            ],
        ),
        (
            "power_cut_plan",
            &[
                "Make a plan for power cuts in my butchery",
                "What must still work when the power is gone?",
            ],
        ),
        (
            "tender_checklist",
            &[
                "Which papers does this tender of the county ask for?",
                "Write a cover letter for the tender of the hospital",
                "Should we bid for this tender?",
            ],
        ),
        (
            "export_paperwork",
            &[
                "Which papers do I need to export coffee from Uganda to Kenya?",
                "Export checklist for shea butter from Ghana to Nigeria",
            ],
        ),
    ];

    #[test]
    fn a_wish_for_each_shipped_workflow_goes_to_it() {
        for (workflow, wishes) in WISHES {
            assert!(wishes.len() >= 2, "{workflow}");
            for wish in *wishes {
                check_wish(wish, Some(workflow));
            }
        }
        let asked: BTreeSet<&str> = WISHES.iter().map(|(workflow, _)| *workflow).collect();
        assert!(
            shipped()
                .workflows
                .keys()
                .map(String::as_str)
                .eq(asked.iter().copied())
        );
    }

    #[test]
    fn a_question_to_the_team_is_not_taken_for_a_workflow() {
        for wish in [
            "A customer complains that her order never came. How do I reply?",
            "Write a LinkedIn campaign for our new product",
            "Our supplier is late again; organise stock and deliveries for next week",
            "Set up a Docker server with daily backups for our web shop",
            "Who are our competitors in the Lagos market and what do they charge?",
            "Find new customers in Mombasa",
            "Answer the questions of our customers",
            "How many orders can we deliver by the end of the month?",
            "What should I do first this week?",
            "Write a letter to the bank",
            "Hello?",
        ] {
            check_wish(wish, None);
        }
    }

    #[test]
    fn a_question_that_names_nothing_is_a_tie_for_a_model() {
        let agents = &shipped().agents;
        let team: Vec<String> = agents.keys().cloned().collect();
        let plan = ask_workflow(Ask::Team(&team), agents, "Hello?");
        let StepEntry::Full(step) = &plan.workflow.steps[0] else {
            panic!("a full step")
        };
        let chat = step.chat.as_ref().unwrap();
        assert_eq!(chat.select, Select::Selector);
        assert_eq!(chat.agents.len(), team.len());
        assert_eq!(chat.max_round, Some(ASK_MAX_ROUND));
    }
}
