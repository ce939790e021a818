//! DynamoDB tables: a library's engine over one SQLite file.

use std::path::Path;

use dynoxide::{Database, DynoxideError};
use serde::{Serialize, de::DeserializeOwned};

/// The tables of one engine; clones share them.
#[derive(Clone)]
pub struct Tables {
    database: Database,
}

/// Why a call was refused: status and body as DynamoDB sends them.
#[derive(Debug, Clone, thiserror::Error)]
#[error("DynamoDB refused: {body}")]
pub struct TableFault {
    /// HTTP status.
    pub status: u16,
    /// JSON with `__type` and a message.
    pub body: String,
}

/// Why the tables cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// The file is not a table store, or cannot be opened.
    #[error("could not open the tables in {path}")]
    Open {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: DynoxideError,
    },
}

impl Tables {
    /// Opens (or makes) the tables in `file`.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn open(file: &Path) -> Result<Self, TablesError> {
        let path = file.display().to_string();
        match Database::new(&path) {
            Ok(database) => Ok(Self { database }),
            Err(source) => Err(TablesError::Open { path, source }),
        }
    }

    /// Performs one operation by name; JSON in, JSON out. `None`: DynamoDB has it and this engine does not, or nobody has.
    ///
    /// # Errors
    /// DynamoDB's refusal.
    pub async fn call(&self, operation: &str, body: &str) -> Option<Result<String, TableFault>> {
        let tables = self.clone();
        let (operation, body) = (operation.to_owned(), body.to_owned());
        let worker = tokio::task::spawn_blocking(move || tables.perform(&operation, &body)).await;
        worker.unwrap_or_else(|error| {
            tracing::error!(%error, "a DynamoDB call ended early");
            Some(Err(TableFault {
                status: 500,
                body: r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"the call ended early"}"#
                    .to_owned(),
            }))
        })
    }

    fn perform(&self, operation: &str, body: &str) -> Option<Result<String, TableFault>> {
        let db = &self.database;
        Some(match operation {
            "CreateTable" => run(body, |request| db.create_table(request)),
            "DescribeTable" => run(body, |request| db.describe_table(request)),
            "UpdateTable" => run(body, |request| db.update_table(request)),
            "DeleteTable" => run(body, |request| db.delete_table(request)),
            "ListTables" => run(body, |request| db.list_tables(request)),
            "PutItem" => run(body, |request| db.put_item(request)),
            "GetItem" => run(body, |request| db.get_item(request)),
            "UpdateItem" => run(body, |request| db.update_item(request)),
            "DeleteItem" => run(body, |request| db.delete_item(request)),
            "Query" => run(body, |request| db.query(request)),
            "Scan" => run(body, |request| db.scan(request)),
            "BatchGetItem" => run(body, |request| db.batch_get_item(request)),
            "BatchWriteItem" => run(body, |request| db.batch_write_item(request)),
            "TransactWriteItems" => run(body, |request| db.transact_write_items(request)),
            "TransactGetItems" => run(body, |request| db.transact_get_items(request)),
            "UpdateTimeToLive" => run(body, |request| db.update_time_to_live(request)),
            "DescribeTimeToLive" => run(body, |request| db.describe_time_to_live(request)),
            "TagResource" => run(body, |request| db.tag_resource(request)),
            "UntagResource" => run(body, |request| db.untag_resource(request)),
            "ListTagsOfResource" => run(body, |request| db.list_tags_of_resource(request)),
            _ => return None,
        })
    }
}

fn run<Request: DeserializeOwned, Reply: Serialize>(
    body: &str,
    act: impl FnOnce(Request) -> Result<Reply, DynoxideError>,
) -> Result<String, TableFault> {
    let request = serde_json::from_str(body).map_err(|error| unreadable(&error))?;
    let reply = act(request).map_err(|error| fault(&error))?;
    serde_json::to_string(&reply)
        .map_err(|error| fault(&DynoxideError::InternalServerError(error.to_string())))
}

/// The library words what DynamoDB says of a request in the parser's message, marked with the kind of error.
fn unreadable(error: &serde_json::Error) -> TableFault {
    let text = error.to_string();
    let plain = without_place(&text);
    let marked = |marker: &str| plain.strip_prefix(marker).map(str::to_owned);
    let validation = marked("VALIDATION:")
        .or_else(|| marked("VALIDATION_AS_READ:"))
        .or_else(|| {
            Some(format!(
                "1 validation error detected: {}",
                marked("VALIDATION_REQUEST:")?
            ))
        });
    let kind_of_value = [
        "missing field",
        "unknown variant",
        "invalid type: null",
        "Supplied AttributeValue",
    ];
    let serialization = || {
        let marked = marked("SERIALIZATION:").or_else(|| marked("SERIALIZATION_AS_READ:"));
        DynoxideError::SerializationException(marked.unwrap_or_else(|| text.clone()))
    };
    fault(&match validation {
        Some(message) => DynoxideError::ValidationException(message),
        None if plain.contains("empty AttributeValue") => DynoxideError::ValidationException(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
                .to_owned(),
        ),
        None if kind_of_value.iter().any(|kind| plain.contains(kind)) => {
            DynoxideError::ValidationException(plain.to_owned())
        }
        None => serialization(),
    })
}

/// Without the parser's ` at line N column N`.
fn without_place(message: &str) -> &str {
    message
        .rfind(" at line ")
        .map_or(message, |at| &message[..at])
}

fn fault(error: &DynoxideError) -> TableFault {
    TableFault {
        status: error.status_code(),
        body: error.to_json(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn call(tables: &Tables, operation: &str, body: &str) -> Result<String, String> {
        let answer = tables.call(operation, body).await.unwrap();
        answer.map_err(|fault| format!("{} {}", fault.status, fault.body))
    }

    #[tokio::test]
    async fn conditions_transactions_and_queries_hold_across_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tables.db");
        let tables = Tables::open(&file).unwrap();
        let create = r#"{"TableName":"tab","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"}],"BillingMode":"PAY_PER_REQUEST"}"#;
        call(&tables, "CreateTable", create).await.unwrap();
        let ttl = r#"{"TableName":"tab","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"ttl"}}"#;
        call(&tables, "UpdateTimeToLive", ttl).await.unwrap();
        for sk in 1..=3 {
            let put =
                format!(r#"{{"TableName":"tab","Item":{{"pk":{{"S":"a"}},"sk":{{"N":"{sk}"}}}}}}"#);
            call(&tables, "PutItem", &put).await.unwrap();
        }
        let transaction = r#"{"TransactItems":[
            {"Put":{"TableName":"tab","Item":{"pk":{"S":"b"},"sk":{"N":"1"}}}},
            {"ConditionCheck":{"TableName":"tab","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"ConditionExpression":"attribute_exists(done)"}}]}"#;
        let refused = call(&tables, "TransactWriteItems", transaction)
            .await
            .unwrap_err();
        assert!(
            refused.contains("TransactionCanceledException")
                && refused.contains("ConditionalCheckFailed"),
            "{refused}"
        );
        drop(tables);

        let tables = Tables::open(&file).unwrap();
        let query = |pk: &str| {
            format!(
                r#"{{"TableName":"tab","KeyConditionExpression":"pk = :p AND sk > :s","ExpressionAttributeValues":{{":p":{{"S":"{pk}"}},":s":{{"N":"1"}}}},"Select":"COUNT"}}"#
            )
        };
        assert_eq!(
            call(&tables, "Query", &query("a")).await.unwrap(),
            r#"{"Count":2,"ScannedCount":2}"#
        );
        assert_eq!(
            call(&tables, "Query", &query("b")).await.unwrap(),
            r#"{"Count":0,"ScannedCount":0}"#
        );
        assert!(
            call(&tables, "DescribeTimeToLive", r#"{"TableName":"tab"}"#)
                .await
                .unwrap()
                .contains("ENABLED")
        );
    }

    #[tokio::test]
    async fn wrong_requests_get_dynamodbs_words() {
        let folder = tempfile::tempdir().unwrap();
        let tables = Tables::open(&folder.path().join("tables.db")).unwrap();
        for (operation, body, expected) in [
            ("PutItem", "{", "SerializationException"),
            ("PutItem", r#"{"TableName":7}"#, "SerializationException"),
            (
                "PutItem",
                r#"{"TableName":"tab"}"#,
                "Value null at 'item' failed to satisfy constraint",
            ),
            (
                "GetItem",
                r#"{"TableName":"tab","Key":{"pk":{"S":"a"}}}"#,
                "ResourceNotFoundException",
            ),
            (
                "PutItem",
                r#"{"TableName":"tab","Item":{"pk":{}}}"#,
                "ValidationException",
            ),
        ] {
            let refused = call(&tables, operation, body).await.unwrap_err();
            assert!(
                refused.starts_with("400 ") && refused.contains(expected),
                "{body}: {refused}"
            );
            for marker in ["VALIDATION", "SERIALIZATION", "at line"] {
                assert!(
                    !refused.contains(marker) || expected == "SerializationException",
                    "{refused}"
                );
            }
        }
        assert!(tables.call("CreateBackup", "{}").await.is_none());
    }
}
