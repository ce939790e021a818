//! Tasks that wait with a token, as items of the table.

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::{
    port::{PortError, WaitingTask, WaitingTasks},
    secret::Secret,
};

use super::{DynamoLedger, KEPT, about, conditioned, expires, field, key, text, time};

impl WaitingTasks for DynamoLedger {
    async fn keep(&self, action: &str, task: &WaitingTask) -> Result<(), PortError> {
        let condition = "attribute_not_exists(pk) OR #token <> :token OR #by = :by";
        let values = json!({":token": text(task.token.reveal()), ":by": text(&task.by)});
        let item = kept(action, task, Timestamp::now());
        self.put_item(&about(&task.run_key), item, Some((condition, values)))
            .await
    }

    async fn waiting(
        &self,
        action: &str,
        now: Timestamp,
        due: Timestamp,
        most: usize,
    ) -> Result<Vec<WaitingTask>, PortError> {
        let what = format!("the tasks of {action} that wait");
        let filter = "#until <= :now AND #due <= :due";
        let values = json!({":pk": text(&wait_pk(action)), ":now": time(now), ":due": time(due)});
        let mut tasks = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut body = json!({
                "TableName": self.table, "KeyConditionExpression": "pk = :pk", "FilterExpression": filter,
                "ConsistentRead": true
            });
            if !start.is_null() {
                body["ExclusiveStartKey"] = start;
            }
            conditioned(&mut body, filter, values.clone());
            let mut answer = self.rpc.call("Query", &what, &body).await?;
            let items = answer.get("Items").and_then(Value::as_array);
            tasks.extend(items.into_iter().flatten().filter_map(waiting_task));
            start = answer
                .get_mut("LastEvaluatedKey")
                .map(Value::take)
                .unwrap_or_default();
            if start.is_null() || tasks.len() >= most {
                tasks.truncate(most);
                return Ok(tasks);
            }
        }
    }

    async fn keep_on(
        &self,
        action: &str,
        old: &WaitingTask,
        new: &WaitingTask,
    ) -> Result<(), PortError> {
        let condition = "#token = :token AND ((#by = :old AND #until = :until) OR #by = :by)";
        let values = json!({
            ":token": text(old.token.reveal()), ":old": text(&old.by), ":until": time(old.until),
            ":by": text(&new.by)
        });
        let item = kept(action, new, Timestamp::now());
        self.put_item(&about(&new.run_key), item, Some((condition, values)))
            .await
    }

    async fn forget(&self, action: &str, task: &WaitingTask) -> Result<(), PortError> {
        let condition = "attribute_not_exists(pk) OR #by = :by";
        let key = key(&wait_pk(action), &task.run_key);
        let mut body =
            json!({"TableName": self.table, "Key": key, "ConditionExpression": condition});
        conditioned(&mut body, condition, json!({":by": text(&task.by)}));
        self.rpc
            .call("DeleteItem", &about(&task.run_key), &body)
            .await
            .map(drop)
    }
}

fn wait_pk(action: &str) -> String {
    format!("wait#{action}")
}

fn kept(action: &str, task: &WaitingTask, now: Timestamp) -> Value {
    let mut item = key(&wait_pk(action), &task.run_key);
    item["token"] = text(task.token.reveal());
    item["input"] = text(&task.input);
    if let Some(run) = &task.run {
        item["run"] = text(run);
    }
    item["due"] = time(task.due);
    item["by"] = text(&task.by);
    item["until"] = time(task.until);
    item["expires"] = expires(now, KEPT);
    item
}

fn waiting_task(item: &Value) -> Option<WaitingTask> {
    Some(WaitingTask {
        run_key: field(item, "sk")?.to_owned(),
        token: Secret::new(field(item, "token")?.to_owned()),
        input: field(item, "input")?.to_owned(),
        run: field(item, "run").map(str::to_owned),
        due: field(item, "due")?.parse().ok()?,
        by: field(item, "by")?.to_owned(),
        until: field(item, "until")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_read_back_or_refused() {
        for run in [None, Some("17".to_owned())] {
            let task = WaitingTask {
                run_key: "k".into(),
                token: Secret::new("planted".into()),
                input: "{}".into(),
                run,
                due: "2026-01-02T03:04:05Z".parse().unwrap(),
                by: "d-1".into(),
                until: "2026-01-02T03:04:05.5Z".parse().unwrap(),
            };
            let mut item = kept("action-x", &task, Timestamp::UNIX_EPOCH);
            assert_eq!(waiting_task(&item), Some(task));
            item["token"] = Value::Null;
            assert_eq!(waiting_task(&item), None);
        }
    }
}
