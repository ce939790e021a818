//! Approval requests in DynamoDB; the items are described in `docs/table.md`.

use std::{collections::HashMap, sync::OnceLock};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, Put, TransactWriteItem},
};
use jiff::{SignedDuration, Timestamp};
use shared::{
    approval::{
        id::ApprovalId,
        key::MessageKey,
        port::ApprovalStore,
        request::{Record, State},
        stored,
    },
    id::ExecutionId,
    port::PortError,
};

use crate::{error::unavailable, sdk::Aws};

/// How long a request is kept after its deadline.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The approvals in one table.
#[derive(Debug)]
pub struct DynamoApprovals {
    aws: Aws,
    table: String,
    client: OnceLock<Client>,
    audit_days: u32,
}

/// Requests that the sweep is not done with yet; `sk` is their id.
const OPEN: &str = "approval-open";
/// Most of them read at once.
const AT_ONCE: i32 = 1_000;

pub(crate) type Item = HashMap<String, AttributeValue>;

impl DynamoApprovals {
    /// The approvals in the table of this name. Makes no client yet.
    pub fn new(aws: &Aws, table: impl Into<String>) -> Self {
        Self {
            aws: aws.clone(),
            table: table.into(),
            client: OnceLock::new(),
            audit_days: 0,
        }
    }

    /// Keeps records of the audit chain for so many days.
    pub fn keeping_audit_for(self, days: u32) -> Self {
        Self {
            audit_days: days,
            ..self
        }
    }

    pub(crate) fn aws(&self) -> &Aws {
        &self.aws
    }

    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// When records of the audit chain end that are written now.
    pub(crate) fn audit_ends(&self) -> AttributeValue {
        let kept = SignedDuration::from_hours(24 * i64::from(self.audit_days));
        let until = Timestamp::now()
            .saturating_add(kept)
            .unwrap_or(Timestamp::MAX);
        AttributeValue::N(until.as_second().to_string())
    }

    pub(crate) fn client(&self) -> &Client {
        self.client
            .get_or_init(|| Client::new(&self.aws.config("DYNAMODB")))
    }

    pub(crate) async fn get(&self, what: &str, key: Item) -> Result<Option<Item>, PortError> {
        let request = self
            .client()
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .consistent_read(true);
        Ok(self.aws.call(what, request.send()).await?.item)
    }

    pub(crate) fn put_new(&self, item: Item) -> Result<TransactWriteItem, PortError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|error| PortError::Invalid {
                what: "a new approval".to_owned(),
                message: error.to_string(),
            })?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

impl ApprovalStore for DynamoApprovals {
    async fn find(&self, key: &MessageKey) -> Result<Option<ApprovalId>, PortError> {
        let what = "the approval of a message";
        let item = self.get(what, message_key(key)).await?;
        item.map(|item| {
            field(&item, "approval")
                .and_then(|id| id.parse().ok())
                .ok_or_else(|| unavailable(what, "its item is not as this version writes it"))
        })
        .transpose()
    }

    async fn create(&self, key: &MessageKey, record: &Record) -> Result<(), PortError> {
        let mut pointer = message_key(key);
        pointer.insert("approval".to_owned(), text(record.request.id.as_str()));
        pointer.insert("expires".to_owned(), ttl(record));
        let request = self
            .client()
            .transact_write_items()
            .transact_items(self.put_new(pointer)?)
            .transact_items(self.put_new(item(record))?)
            .transact_items(self.put_new(open_item(record))?)
            .transact_items(self.put_new(execution_item(record))?);
        let sent = self.aws.call("a new approval", request.send()).await;
        sent.map(drop)
    }

    async fn load(&self, id: &ApprovalId) -> Result<Option<Record>, PortError> {
        let what = format!("the approval {id}");
        let item = self.get(&what, item_key(id)).await?;
        item.map(|item| {
            let doc = field(&item, "doc").unwrap_or_default();
            stored::decode(doc).map_err(|error| PortError::Unavailable {
                what: what.clone(),
                source: Some(error.into()),
            })
        })
        .transpose()
    }

    async fn replace(&self, next: &Record) -> Result<(), PortError> {
        let request = self
            .client()
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item(next)))
            .condition_expression("#version = :before")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":before", number(next.version.saturating_sub(1)));
        let what = format!("the approval {}", next.request.id);
        self.aws.call(&what, request.send()).await.map(drop)
    }

    async fn unfinished(&self, after: Option<&ApprovalId>) -> Result<Vec<ApprovalId>, PortError> {
        let request = self
            .client()
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk > :after")
            .expression_attribute_values(":pk", text(OPEN))
            // Less than every id.
            .expression_attribute_values(":after", text(after.map_or("!", ApprovalId::as_str)))
            .consistent_read(true)
            .limit(AT_ONCE);
        let answer = self.aws.call("the open approvals", request.send()).await?;
        let ids = answer.items().iter().filter_map(|item| field(item, "sk"));
        Ok(ids.filter_map(|id| id.parse().ok()).collect())
    }

    async fn of_execution(&self, execution: &ExecutionId) -> Result<Vec<ApprovalId>, PortError> {
        let request = self
            .client()
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(&execution_pk(execution)))
            .consistent_read(true);
        let what = format!("the approvals of the execution {execution}");
        let answer = self.aws.call(&what, request.send()).await?;
        let ids = answer.items().iter().filter_map(|item| field(item, "sk"));
        Ok(ids.filter_map(|id| id.parse().ok()).collect())
    }

    async fn finished(&self, id: &ApprovalId) -> Result<(), PortError> {
        let request = self
            .client()
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(keys(OPEN, id.as_str())));
        let what = format!("the open approval {id}");
        self.aws.call(&what, request.send()).await.map(drop)
    }
}

fn execution_pk(execution: &ExecutionId) -> String {
    format!("approval-execution#{execution}")
}

/// The item that finds a request by its execution.
fn execution_item(record: &Record) -> Item {
    let request = &record.request;
    let mut item = keys(&execution_pk(&request.execution), request.id.as_str());
    item.insert("expires".to_owned(), ttl(record));
    item
}

/// The item that lists a request as unfinished.
fn open_item(record: &Record) -> Item {
    let mut item = keys(OPEN, record.request.id.as_str());
    item.insert(
        "pipeline".to_owned(),
        text(record.request.target.pipeline.as_str()),
    );
    item.insert("expires".to_owned(), ttl(record));
    item
}

fn message_key(key: &MessageKey) -> Item {
    keys(&format!("approval-message#{}", key.as_str()), "approval")
}

fn item_key(id: &ApprovalId) -> Item {
    keys(&format!("approval#{id}"), "request")
}

pub(crate) fn keys(pk: &str, sk: &str) -> Item {
    HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

/// `doc` is what is read back; the attributes beside it are for people and for conditions.
pub(crate) fn item(record: &Record) -> Item {
    let request = &record.request;
    let mut item = item_key(&request.id);
    item.extend(
        [
            ("version", number(record.version)),
            ("state", text(state(&record.state))),
            ("pipeline", text(request.target.pipeline.as_str())),
            ("execution", text(request.execution.as_str())),
            ("deadline", text(&request.expires_at.to_string())),
            ("expires", ttl(record)),
            ("doc", text(stored::encode(record).reveal())),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    item
}

const fn state(state: &State) -> &'static str {
    match state {
        State::Open => "open",
        State::Deciding { .. } => "deciding",
        State::Decided { .. } => "decided",
        State::Elsewhere { .. } => "elsewhere",
        State::Superseded { .. } => "superseded",
        State::Expired { .. } => "expired",
    }
}

fn ttl(record: &Record) -> AttributeValue {
    let at = record
        .request
        .expires_at
        .saturating_add(KEPT)
        .unwrap_or(Timestamp::MAX);
    AttributeValue::N(at.as_second().to_string())
}

pub(crate) fn field<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
