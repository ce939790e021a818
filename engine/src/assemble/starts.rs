//! Wires the functions by which state machines start pipelines and hear of their end.

use engine_events::book::Wanted;
use serde_json::json;

use super::wire::{WireError, keeps, make_table, wakes};
use crate::{config::Config, eventbridge::EventRules, store::tables::Tables};

const START: &str = "task-start-pipeline";
const RESUME: &str = "event-pipeline";
/// The rule that wakes `event-pipeline`, with the pattern of `infra/template.yaml`.
const CHANGES: &str = "stagewright-event-pipeline";

/// Gives `task-start-pipeline` its table and wakes `event-pipeline` at every change of a pipeline. Without
/// `[function.task-start-pipeline]` nothing is done.
///
/// # Errors
/// When the table or the rule cannot be made.
pub async fn wire(
    config: &mut Config,
    tables: &Tables,
    rules: &EventRules,
) -> Result<(), WireError> {
    if !config.function.contains_key(START) {
        return Ok(());
    }
    make_table(tables).await?;
    for name in [START, RESUME] {
        keeps(config, name);
    }
    let kind = |of: &str| format!("CodePipeline {of} Execution State Change");
    let pattern = json!({
        "source": ["aws.codepipeline"],
        "detail-type": [kind("Pipeline"), kind("Stage"), kind("Action")],
    });
    let rule = Wanted {
        name: CHANGES.to_owned(),
        description: Some(
            "Wakes event-pipeline; made by [function.task-start-pipeline].".to_owned(),
        ),
        pattern: Some(pattern.to_string()),
        ..Wanted::default()
    };
    wakes(config, rules, RESUME, vec![rule])
}
