//! The audit chain in DynamoDB; the items are described in `docs/table.md`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};
use shared::{
    approval::audit::{
        Head, Line,
        port::{Append, AuditStore},
    },
    port::PortError,
};

use crate::{
    approval_store::{DynamoApprovals, Item, field, item, keys, number, text},
    error::unavailable,
};

/// Records read at once.
const PAGE: i32 = 300;
/// How long an event's mark is kept; EventBridge repeats for a day.
const MARKED: SignedDuration = SignedDuration::from_hours(7 * 24);

fn head_key() -> Item {
    keys("audit", "head")
}

fn mark_key(event: &str) -> Item {
    keys(&format!("audit-event#{event}"), "event")
}

fn chain(month: &str) -> String {
    format!("audit#{month}")
}

impl AuditStore for DynamoApprovals {
    async fn head(&self) -> Result<Option<Head>, PortError> {
        let what = "the head of the audit chain";
        let Some(item) = self.get(what, head_key()).await? else {
            return Ok(None);
        };
        let whole = |name: &str| {
            let number = item.get(name)?.as_n().ok()?;
            number.parse::<u64>().ok()
        };
        let read = || {
            Some(Head {
                month: field(&item, "month")?.to_owned(),
                seq: whole("seq")?,
                hash: field(&item, "hash")?.to_owned(),
                anchored: whole("anchored")?,
            })
        };
        read()
            .map(Some)
            .ok_or_else(|| unavailable(what, "it is not as this version writes it"))
    }

    async fn append(&self, append: Append<'_>) -> Result<(), PortError> {
        let after = append.after;
        let mut items = vec![self.move_head(append.before, after)?];
        for line in append.lines {
            let mut item = keys(&chain(&after.month), &format!("{:09}", line.seq));
            item.insert("record".to_owned(), text(&line.text));
            item.insert("hash".to_owned(), text(&line.hash));
            item.insert("expires".to_owned(), self.audit_ends());
            items.push(self.put_new(item)?);
        }
        if let Some(record) = append.drained {
            items.push(self.put_over(record)?);
        }
        if let Some(event) = append.once {
            let mut mark = mark_key(event);
            let until = Timestamp::now()
                .saturating_add(MARKED)
                .unwrap_or(Timestamp::MAX);
            mark.insert(
                "expires".to_owned(),
                AttributeValue::N(until.as_second().to_string()),
            );
            items.push(self.put_new(mark)?);
        }
        let request = self
            .client()
            .transact_write_items()
            .set_transact_items(Some(items));
        let sent = self.aws().call("the audit chain", request.send()).await;
        sent.map(drop)
    }

    async fn recorded(&self, event: &str) -> Result<bool, PortError> {
        let item = self
            .get("an event of the audit chain", mark_key(event))
            .await?;
        Ok(item.is_some())
    }

    async fn lines(&self, month: &str, from: u64) -> Result<Vec<Line>, PortError> {
        let request = self
            .client()
            .query()
            .table_name(self.table())
            .key_condition_expression("pk = :pk AND sk >= :from")
            .expression_attribute_values(":pk", text(&chain(month)))
            .expression_attribute_values(":from", text(&format!("{from:09}")))
            .consistent_read(true)
            .limit(PAGE);
        let answer = self.aws().call("the audit chain", request.send()).await?;
        let read = |item: &HashMap<String, AttributeValue>| {
            Some(Line {
                seq: field(item, "sk")?.parse().ok()?,
                hash: field(item, "hash")?.to_owned(),
                text: field(item, "record")?.to_owned(),
            })
        };
        Ok(answer.items().iter().filter_map(read).collect())
    }
}

impl DynamoApprovals {
    fn move_head(
        &self,
        before: Option<&Head>,
        after: &Head,
    ) -> Result<TransactWriteItem, PortError> {
        let mut item = head_key();
        item.extend(
            [
                ("month", text(&after.month)),
                ("seq", number(after.seq)),
                ("hash", text(&after.hash)),
                ("anchored", number(after.anchored)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let put = Put::builder().table_name(self.table()).set_item(Some(item));
        let put = match before {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(before) => put
                .condition_expression("#hash = :hash AND anchored = :anchored AND #month = :month")
                .expression_attribute_names("#hash", "hash")
                .expression_attribute_names("#month", "month")
                .expression_attribute_values(":hash", text(&before.hash))
                .expression_attribute_values(":anchored", number(before.anchored))
                .expression_attribute_values(":month", text(&before.month)),
        };
        transaction("the head of the audit chain", put.build())
    }

    fn put_over(
        &self,
        record: &shared::approval::request::Record,
    ) -> Result<TransactWriteItem, PortError> {
        let put = Put::builder()
            .table_name(self.table())
            .set_item(Some(item(record)))
            .condition_expression("#version = :before")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":before", number(record.version.saturating_sub(1)))
            .build();
        transaction("an approval", put)
    }
}

fn transaction(
    what: &str,
    put: Result<Put, aws_sdk_dynamodb::error::BuildError>,
) -> Result<TransactWriteItem, PortError> {
    let put = put.map_err(|error| PortError::Invalid {
        what: what.to_owned(),
        message: error.to_string(),
    })?;
    Ok(TransactWriteItem::builder().put(put).build())
}
