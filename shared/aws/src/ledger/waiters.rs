//! Tokens of tasks that wait for a pipeline, as items of the table.

use jiff::Timestamp;
use serde_json::json;
use shared::{id::ExecutionId, port::PortError, resume::Waiters, secret::Secret};

use super::{DynamoLedger, KEPT, about, conditioned, expires, field, key, text};

fn pk(execution: &ExecutionId) -> String {
    format!("resume#{}", execution.as_str())
}

impl Waiters for DynamoLedger {
    async fn keep(&self, execution: &ExecutionId, token: &Secret) -> Result<(), PortError> {
        let mut item = key(&pk(execution), "task");
        item["token"] = text(token.reveal());
        item["expires"] = expires(Timestamp::now(), KEPT);
        self.put_item(&about(execution.as_str()), item, None).await
    }

    async fn find(&self, execution: &ExecutionId) -> Result<Option<Secret>, PortError> {
        let what = about(execution.as_str());
        let item = self.item(&what, &pk(execution), "task").await?;
        Ok(item.and_then(|item| Some(Secret::new(field(&item, "token")?.to_owned()))))
    }

    async fn forget(&self, execution: &ExecutionId, token: &Secret) -> Result<(), PortError> {
        let condition = "attribute_not_exists(pk) OR #token = :token";
        let mut body = json!({
            "TableName": self.table, "Key": key(&pk(execution), "task"), "ConditionExpression": condition
        });
        conditioned(
            &mut body,
            condition,
            json!({":token": text(token.reveal())}),
        );
        let what = about(execution.as_str());
        match self.rpc.call("DeleteItem", &what, &body).await {
            // A newer attempt waits: its token stays.
            Ok(_) | Err(PortError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
