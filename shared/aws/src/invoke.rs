//! Calls of other Lambda functions.

use serde_json::Value;
use shared::{
    approval::{audit::weekly::WeeklyHead, id::ApprovalId, port::Postman},
    port::PortError,
    wire::approval_mail,
};

use crate::{
    error::unavailable,
    rest::{Rest, RestCall, encoded},
    sdk::Aws,
};

/// `lambda:InvokeFunction`, with the function's own role.
#[derive(Debug)]
pub struct Functions(Rest);

impl Functions {
    /// Connects to nothing yet.
    pub fn new(aws: &Aws) -> Self {
        Self(Rest::new(aws))
    }

    async fn invoke(&self, function: &str, kind: &str, event: &Value) -> Result<String, PortError> {
        let what = format!("the function {function}");
        self.0
            .call(&RestCall {
                what: &what,
                id: "LAMBDA",
                name: "lambda",
                method: "POST",
                path: format!("/2015-03-31/functions/{}/invocations", encoded(function)),
                headers: vec![
                    ("content-type", "application/json".to_owned()),
                    ("x-amz-invocation-type", kind.to_owned()),
                ],
                body: event.to_string(),
            })
            .await
    }

    /// Waits for the function's answer.
    ///
    /// # Errors
    /// `Unavailable` also when the answer is no JSON.
    pub async fn ask(&self, function: &str, event: &Value) -> Result<Value, PortError> {
        let text = self.invoke(function, "RequestResponse", event).await?;
        serde_json::from_str(&text)
            .map_err(|_| unavailable(&format!("the function {function}"), "its answer is no JSON"))
    }
}

/// Asks `approval-notify` for mails, asynchronously.
#[derive(Debug)]
pub struct Notifier {
    functions: Functions,
    name: String,
}

impl Notifier {
    /// The function of this name or ARN.
    pub fn new(aws: &Aws, name: impl Into<String>) -> Self {
        Self {
            functions: Functions::new(aws),
            name: name.into(),
        }
    }
}

impl Postman for Notifier {
    async fn send_due(&self, approval: &ApprovalId) -> Result<(), PortError> {
        let event = approval_mail::ask(approval);
        let sent = self.functions.invoke(&self.name, "Event", &event);
        sent.await.map(drop)
    }

    async fn mail_head(&self, head: &WeeklyHead) -> Result<(), PortError> {
        let event = approval_mail::ask_head(head);
        let sent = self.functions.invoke(&self.name, "Event", &event);
        sent.await.map(drop)
    }
}
