//! Brings events to their targets: in order for each target and resource, again after a restart until they are through.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use engine_events::{
    input::{Facts, Input},
    route::Delivery,
    target::Destination,
};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore, mpsc::UnboundedReceiver};

use super::pipeline;
use crate::{
    app::App,
    desk::Outgoing,
    lambda::{AsyncOutcome, CallContext, InvokeError},
    topic::Message,
};

/// Targets that are being reached at the same time.
const AT_ONCE: usize = 64;

/// How a delivery ended.
pub(super) enum End {
    /// It arrived, or somebody else has told that it did not.
    Over,
    /// It did not arrive and will not: the reason.
    GivenUp(String),
    /// The engine stops: it comes again.
    Again,
}

/// Events of one resource for one target of one rule: rule, target id, resource.
type Lane = (String, String, String);

struct Courier {
    app: App,
    /// What waits behind the delivery under way of its lane.
    waiting: Mutex<HashMap<Lane, VecDeque<Outgoing>>>,
    room: Semaphore,
}

/// Ends with the desk.
pub(super) async fn run(app: App, mut queue: UnboundedReceiver<Outgoing>) {
    let courier = Arc::new(Courier {
        app,
        waiting: Mutex::default(),
        room: Semaphore::new(AT_ONCE),
    });
    while let Some(outgoing) = queue.recv().await {
        let lane = lane(&outgoing);
        let first = courier.with(|waiting| match waiting.get_mut(&lane) {
            Some(queue) => {
                queue.push_back(outgoing);
                None
            }
            None => {
                waiting.insert(lane.clone(), VecDeque::new());
                Some(outgoing)
            }
        });
        if let Some(first) = first {
            tokio::spawn(Arc::clone(&courier).serve(lane, first));
        }
    }
}

impl Courier {
    async fn serve(self: Arc<Self>, lane: Lane, first: Outgoing) {
        let mut next = Some(first);
        while let Some(outgoing) = next {
            if let Ok(_room) = self.room.acquire().await {
                self.deliver(outgoing).await;
            }
            next = self.with(|waiting| {
                let more = waiting.get_mut(&lane).and_then(VecDeque::pop_front);
                if more.is_none() {
                    waiting.remove(&lane);
                }
                more
            });
        }
    }

    /// Returns when the next event of the lane may go: for a function after its first attempt, so that one that fails
    /// does not hold up the rest for minutes.
    async fn deliver(self: &Arc<Self>, outgoing: Outgoing) {
        let Outgoing {
            number,
            delivery,
            busy,
        } = outgoing;
        let payload = match Input::of(&delivery.target) {
            Ok(input) => input.render(&Facts {
                event: &delivery.event,
                rule_arn: &delivery.rule_arn,
                rule_name: &delivery.rule,
                ingestion_time: text(&delivery.event, "time"),
            }),
            Err(error) => return self.end(number, &delivery, End::GivenUp(error.to_string())),
        };
        let end = match Destination::of(&delivery.target.arn) {
            Ok(Destination::Function(function)) => {
                return self.call(number, delivery, function, payload).await;
            }
            Ok(Destination::Topic(topic)) => {
                let message = Message {
                    body: payload,
                    ..Message::default()
                };
                match self.app.topics.publish(&topic, message) {
                    Ok(_) => End::Over,
                    Err(error) => End::GivenUp(error.to_string()),
                }
            }
            Ok(Destination::Pipeline(name)) => {
                pipeline::start(&self.app, &name, &delivery, &payload, busy).await
            }
            Err(error) => End::GivenUp(error.to_string()),
        };
        self.end(number, &delivery, end);
    }

    async fn call(
        self: &Arc<Self>,
        number: i64,
        delivery: Delivery,
        function: String,
        payload: String,
    ) {
        if let Err(error) = serde_json::from_str::<Value>(&payload) {
            let reason = format!("a function takes JSON, and its input is none: {error}");
            return self.end(number, &delivery, End::GivenUp(reason));
        }
        let tried = Arc::new(Notify::new());
        let context = CallContext {
            tried: Some(Arc::clone(&tried)),
            ..CallContext::default()
        };
        let courier = Arc::clone(self);
        let running = tokio::spawn(async move {
            let lambda = &courier.app.lambda;
            let end = match lambda
                .invoke_async(&function, payload.into(), context)
                .await
            {
                Ok(AsyncOutcome::Stopped) | Err(InvokeError::Stopped(_)) => End::Again,
                // The host has told of a function that failed in all its attempts.
                Ok(AsyncOutcome::Returned | AsyncOutcome::Failed { .. }) => End::Over,
                Err(error) => End::GivenUp(error.to_string()),
            };
            courier.end(number, &delivery, end);
        });
        tokio::select! {
            () = tried.notified() => {}
            _ = running => {}
        }
    }

    fn end(&self, number: i64, delivery: &Delivery, end: End) {
        if let End::GivenUp(reason) = &end {
            self.app.logs.notice(format!(
                "an event of rule {} did not reach its target {}: {reason}",
                delivery.rule, delivery.target.arn
            ));
        }
        if !matches!(end, End::Again) {
            self.app.desk.delivered(number);
        }
    }

    fn with<R>(&self, look: impl FnOnce(&mut HashMap<Lane, VecDeque<Outgoing>>) -> R) -> R {
        look(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn lane(outgoing: &Outgoing) -> Lane {
    let delivery = &outgoing.delivery;
    let resource = delivery.event["resources"][0].as_str();
    (
        delivery.rule_arn.clone(),
        delivery.target.id.clone(),
        resource
            .unwrap_or_else(|| text(&delivery.event, "source"))
            .to_owned(),
    )
}

fn text<'e>(event: &'e Value, name: &str) -> &'e str {
    event[name].as_str().unwrap_or_default()
}
