//! The transactions that make, replace and delete objects.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    Deleted, ObjectStore,
    blob::{Blob, Written},
    index::{self, Stored},
    types::{BucketInfo, Condition, ObjectHeaders, ObjectInfo, StoreError, Versioning},
};

/// Version id of what is put while a bucket keeps no versions.
pub(super) const NULL_VERSION: &str = "null";

/// How a received body becomes an object.
pub(super) struct New {
    pub headers: ObjectHeaders,
    pub condition: Condition,
    /// Instead of the MD5 of the bytes.
    pub etag: Option<String>,
}

impl ObjectStore {
    /// Makes a received body an object, in one transaction.
    pub(super) fn commit(
        &self,
        connection: &mut Connection,
        bucket: &str,
        key: &str,
        new: New,
        written: Written,
    ) -> Result<ObjectInfo, StoreError> {
        let now = index::now();
        let blob = self.settle(connection, written)?;
        let transaction = connection.transaction()?;
        let put = insert(&transaction, bucket, key, &new, &blob, now);
        match put.and_then(|info| {
            transaction
                .commit()
                .map(|()| info)
                .map_err(StoreError::from)
        }) {
            Ok(info) => {
                self.remove_old(connection, now)?;
                Ok(info)
            }
            Err(error) => {
                index::drop_blob(connection, &blob.name, now)?;
                Err(error)
            }
        }
    }
}

pub(super) fn headers_text(headers: &ObjectHeaders) -> String {
    serde_json::to_string(headers).expect("maps of strings are always JSON")
}

fn insert(
    connection: &Connection,
    bucket: &str,
    key: &str,
    new: &New,
    blob: &Blob,
    now: Timestamp,
) -> Result<ObjectInfo, StoreError> {
    let bucket = index::bucket(connection, bucket)?;
    let latest = index::latest(connection, &bucket, key)?;
    if !holds(&new.condition, latest.as_ref()) {
        return Err(StoreError::Precondition {
            bucket: bucket.name,
            key: key.to_owned(),
        });
    }
    let version = make_way(connection, &bucket, key, now)?;
    let etag = new.etag.clone().unwrap_or_else(|| hex::encode(blob.md5));
    insert_row(
        connection,
        &bucket.name,
        key,
        &version,
        Some(blob),
        &etag,
        &new.headers,
        now,
    )?;
    index::forget_blob(connection, &blob.name)?;
    Ok(ObjectInfo {
        key: key.to_owned(),
        etag,
        version_id: (bucket.versioning != Versioning::Off).then_some(version),
        size: blob.size,
        last_modified: now,
        latest: true,
        delete_marker: false,
        headers: new.headers.clone(),
    })
}

fn holds(condition: &Condition, latest: Option<&Stored>) -> bool {
    let there = latest.filter(|stored| !stored.info.delete_marker);
    match condition {
        Condition::Always => true,
        Condition::Absent => there.is_none(),
        Condition::Etag(etag) => there.is_some_and(|stored| stored.info.etag == *etag),
    }
}

/// Makes way for a new latest version and answers its id.
fn make_way(
    connection: &Connection,
    bucket: &BucketInfo,
    key: &str,
    now: Timestamp,
) -> Result<String, StoreError> {
    if bucket.versioning != Versioning::Enabled {
        remove_row(connection, bucket, key, NULL_VERSION, now)?;
    }
    connection
        .prepare_cached(
            "UPDATE object SET latest = 0 WHERE bucket = ?1 AND key = ?2 AND latest = 1",
        )?
        .execute([&bucket.name, key])?;
    Ok(match bucket.versioning {
        Versioning::Enabled => uuid::Uuid::new_v4().simple().to_string(),
        Versioning::Off | Versioning::Suspended => NULL_VERSION.to_owned(),
    })
}

#[expect(
    clippy::too_many_arguments,
    reason = "one argument per column of one private insert"
)]
fn insert_row(
    connection: &Connection,
    bucket: &str,
    key: &str,
    version: &str,
    blob: Option<&Blob>,
    etag: &str,
    headers: &ObjectHeaders,
    now: Timestamp,
) -> Result<(), StoreError> {
    let size = blob.map_or(0, |blob| i64::try_from(blob.size).unwrap_or(i64::MAX));
    connection
        .prepare_cached(
            "INSERT INTO object (bucket, key, version, latest, blob, etag, size, modified, headers)
             VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            bucket,
            key,
            version,
            blob.map(|blob| &blob.name),
            etag,
            size,
            now.as_millisecond(),
            headers_text(headers)
        ])?;
    Ok(())
}

fn remove_row(
    connection: &Connection,
    bucket: &BucketInfo,
    key: &str,
    version: &str,
    now: Timestamp,
) -> Result<Option<Stored>, StoreError> {
    let Some(stored) = index::version(connection, bucket, key, version)? else {
        return Ok(None);
    };
    connection
        .prepare_cached("DELETE FROM object WHERE bucket = ?1 AND key = ?2 AND version = ?3")?
        .execute([&bucket.name, key, version])?;
    if let Some(blob) = &stored.blob {
        index::drop_blob(connection, blob, now)?;
    }
    Ok(Some(stored))
}

pub(super) fn delete_version(
    connection: &Connection,
    bucket: &BucketInfo,
    key: &str,
    version: &str,
    now: Timestamp,
) -> Result<Deleted, StoreError> {
    let removed = remove_row(connection, bucket, key, version, now)?;
    if removed.as_ref().is_some_and(|stored| stored.info.latest) {
        connection.execute(
            "UPDATE object SET latest = 1 WHERE seq =
             (SELECT max(seq) FROM object WHERE bucket = ?1 AND key = ?2)",
            [&bucket.name, key],
        )?;
    }
    Ok(Deleted {
        version_id: Some(version.to_owned()),
        delete_marker: removed.is_some_and(|stored| stored.info.delete_marker),
    })
}

pub(super) fn mark_deleted(
    connection: &Connection,
    bucket: &BucketInfo,
    key: &str,
    now: Timestamp,
) -> Result<Deleted, StoreError> {
    let version = make_way(connection, bucket, key, now)?;
    let headers = ObjectHeaders::default();
    insert_row(
        connection,
        &bucket.name,
        key,
        &version,
        None,
        "",
        &headers,
        now,
    )?;
    Ok(Deleted {
        version_id: Some(version),
        delete_marker: true,
    })
}
