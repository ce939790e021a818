//! A pipeline as a target: each event starts it once, however often it is delivered.

use std::time::Duration;

use engine_events::{route::Delivery, start::Overrides};
use engine_plan::event::{Event, SourceRevisionOverride, Trigger};
use sha2::{Digest as _, Sha256};

use super::deliver::End;
use crate::{app::App, clock::Busy};

/// What EventBridge would retry for a day is tried this often; a pipeline at its limit of executions is the only such
/// refusal here. The pauses double.
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// Starts an execution with what the target's input says, if it has one of its own.
pub(super) async fn start(
    app: &App,
    name: &str,
    delivery: &Delivery,
    payload: &str,
    mut busy: Busy,
) -> End {
    let overrides = if delivery.target.has_input() {
        match Overrides::read(payload) {
            Ok(overrides) => overrides,
            Err(error) => return End::GivenUp(error.to_string()),
        }
    } else {
        Overrides::default()
    };
    let revision = |r: engine_events::start::Revision| SourceRevisionOverride {
        action_name: r.action_name,
        revision_type: r.revision_type,
        revision_value: r.revision_value,
    };
    let event = Event::Start {
        pipeline: name.to_owned(),
        trigger: Trigger {
            trigger_type: "CloudWatchEvent".to_owned(),
            trigger_detail: delivery.rule_arn.clone(),
            reference: None,
        },
        variables: overrides.variables,
        source_revisions: overrides
            .source_revisions
            .into_iter()
            .map(revision)
            .collect(),
        client_token: Some(token(delivery)),
    };
    let policy = delivery.target.retry_policy;
    let retries = policy.and_then(|policy| policy.maximum_retry_attempts);
    let attempts = retries.map_or(ATTEMPTS, |retries| ATTEMPTS.min(retries + 1));
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=attempts {
        match app.desk.submit(event.clone()).await {
            Ok(_) => return End::Over,
            Err(refusal) if refusal.is_internal() => return End::Again,
            Err(refusal) => {
                let full =
                    refusal.exception == "ConcurrentPipelineExecutionsLimitExceededException";
                if !full || attempt == attempts {
                    return End::GivenUp(refusal.to_string());
                }
            }
        }
        busy = app.clock.rest(busy, pause).await;
        pause *= 2;
    }
    End::Again
}

/// The same for each delivery of one event: a second one starts nothing.
fn token(delivery: &Delivery) -> String {
    let mut hash = Sha256::new();
    for part in [
        delivery.event["id"].as_str().unwrap_or_default(),
        &delivery.rule_arn,
        &delivery.target.id,
    ] {
        hash.update(part);
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..16])
}
