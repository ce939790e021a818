//! "Step Functions Execution Status Change": each status of a standard execution, told to EventBridge at least once.

use std::sync::Arc;

use engine_states::definition::Type;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::{Begun, Ended, Workflows};
use crate::{app::App, clock::Busy};

/// Bytes of input or output that an event carries (Step Functions developer guide, automating with EventBridge).
const PAYLOAD: usize = 248 * 1024;

/// A status that an execution has from now on.
pub struct News {
    pub begun: Arc<Begun>,
    pub ended: Option<Ended>,
    pub redriven: (u64, Option<Timestamp>),
    /// A fast clock waits until it is told.
    pub busy: Busy,
}

/// Both ends; the second is taken once.
pub type Channel = (UnboundedSender<News>, Option<UnboundedReceiver<News>>);

/// First what an earlier run did not tell, then what comes.
pub(super) async fn run(app: App, untold: Vec<String>, mut news: UnboundedReceiver<News>) {
    for execution in untold {
        match app.workflows.look(&execution) {
            Ok(look) => {
                let news = News {
                    begun: Arc::new(look.begun),
                    ended: look.ended,
                    redriven: look.redriven,
                    busy: app.clock.busy(),
                };
                tell(&app, news).await;
            }
            Err(error) => app
                .logs
                .notice(format!("execution {execution}: no event told: {error}")),
        }
    }
    while let Some(one) = news.recv().await {
        tell(&app, one).await;
    }
}

async fn tell(app: &App, news: News) {
    let status = news.ended.as_ref().map_or("RUNNING", |e| &e.status);
    let event = event(app, &news, status);
    let published = app.desk.publish("default", vec![event]).await;
    // A stopping engine tells it when it starts again.
    if published.is_ok() {
        app.workflows.told(&news.begun.identity.arn, status);
    }
    drop(news.busy);
}

fn event(app: &App, news: &News, status: &str) -> Value {
    let (begun, ended, home) = (&news.begun, news.ended.as_ref(), app.workflows.home());
    let input = begun.input.to_string();
    let output = ended.and_then(|e| e.output.as_ref()).map(Value::to_string);
    let payload = |text: Option<&str>| match text {
        Some(text) if text.len() <= PAYLOAD => (Value::from(text), json!({"included": true})),
        Some(_) => (Value::Null, json!({"included": false})),
        None => (Value::Null, Value::Null),
    };
    let ((input, input_details), (output, output_details)) =
        (payload(Some(&input)), payload(output.as_deref()));
    let redrivable = ended.is_some_and(|e| e.status != "SUCCEEDED");
    let (count, redriven) = news.redriven;
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": home.account,
        "time": format!("{:.0}", app.clock.now()),
        "region": home.region,
        "resources": [begun.identity.arn],
        "detail": {
            "executionArn": begun.identity.arn,
            "stateMachineArn": begun.identity.machine_arn,
            "stateMachineVersionArn": begun.machine_version,
            "stateMachineAliasArn": begun.machine_alias,
            "name": begun.identity.name,
            "status": status,
            "startDate": begun.at.as_millisecond(),
            "stopDate": ended.map(|e| e.at.as_millisecond()),
            "input": input,
            "inputDetails": input_details,
            "output": output,
            "outputDetails": output_details,
            "error": ended.and_then(|e| e.error.as_deref()),
            "cause": ended.and_then(|e| e.cause.as_deref()),
            "redriveCount": count,
            "redriveDate": redriven.map(Timestamp::as_millisecond),
            "redriveStatus": if redrivable { "REDRIVABLE" } else { "NOT_REDRIVABLE" },
        },
    })
}

impl Workflows {
    /// Tells of an execution's status after its transaction.
    pub(super) fn announce(&self, news: News) {
        if news.begun.kind == Type::Standard {
            // Nobody listens once the engine stops: it is told at the next start.
            self.news().0.send(news).ok();
        }
    }

    pub(super) fn untold(&self) -> Vec<String> {
        self.kept().store.untold().unwrap_or_else(|error| {
            tracing::error!(%error, "what EventBridge was not told cannot be read");
            Vec::new()
        })
    }

    fn told(&self, execution: &str, status: &str) {
        if let Err(error) = self.kept().store.told(execution, status) {
            tracing::error!(%error, "an event may be told twice");
        }
    }
}
