//! Reads a month of the chain out of DynamoDB, signed with the credentials of the environment.

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};

use crate::cloud::{Caller, Client};

/// The records of a month, one a line.
///
/// # Errors
/// When the table cannot be read.
pub async fn read(endpoint: &str, table: &str, month: &str) -> anyhow::Result<String> {
    let host = endpoint.split_once("://").map_or("", |(_, rest)| rest);
    let named = host.strip_prefix("dynamodb.");
    let region = named.and_then(|rest| rest.split('.').next());
    let client = Client::new("dynamodb", endpoint, Caller::of_environment(region))
        .context("no HTTP client can be made")?;
    let mut lines = String::new();
    let mut start: Option<Value> = None;
    loop {
        let mut body = json!({
            "TableName": table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": format!("audit#{month}")}},
        });
        if let Some(start) = start.take() {
            body["ExclusiveStartKey"] = start;
        }
        let page = client.json("DynamoDB_20120810.Query", "1.0", &body).await?;
        for item in page["Items"].as_array().into_iter().flatten() {
            let record = item["record"]["S"].as_str();
            let record = record
                .ok_or_else(|| anyhow!("the table {table} holds something else than records"))?;
            lines.push_str(record);
            lines.push('\n');
        }
        match page.get("LastEvaluatedKey").filter(|key| key.is_object()) {
            Some(key) => start = Some(key.clone()),
            None => return Ok(lines),
        }
    }
}
