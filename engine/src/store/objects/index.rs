//! The index: one SQLite file.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::types::{BucketInfo, ObjectHeaders, ObjectInfo, StoreError, Versioning};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS bucket (
  name TEXT PRIMARY KEY, created INTEGER NOT NULL, versioning INTEGER NOT NULL, website INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS object (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL, key TEXT NOT NULL, version TEXT NOT NULL,
  latest INTEGER NOT NULL, blob TEXT, etag TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,
  headers TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS object_version ON object (bucket, key, version);
CREATE UNIQUE INDEX IF NOT EXISTS object_latest ON object (bucket, key) WHERE latest = 1;
CREATE TABLE IF NOT EXISTS upload (
  id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, started INTEGER NOT NULL, headers TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS part (
  upload TEXT NOT NULL, number INTEGER NOT NULL, blob TEXT NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL,
  modified INTEGER NOT NULL, PRIMARY KEY (upload, number)
) WITHOUT ROWID;
-- Files no object refers to: dropped_at NULL while being written, else since when they are unused.
CREATE TABLE IF NOT EXISTS loose (blob TEXT PRIMARY KEY, dropped_at INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS loose_age ON loose (dropped_at) WHERE dropped_at IS NOT NULL;
";

/// The columns that [`stored`] reads, in its order.
pub(super) const COLUMNS: &str = "key, version, latest, blob, etag, size, modified, headers";

/// A row of the object table.
pub(super) struct Stored {
    pub info: ObjectInfo,
    pub version: String,
    pub blob: Option<String>,
}

pub(super) fn open(file: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

pub(super) fn bucket(connection: &Connection, name: &str) -> Result<BucketInfo, StoreError> {
    connection
        .prepare_cached("SELECT name, created, versioning, website FROM bucket WHERE name = ?1")?
        .query_row([name], bucket_row)
        .optional()?
        .ok_or_else(|| StoreError::NoSuchBucket {
            bucket: name.to_owned(),
        })
}

pub(super) fn bucket_row(row: &Row<'_>) -> rusqlite::Result<BucketInfo> {
    Ok(BucketInfo {
        name: row.get(0)?,
        created: time(row.get(1)?),
        versioning: match row.get::<_, i64>(2)? {
            0 => Versioning::Off,
            1 => Versioning::Enabled,
            _ => Versioning::Suspended,
        },
        website: row.get(3)?,
    })
}

pub(super) const fn versioning_code(versioning: Versioning) -> i64 {
    match versioning {
        Versioning::Off => 0,
        Versioning::Enabled => 1,
        Versioning::Suspended => 2,
    }
}

pub(super) fn stored(row: &Row<'_>, versioning: Versioning) -> rusqlite::Result<Stored> {
    let version: String = row.get(1)?;
    let blob: Option<String> = row.get(3)?;
    let headers: String = row.get(7)?;
    let info = ObjectInfo {
        key: row.get(0)?,
        etag: row.get(4)?,
        version_id: (versioning != Versioning::Off).then(|| version.clone()),
        size: row.get::<_, i64>(5)?.unsigned_abs(),
        last_modified: time(row.get(6)?),
        latest: row.get(2)?,
        delete_marker: blob.is_none(),
        headers: serde_json::from_str::<ObjectHeaders>(&headers).unwrap_or_default(),
    };
    Ok(Stored {
        info,
        version,
        blob,
    })
}

/// The latest version, delete markers included.
pub(super) fn latest(
    connection: &Connection,
    bucket: &BucketInfo,
    key: &str,
) -> Result<Option<Stored>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM object WHERE bucket = ?1 AND key = ?2 AND latest = 1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([&bucket.name, key], |row| stored(row, bucket.versioning))
        .optional()?)
}

pub(super) fn version(
    connection: &Connection,
    bucket: &BucketInfo,
    key: &str,
    version: &str,
) -> Result<Option<Stored>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM object WHERE bucket = ?1 AND key = ?2 AND version = ?3");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([&bucket.name, key, version], |row| {
            stored(row, bucket.versioning)
        })
        .optional()?)
}

/// Notes a file before it is written.
pub(super) fn expect_blob(connection: &Connection, blob: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO loose (blob, dropped_at) VALUES (?1, NULL)")?
        .execute([blob])?;
    Ok(())
}

/// The file has an object now (in the transaction that makes it so), or is gone.
pub(super) fn forget_blob(connection: &Connection, blob: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM loose WHERE blob = ?1")?
        .execute([blob])?;
    Ok(())
}

/// No object refers to the file any more.
pub(super) fn drop_blob(
    connection: &Connection,
    blob: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO loose (blob, dropped_at) VALUES (?1, ?2)")?
        .execute(params![blob, now.as_millisecond()])?;
    Ok(())
}

/// Files to remove: all of them, or at most a few that are unused since before a time (milliseconds).
pub(super) fn unreferenced(
    connection: &Connection,
    before: Option<i64>,
) -> Result<Vec<String>, StoreError> {
    let sql = match before {
        None => "SELECT blob FROM loose WHERE ?1 IS NULL",
        Some(_) => {
            "SELECT blob FROM loose WHERE dropped_at IS NOT NULL AND dropped_at < ?1 LIMIT 16"
        }
    };
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([before], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Now, to the millisecond that the index keeps.
pub(super) fn now() -> Timestamp {
    time(Timestamp::now().as_millisecond())
}
