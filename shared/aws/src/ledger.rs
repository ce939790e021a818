//! The ledger in DynamoDB: what was intended and started, which jobs are open, which tasks wait, what no token can
//! hold.
//!
//! Items are described in `docs/table.md`. Spoken to by hand: see [`crate::rpc`].

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use shared::{
    id::JobId,
    job::Place,
    port::{
        Intent, Ledger, LedgerEntry, OpenJob, OpenJobs, OpenRun, OpenRuns, PortError, Service,
        Shelf,
    },
};

use crate::{error::unavailable, rpc::Rpc, sdk::Aws};

mod waiters;
mod waiting;

/// The ledger's items in one table.
#[derive(Debug)]
pub struct DynamoLedger {
    rpc: Rpc,
    table: String,
}

const DYNAMODB: Service = Service {
    id: "DYNAMODB",
    name: "dynamodb",
    target: "DynamoDB_20120810",
    version: "1.0",
    region: None,
};

/// Entries outlive the longest action (24 hours through continuations, 7 days with an approval before a retry).
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Jobs outlive CodePipeline's own limit of 24 hours for a custom action.
const OPEN_KEPT: SignedDuration = SignedDuration::from_hours(2 * 24);

const INTENDED: &str = "intended";
const STARTED: &str = "started";
const FINISHED: &str = "finished";

impl DynamoLedger {
    /// The ledger in the table of this name. Connects to nothing yet.
    pub fn new(aws: &Aws, table: impl Into<String>) -> Self {
        Self {
            rpc: Rpc::new(aws, DYNAMODB),
            table: table.into(),
        }
    }

    async fn item(&self, what: &str, pk: &str, sk: &str) -> Result<Option<Value>, PortError> {
        let body = json!({"TableName": self.table, "Key": key(pk, sk), "ConsistentRead": true});
        let mut answer = self.rpc.call("GetItem", what, &body).await?;
        Ok(answer.get_mut("Item").map(Value::take))
    }

    /// Puts an item, on a condition over `:name` values and the names `#name` of attributes.
    async fn put_item(
        &self,
        what: &str,
        item: Value,
        condition: Option<(&str, Value)>,
    ) -> Result<(), PortError> {
        let mut body = json!({"TableName": self.table, "Item": item});
        if let Some((condition, values)) = condition {
            body["ConditionExpression"] = condition.into();
            conditioned(&mut body, condition, values);
        }
        self.rpc.call("PutItem", what, &body).await.map(drop)
    }
}

/// Attributes that the conditions here speak of; several are words of DynamoDB's own.
const NAMES: [&str; 5] = ["state", "by", "until", "token", "due"];

fn conditioned(body: &mut Value, condition: &str, values: Value) {
    let names: Map<String, Value> = NAMES
        .iter()
        .filter(|name| condition.contains(&format!("#{name}")))
        .map(|name| (format!("#{name}"), (*name).into()))
        .collect();
    if !names.is_empty() {
        body["ExpressionAttributeNames"] = names.into();
    }
    if values.as_object().is_some_and(|values| !values.is_empty()) {
        body["ExpressionAttributeValues"] = values;
    }
}

impl Ledger for DynamoLedger {
    async fn read(&self, run: &str) -> Result<Option<LedgerEntry>, PortError> {
        let what = about(run);
        let item = self.item(&what, &run_pk(run), "ledger").await?;
        item.map(|item| {
            entry(&item).ok_or_else(|| unavailable(&what, "it is not as a ledger writes it"))
        })
        .transpose()
    }

    async fn intend(&self, run: &str, intent: &Intent) -> Result<(), PortError> {
        let condition = "attribute_not_exists(pk) OR (#state = :intended AND #by = :by)";
        let values = json!({":intended": text(INTENDED), ":by": text(&intent.by)});
        self.put_item(
            &about(run),
            intended(run, intent),
            Some((condition, values)),
        )
        .await
    }

    async fn take_over(&self, run: &str, old: &Intent, intent: &Intent) -> Result<(), PortError> {
        let condition = "#state = :intended AND ((#by = :old AND #until = :until) OR #by = :by)";
        let values = json!({
            ":intended": text(INTENDED), ":old": text(&old.by), ":until": time(old.until),
            ":by": text(&intent.by)
        });
        self.put_item(
            &about(run),
            intended(run, intent),
            Some((condition, values)),
        )
        .await
    }

    async fn withdraw(&self, run: &str, by: &str) -> Result<(), PortError> {
        let condition = "#state = :intended AND #by = :by";
        let mut body = json!({"TableName": self.table, "Key": key(&run_pk(run), "ledger"), "ConditionExpression": condition});
        let values = json!({":intended": text(INTENDED), ":by": text(by)});
        conditioned(&mut body, condition, values);
        self.rpc
            .call("DeleteItem", &about(run), &body)
            .await
            .map(drop)
    }

    async fn started(&self, run: &str, id: &str) -> Result<(), PortError> {
        let mut item = key(&run_pk(run), "ledger");
        item["state"] = text(STARTED);
        item["run"] = text(id);
        item["expires"] = expires(Timestamp::now(), KEPT);
        let condition = "attribute_not_exists(pk) OR #state <> :finished";
        let values = json!({":finished": text(FINISHED)});
        self.put_item(&about(run), item, Some((condition, values)))
            .await
    }

    async fn finished(&self, run: &str) -> Result<(), PortError> {
        let mut item = key(&run_pk(run), "ledger");
        item["state"] = text(FINISHED);
        item["expires"] = expires(Timestamp::now(), KEPT);
        self.put_item(&about(run), item, None).await
    }
}

impl OpenJobs for DynamoLedger {
    async fn open(&self, action: &str, job: &OpenJob) -> Result<(), PortError> {
        let condition = "attribute_not_exists(pk) OR #by = :by";
        let values = json!({":by": text(&job.by)});
        self.put_item(
            &about(job.job.as_str()),
            opened(action, job),
            Some((condition, values)),
        )
        .await
    }

    async fn left_open(
        &self,
        action: &str,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<OpenJob>, PortError> {
        let what = format!("the open jobs of {action}");
        let condition = "pk = :pk";
        let filter = "#until < :now";
        // Open jobs are few, and a filter comes after the page is read: the first page has them all.
        let mut body = json!({
            "TableName": self.table, "KeyConditionExpression": condition, "FilterExpression": filter,
            "ConsistentRead": true
        });
        let values = json!({":pk": text(&open_pk(action)), ":now": time(now)});
        conditioned(&mut body, filter, values);
        let answer = self.rpc.call("Query", &what, &body).await?;
        let items = answer.get("Items").and_then(Value::as_array);
        let jobs = items.into_iter().flatten().filter_map(open_job);
        Ok(jobs.take(most).collect())
    }

    async fn reopen(&self, action: &str, old: &OpenJob, new: &OpenJob) -> Result<(), PortError> {
        let condition = "(#by = :old AND #until = :until) OR #by = :by";
        let values =
            json!({":old": text(&old.by), ":until": time(old.until), ":by": text(&new.by)});
        self.put_item(
            &about(new.job.as_str()),
            opened(action, new),
            Some((condition, values)),
        )
        .await
    }

    async fn close(&self, action: &str, job: &JobId) -> Result<(), PortError> {
        let key = key(&open_pk(action), job.as_str());
        let body = json!({"TableName": self.table, "Key": key});
        self.rpc
            .call("DeleteItem", &about(job.as_str()), &body)
            .await
            .map(drop)
    }
}

impl OpenRuns for DynamoLedger {
    async fn note(&self, action: &str, run: &OpenRun) -> Result<(), PortError> {
        let item = noted(action, run, Timestamp::now());
        self.put_item(&about(&run.run_key), item, None).await
    }

    async fn noted(&self, action: &str, execution: &str) -> Result<Vec<OpenRun>, PortError> {
        let what = format!("the runs of {action} in {execution}");
        let condition = "pk = :pk";
        let mut runs = Vec::new();
        let mut start = None;
        loop {
            let mut body = json!({
                "TableName": self.table, "KeyConditionExpression": condition, "ConsistentRead": true
            });
            if let Some(key) = start {
                body["ExclusiveStartKey"] = key;
            }
            conditioned(
                &mut body,
                condition,
                json!({":pk": text(&part_pk(action, execution))}),
            );
            let mut answer = self.rpc.call("Query", &what, &body).await?;
            let items = answer.get("Items").and_then(Value::as_array);
            let items = items.into_iter().flatten();
            runs.extend(items.filter_map(|item| noted_run(execution, item)));
            start = answer.get_mut("LastEvaluatedKey").map(Value::take);
            if start.as_ref().is_none_or(Value::is_null) {
                return Ok(runs);
            }
        }
    }
}

impl Shelf for DynamoLedger {
    async fn put(&self, run: &str, name: &str, kept: &str) -> Result<(), PortError> {
        let mut item = key(&run_pk(run), &format!("progress#{name}"));
        item["text"] = text(kept);
        item["expires"] = expires(Timestamp::now(), KEPT);
        self.put_item(&about(run), item, None).await
    }

    async fn get(&self, run: &str, name: &str) -> Result<Option<String>, PortError> {
        let sk = format!("progress#{name}");
        let item = self.item(&about(run), &run_pk(run), &sk).await?;
        Ok(item.and_then(|item| Some(field(&item, "text")?.to_owned())))
    }
}

fn about(key: &str) -> String {
    format!("the ledger entry {key}")
}

fn run_pk(run: &str) -> String {
    format!("run#{run}")
}

fn open_pk(action: &str) -> String {
    format!("open#{action}")
}

fn part_pk(action: &str, execution: &str) -> String {
    format!("part#{action}/{execution}")
}

fn key(pk: &str, sk: &str) -> Value {
    json!({"pk": text(pk), "sk": text(sk)})
}

fn intended(run: &str, intent: &Intent) -> Value {
    let mut item = key(&run_pk(run), "ledger");
    item["state"] = text(INTENDED);
    item["at"] = time(intent.at);
    item["until"] = time(intent.until);
    item["by"] = text(&intent.by);
    item["expires"] = expires(intent.at, KEPT);
    item
}

fn opened(action: &str, job: &OpenJob) -> Value {
    let mut item = key(&open_pk(action), job.job.as_str());
    item["nonce"] = text(&job.nonce);
    item["by"] = text(&job.by);
    item["until"] = time(job.until);
    item["expires"] = expires(job.until, OPEN_KEPT);
    item
}

fn noted(action: &str, run: &OpenRun, now: Timestamp) -> Value {
    let mut item = key(&part_pk(action, &run.execution), &run.run_key);
    item["parameters"] = text(&run.parameters);
    if let Some(place) = &run.place {
        item["pipeline"] = text(&place.pipeline);
        item["action"] = text(&place.action_execution);
    }
    item["expires"] = expires(now, KEPT);
    item
}

fn noted_run(execution: &str, item: &Value) -> Option<OpenRun> {
    let place = field(item, "pipeline").zip(field(item, "action"));
    Some(OpenRun {
        execution: execution.to_owned(),
        run_key: field(item, "sk")?.to_owned(),
        place: place.map(|(pipeline, action)| Place {
            pipeline: pipeline.to_owned(),
            execution: execution.to_owned(),
            action_execution: action.to_owned(),
        }),
        parameters: field(item, "parameters")?.to_owned(),
    })
}

fn entry(item: &Value) -> Option<LedgerEntry> {
    match field(item, "state")? {
        INTENDED => Some(LedgerEntry::Intended(Intent {
            at: field(item, "at")?.parse().ok()?,
            until: field(item, "until")?.parse().ok()?,
            by: field(item, "by")?.to_owned(),
        })),
        STARTED => Some(LedgerEntry::Started {
            run: field(item, "run")?.to_owned(),
        }),
        FINISHED => Some(LedgerEntry::Finished),
        _ => None,
    }
}

fn open_job(item: &Value) -> Option<OpenJob> {
    Some(OpenJob {
        job: field(item, "sk")?.parse().ok()?,
        nonce: field(item, "nonce")?.to_owned(),
        by: field(item, "by")?.to_owned(),
        until: field(item, "until")?.parse().ok()?,
    })
}

fn field<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item.get(name)?.get("S")?.as_str()
}

fn text(text: &str) -> Value {
    json!({"S": text})
}

/// Times of one width, so that they compare as texts.
fn time(at: Timestamp) -> Value {
    text(&format!("{at:.9}"))
}

fn expires(from: Timestamp, kept: SignedDuration) -> Value {
    let at = from.saturating_add(kept).unwrap_or(Timestamp::MAX);
    json!({"N": at.as_second().to_string()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_back_or_refused() {
        let item = |fields: &[(&str, &str)]| {
            let fields = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), text(value)));
            entry(&fields.collect::<Map<_, _>>().into())
        };
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let intent = Intent {
            at,
            until: at + SignedDuration::from_millis(90_500),
            by: "d-1".into(),
        };
        assert_eq!(
            entry(&intended("a/1", &intent)),
            Some(LedgerEntry::Intended(intent))
        );
        assert_eq!(
            item(&[("state", "started"), ("run", "17")]),
            Some(LedgerEntry::Started { run: "17".into() })
        );
        assert_eq!(item(&[("state", "finished")]), Some(LedgerEntry::Finished));
        assert_eq!(item(&[("state", "started")]), None);
        assert_eq!(item(&[("state", "other")]), None);
        let job = OpenJob {
            job: "1-a".parse().unwrap(),
            nonce: "n".into(),
            by: "d-1".into(),
            until: at,
        };
        assert_eq!(open_job(&opened("action-x", &job)), Some(job));
        let place = Place {
            pipeline: "p".into(),
            execution: "e".into(),
            action_execution: "a".into(),
        };
        for place in [Some(place), None] {
            let run = OpenRun {
                execution: "e".into(),
                run_key: "k".into(),
                place,
                parameters: "{}".into(),
            };
            assert_eq!(noted_run("e", &noted("action-x", &run, at)), Some(run));
        }
    }

    #[test]
    fn times_compare_as_texts() {
        let texts: Vec<Value> = [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.1Z",
            "2026-01-02T03:04:06Z",
        ]
        .map(|at| time(at.parse().unwrap()))
        .into();
        assert!(
            texts.is_sorted_by_key(|text| text["S"].as_str().unwrap().to_owned()),
            "{texts:?}"
        );
    }
}
