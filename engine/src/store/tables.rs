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

/// The library marks requests that are well-formed and wrong by a prefix of the parser's message.
fn unreadable(error: &serde_json::Error) -> TableFault {
    let text = error.to_string();
    fault(&match text.split_once("VALIDATION:") {
        Some((_, message)) => DynoxideError::ValidationException(without_place(message).to_owned()),
        None => DynoxideError::SerializationException(text),
    })
}

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
