//! A tool that does not keep the rules: what `run` makes of it.

use std::time::Duration;

use bwana_tools::{Sent, Tool, ToolCtx, ToolError, ToolOutput, run};
use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::tool::{ToolLimits, ToolSpec};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::support::Bench;

/// A tool that does not keep the rules.
pub(crate) struct Odd {
    spec: ToolSpec,
    behaviour: Behaviour,
}

#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
    /// Answers with so many bytes.
    Answer(usize),
    Panic,
    /// Ignores deadline and cancellation.
    Hang,
}

impl Odd {
    pub(crate) fn new(name: &str, schema: Value, behaviour: Behaviour) -> Self {
        let limits = ToolLimits {
            output_max_bytes: 100,
            ..ToolLimits::default()
        };
        Self {
            spec: ToolSpec {
                name: name.into(),
                version: "1".into(),
                description: String::new(),
                input_schema: schema,
                risk: RiskClass::Contact,
                effect: EffectClass::AtMostOnce,
                limits,
            },
            behaviour,
        }
    }

    fn with(effect: EffectClass, behaviour: Behaviour) -> Self {
        let mut tool = Self::new(
            "odd.tool",
            json!({"type": "object", "additionalProperties": false}),
            behaviour,
        );
        tool.spec.effect = effect;
        tool
    }
}

impl Tool for Odd {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn preview(&self, _: &Value) -> String {
        String::new()
    }

    fn call(&self, _: ToolCtx, _: Value) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        match self.behaviour {
            Behaviour::Answer(bytes) => {
                async move { Ok(ToolOutput::text("é".repeat(bytes / 2))) }.boxed()
            }
            Behaviour::Panic => panic!("before the future"),
            Behaviour::Hang => std::future::pending().boxed(),
        }
    }
}

fn odd_ctx(bench: &Bench, tool: &Odd) -> ToolCtx {
    ToolCtx {
        limits: tool.spec.limits,
        deadline: tokio::time::Instant::now() + Duration::from_secs(5),
        ..bench.ctx("http.get")
    }
}

#[tokio::test]
async fn a_long_answer_is_cut_within_the_limit_and_says_so() {
    let bench = Bench::new();
    for (bytes, cut) in [(0, false), (100, false), (102, true), (100_000, true)] {
        let tool = Odd::with(EffectClass::Pure, Behaviour::Answer(bytes));
        let output = run(&tool, odd_ctx(&bench, &tool), json!({})).await.unwrap();
        assert!(output.content.len() <= 100);
        assert_eq!(
            output
                .content
                .ends_with(&format!("[cut: {bytes} bytes in all]")),
            cut,
            "{}",
            output.content
        );
    }
}

#[tokio::test]
async fn a_tool_that_panics_is_an_error_that_fits_its_effect() {
    let bench = Bench::new();
    for (effect, doubt) in [
        (EffectClass::Pure, false),
        (EffectClass::Idempotent, false),
        (EffectClass::Paid, true),
        (EffectClass::Keyed, true),
        (EffectClass::AtMostOnce, true),
    ] {
        let tool = Odd::with(effect, Behaviour::Panic);
        let error = run(&tool, odd_ctx(&bench, &tool), json!({}))
            .await
            .unwrap_err();
        assert_eq!(error.may_have_happened(), doubt, "{effect:?}: {error:?}");
        assert!(!error.to_string().contains("before the future"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_hangs_is_dropped_and_its_effect_is_open() {
    let bench = Bench::new();
    for (effect, sent) in [
        (EffectClass::Idempotent, Sent::Nothing),
        (EffectClass::AtMostOnce, Sent::Perhaps),
    ] {
        let tool = Odd::with(effect, Behaviour::Hang);
        let error = run(&tool, odd_ctx(&bench, &tool), json!({}))
            .await
            .unwrap_err();
        assert!(
            matches!(error, ToolError::Timeout { sent: s, .. } if s == sent),
            "{error:?}"
        );
        let ctx = odd_ctx(&bench, &tool);
        let cancel = ctx.cancel.clone();
        let (outcome, ()) = tokio::join!(run(&tool, ctx, json!({})), async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            cancel.cancel();
        });
        assert_eq!(outcome.unwrap_err(), ToolError::Cancelled { sent });
    }
}
