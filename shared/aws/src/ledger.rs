//! The ledger in DynamoDB: what was intended and started.
//!
//! One item for each run in the table shared by all functions:
//! `pk` = `run#<run key>`, `sk` = `ledger`, `state` = `intended` | `started` | `finished`, `at` (time of the intent),
//! `run` (the vendor's id), `expires` (TTL, seconds since 1970).

use std::{collections::HashMap, sync::OnceLock};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use jiff::{SignedDuration, Timestamp};
use shared::port::{Ledger, LedgerEntry, PortError};

use crate::{error::unavailable, sdk::Aws};

/// The ledger's items in one table.
#[derive(Debug)]
pub struct DynamoLedger {
    aws: Aws,
    table: String,
    client: OnceLock<Client>,
}

/// Entries outlive the longest action (24 hours through continuations, 7 days with an approval before a retry).
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

const INTENDED: &str = "intended";
const STARTED: &str = "started";
const FINISHED: &str = "finished";

impl DynamoLedger {
    /// The ledger in the table of this name. Makes no client yet.
    pub fn new(aws: &Aws, table: impl Into<String>) -> Self {
        Self {
            aws: aws.clone(),
            table: table.into(),
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> &Client {
        self.client
            .get_or_init(|| Client::new(&self.aws.config("DYNAMODB")))
    }

    /// `state`, and `run` where there is one, over whatever was there.
    async fn set(&self, key: &str, state: &str, run: Option<&str>) -> Result<(), PortError> {
        let mut request = self
            .client()
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item_key(key)))
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", text(state))
            .expression_attribute_values(":expires", expires(Timestamp::now()));
        let mut update = "SET #state = :state, expires = :expires".to_owned();
        if let Some(run) = run {
            update.push_str(", run = :run");
            request = request.expression_attribute_values(":run", text(run));
        }
        let what = format!("the ledger entry {key}");
        let request = request.update_expression(update);
        self.aws.call(&what, request.send()).await.map(drop)
    }
}

impl Ledger for DynamoLedger {
    async fn read(&self, key: &str) -> Result<Option<LedgerEntry>, PortError> {
        let what = format!("the ledger entry {key}");
        let request = self
            .client()
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item_key(key)))
            .consistent_read(true);
        let answer = self.aws.call(&what, request.send()).await?;
        answer
            .item
            .map(|item| {
                entry(&item).ok_or_else(|| unavailable(&what, "it is not as a ledger writes it"))
            })
            .transpose()
    }

    async fn intend(&self, key: &str, at: Timestamp) -> Result<(), PortError> {
        let mut item = item_key(key);
        item.insert("state".to_owned(), text(INTENDED));
        item.insert("at".to_owned(), text(&at.to_string()));
        item.insert("expires".to_owned(), expires(at));
        let request = self
            .client()
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)");
        let what = format!("the ledger entry {key}");
        self.aws.call(&what, request.send()).await.map(drop)
    }

    async fn started(&self, key: &str, run: &str) -> Result<(), PortError> {
        self.set(key, STARTED, Some(run)).await
    }

    async fn finished(&self, key: &str) -> Result<(), PortError> {
        self.set(key, FINISHED, None).await
    }
}

fn item_key(key: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".to_owned(), text(&format!("run#{key}"))),
        ("sk".to_owned(), text("ledger")),
    ])
}

fn entry(item: &HashMap<String, AttributeValue>) -> Option<LedgerEntry> {
    let field = |name| item.get(name)?.as_s().ok().map(String::as_str);
    match field("state")? {
        INTENDED => Some(LedgerEntry::Intended {
            at: field("at")?.parse().ok()?,
        }),
        STARTED => Some(LedgerEntry::Started {
            run: field("run")?.to_owned(),
        }),
        FINISHED => Some(LedgerEntry::Finished),
        _ => None,
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn expires(now: Timestamp) -> AttributeValue {
    let at = now.saturating_add(KEPT).unwrap_or(Timestamp::MAX);
    AttributeValue::N(at.as_second().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_back_or_refused() {
        let item = |fields: &[(&str, &str)]| {
            let item = fields.iter().map(|(k, v)| ((*k).to_owned(), text(v)));
            entry(&item.collect())
        };
        assert_eq!(
            item(&[("state", "started"), ("run", "17")]),
            Some(LedgerEntry::Started { run: "17".into() })
        );
        assert_eq!(
            item(&[("state", "intended"), ("at", "2026-01-02T03:04:05Z")]),
            Some(LedgerEntry::Intended {
                at: "2026-01-02T03:04:05Z".parse().unwrap()
            })
        );
        assert_eq!(item(&[("state", "finished")]), Some(LedgerEntry::Finished));
        assert_eq!(item(&[("state", "started")]), None);
        assert_eq!(item(&[("state", "other")]), None);
    }
}
