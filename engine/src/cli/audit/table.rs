//! Reads a month of the chain out of DynamoDB, signed with the credentials of the environment.

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use reqwest::redirect;
use ring::{digest, hmac};
use serde_json::{Value, json};

const TARGET: &str = "DynamoDB_20120810.Query";
const CONTENT: &str = "application/x-amz-json-1.0";

/// The records of a month, one a line.
///
/// # Errors
/// When the table cannot be read.
pub async fn read(endpoint: &str, table: &str, month: &str) -> anyhow::Result<String> {
    let http = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .build()
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
        let page = query(&http, endpoint, &body).await?;
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

async fn query(http: &reqwest::Client, endpoint: &str, body: &Value) -> anyhow::Result<Value> {
    let url = format!("{}/", endpoint.trim_end_matches('/'));
    let host = url
        .split_once("://")
        .map_or("", |(_, rest)| rest)
        .trim_end_matches('/')
        .to_owned();
    let body = body.to_string();
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let caller = Caller::of_environment(&host);
    let mut request = http
        .post(&url)
        .header("content-type", CONTENT)
        .header("x-amz-target", TARGET)
        .header("x-amz-date", &now)
        .header("authorization", caller.authorization(&host, &now, &body));
    if let Some(token) = &caller.token {
        request = request.header("x-amz-security-token", token);
    }
    let answer = request.body(body).send().await;
    let answer = answer.with_context(|| format!("nobody answers at {endpoint}"))?;
    let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
    if !status.is_success() {
        let kind = serde_json::from_str::<Value>(&text).unwrap_or_default();
        let message = kind["message"]
            .as_str()
            .or_else(|| kind["Message"].as_str());
        bail!(
            "DynamoDB at {endpoint} answered {status}: {} {}",
            kind["__type"].as_str().unwrap_or_default(),
            message.unwrap_or_default()
        );
    }
    serde_json::from_str(&text).with_context(|| format!("the answer of {endpoint} is no JSON"))
}

/// Who asks. An engine verifies nothing, so that without credentials any do.
struct Caller {
    id: String,
    key: String,
    token: Option<String>,
    region: String,
}

impl Caller {
    fn of_environment(host: &str) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let named = host
            .strip_prefix("dynamodb.")
            .and_then(|rest| rest.split('.').next());
        Self {
            id: variable("AWS_ACCESS_KEY_ID").unwrap_or_else(|| "stagewright".to_owned()),
            key: variable("AWS_SECRET_ACCESS_KEY").unwrap_or_default(),
            token: variable("AWS_SESSION_TOKEN"),
            region: named
                .map(str::to_owned)
                .or_else(|| variable("AWS_REGION"))
                .or_else(|| variable("AWS_DEFAULT_REGION"))
                .unwrap_or_else(|| "eu-west-1".to_owned()),
        }
    }

    /// Signature version 4.
    fn authorization(&self, host: &str, now: &str, body: &str) -> String {
        let day = &now[..8];
        let mut headers = vec![
            ("content-type", CONTENT),
            ("host", host),
            ("x-amz-date", now),
        ];
        if let Some(token) = &self.token {
            headers.push(("x-amz-security-token", token));
        }
        headers.push(("x-amz-target", TARGET));
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", sha256(body));
        let scope = format!("{day}/{}/dynamodb/aws4_request", self.region);
        let to_sign = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", sha256(&canonical));
        let mut key = format!("AWS4{}", self.key).into_bytes();
        for part in [day, &self.region, "dynamodb", "aws4_request"] {
            key = sign(&key, part);
        }
        let signature = hex::encode(sign(&key, &to_sign));
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.id
        )
    }
}

fn sha256(text: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with botocore 1.44's SigV4Auth over the same request.
    #[test]
    fn a_query_is_signed_as_aws_wants_it() {
        let caller = Caller {
            id: "AKIDEXAMPLE".to_owned(),
            key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
            region: "eu-west-1".to_owned(),
        };
        let text =
            caller.authorization("dynamodb.eu-west-1.amazonaws.com", "20261123T100000Z", "{}");
        assert_eq!(
            text.rsplit('=').next(),
            Some("e93ad9b99cd14a4302c42fa5ad69061eaf01ef10873cd1e63fc84dfe587e55e2")
        );
    }
}
