//! Tasks of state machines that wait for an approval: what they are told, and what they were told.

use serde_json::{Value, json};
use shared::{
    approval::{
        asker::MachineTask,
        decide::{Finding, SendAnswer},
        request::{Request, Verdict},
        task_answer::{EXPIRED, TaskAnswer},
    },
    port::{PortError, TaskCallback},
};

use crate::{
    rpc::Rpc,
    sdk::Aws,
    task_tokens::{STEP_FUNCTIONS, TaskTokens},
};

/// Pages of GetExecutionHistory read at most: 5,000 events, newest first.
const PAGES: usize = 5;

/// `SendTaskSuccess`, `SendTaskFailure`, `SendTaskHeartbeat`, `GetExecutionHistory`.
#[derive(Debug)]
pub(super) struct Machines {
    tokens: TaskTokens,
    rpc: Rpc,
}

impl Machines {
    /// Connects to nothing yet.
    pub(super) fn new(aws: &Aws) -> Self {
        Self {
            tokens: TaskTokens::new(aws),
            rpc: Rpc::new(aws, STEP_FUNCTIONS),
        }
    }

    /// Tells the task that waits; one that waits no more is told nothing.
    pub(super) async fn tell(
        &self,
        request: &Request,
        answer: &TaskAnswer,
    ) -> Result<SendAnswer, PortError> {
        match self.tokens.answer(&request.token, answer).await {
            Ok(()) => Ok(SendAnswer::Accepted { request: None }),
            Err(PortError::Conflict { .. }) => Ok(SendAnswer::NotOpen),
            Err(error) => Err(error),
        }
    }

    /// Whether the task waits; of one that does not, what it was told about this request.
    pub(super) async fn look(
        &self,
        request: &Request,
        task: &MachineTask,
    ) -> Result<Finding, PortError> {
        match self.tokens.heartbeat(&request.token).await {
            Ok(()) => return Ok(Finding::default()),
            Err(PortError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
        let mut next = Value::Null;
        for _ in 0..PAGES {
            let mut body = json!({
                "executionArn": task.execution.as_str(), "reverseOrder": true, "maxResults": 1000,
                "includeExecutionData": true,
            });
            if !next.is_null() {
                body["nextToken"] = next;
            }
            let read = self
                .rpc
                .call("GetExecutionHistory", "GetExecutionHistory", &body);
            let page = match read.await {
                Ok(page) => page,
                Err(PortError::NotFound { .. }) => break,
                Err(error) => return Err(error),
            };
            let events = page["events"].as_array().into_iter().flatten();
            if let Some(found) = events.filter_map(|e| told(e, request)).next() {
                return Ok(found);
            }
            next = page["nextToken"].clone();
            if next.is_null() {
                break;
            }
        }
        Ok(Finding {
            ended: true,
            ..Finding::default()
        })
    }
}

/// What an event of the history says that this request's task was told.
fn told(event: &Value, request: &Request) -> Option<Finding> {
    let (text, verdict) = match event["type"].as_str()? {
        "TaskSucceeded" => (
            &event["taskSucceededEventDetails"]["output"],
            Some(Verdict::Approve),
        ),
        "TaskFailed" => {
            let details = &event["taskFailedEventDetails"];
            let expired = details["error"] == EXPIRED;
            (&details["cause"], (!expired).then_some(Verdict::Reject))
        }
        _ => return None,
    };
    let text = text.as_str()?;
    text.contains(request.id.as_str()).then(|| Finding {
        summary: Some(text.to_owned()),
        verdict,
        ended: true,
        by: None,
    })
}
