//! Objects: put, get, head, delete.

use std::{path::PathBuf, sync::PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    Body, ObjectStore,
    blob::Blob,
    index::{self, Stored},
    types::{BucketInfo, Condition, ObjectHeaders, ObjectInfo, PutOptions, StoreError, Versioning},
};

/// Version id of what is put while a bucket keeps no versions.
const NULL_VERSION: &str = "null";

/// What a delete did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deleted {
    /// The version deleted, or the delete marker made.
    pub version_id: Option<String>,
    /// Whether a delete marker was made or deleted.
    pub delete_marker: bool,
}

impl ObjectStore {
    /// Puts an object; it appears whole or not at all.
    ///
    /// # Errors
    /// `NoSuchBucket`, `BadKey`, `Precondition`, `Body`, or the store itself.
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        options: PutOptions,
        body: Body,
    ) -> Result<ObjectInfo, StoreError> {
        check_key(key)?;
        self.bucket(bucket).await?;
        let written = self.receive(key, body).await?;
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.with(move |store, connection| {
            let mut headers = options.headers;
            let trailers = options
                .trailers
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            headers.checksums.extend(trailers.clone());
            let etag = None;
            store.commit(
                connection,
                &bucket,
                &key,
                New {
                    headers,
                    condition: options.condition,
                    etag,
                },
                written,
            )
        })
        .await
    }

    /// An object and the file of its bytes, which stays readable for minutes after the object is replaced.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`, `IsDeleteMarker`, or the store itself.
    pub async fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(ObjectInfo, PathBuf), StoreError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let version = version.map(str::to_owned);
        self.with(move |store, connection| {
            let bucket = index::bucket(connection, &bucket)?;
            let (info, blob) = find(connection, &bucket, &key, version.as_deref())?;
            Ok((info, store.blob_path(&blob)))
        })
        .await
    }

    /// An object without its bytes.
    ///
    /// # Errors
    /// As [`ObjectStore::get`].
    pub async fn head(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<ObjectInfo, StoreError> {
        Ok(self.get(bucket, key, version).await?.0)
    }

    /// Deletes an object (a delete marker, where versions are kept) or one version of it; what is not there is no error.
    ///
    /// # Errors
    /// `NoSuchBucket`, or the store itself.
    pub async fn delete(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Deleted, StoreError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let version = version.map(str::to_owned);
        self.with(move |store, connection| {
            let transaction = connection.transaction()?;
            let now = index::now();
            let bucket = index::bucket(&transaction, &bucket)?;
            let deleted = match version {
                Some(version) => delete_version(&transaction, &bucket, &key, &version, now)?,
                None if bucket.versioning == Versioning::Off => {
                    delete_version(&transaction, &bucket, &key, NULL_VERSION, now)?;
                    Deleted::default()
                }
                None => mark_deleted(&transaction, &bucket, &key, now)?,
            };
            transaction.commit()?;
            store.remove_old(connection, now)?;
            Ok(deleted)
        })
        .await
    }

    /// Replaces what is kept with an object, its bytes and its version unchanged (tags).
    ///
    /// # Errors
    /// As [`ObjectStore::get`].
    pub async fn set_tags(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        tags: std::collections::BTreeMap<String, String>,
    ) -> Result<ObjectInfo, StoreError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let version = version.map(str::to_owned);
        self.with(move |_, connection| {
            let transaction = connection.transaction()?;
            let bucket = index::bucket(&transaction, &bucket)?;
            let (mut info, blob) = find(&transaction, &bucket, &key, version.as_deref())?;
            info.headers.tags = tags;
            transaction.execute(
                "UPDATE object SET headers = ?2 WHERE blob = ?1",
                params![blob, headers_text(&info.headers)],
            )?;
            transaction.commit()?;
            Ok(info)
        })
        .await
    }

    /// Makes a received body an object, in one transaction.
    pub(super) fn commit(
        &self,
        connection: &mut Connection,
        bucket: &str,
        key: &str,
        new: New,
        written: super::blob::Written,
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

/// How a received body becomes an object.
pub(super) struct New {
    pub headers: ObjectHeaders,
    pub condition: Condition,
    /// Instead of the MD5 of the bytes.
    pub etag: Option<String>,
}

pub(super) fn check_key(key: &str) -> Result<(), StoreError> {
    if key.is_empty() || key.len() > 1024 {
        Err(StoreError::BadKey)
    } else {
        Ok(())
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

fn delete_version(
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

fn mark_deleted(
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

/// The object and its file's name.
pub(super) fn find(
    connection: &Connection,
    bucket: &BucketInfo,
    key: &str,
    version: Option<&str>,
) -> Result<(ObjectInfo, String), StoreError> {
    let stored = match version {
        None => index::latest(connection, bucket, key)?
            .ok_or_else(|| StoreError::no_key(&bucket.name, key))?,
        Some(version) => index::version(connection, bucket, key, version)?.ok_or_else(|| {
            StoreError::NoSuchVersion {
                bucket: bucket.name.clone(),
                key: key.to_owned(),
                version: version.to_owned(),
            }
        })?,
    };
    match (stored.blob, version) {
        (Some(blob), _) => Ok((stored.info, blob)),
        (None, Some(version)) => Err(StoreError::IsDeleteMarker {
            key: key.to_owned(),
            version: version.to_owned(),
        }),
        (None, None) => Err(StoreError::NoSuchKey {
            bucket: bucket.name.clone(),
            key: key.to_owned(),
            delete_marker: Some(stored.version),
        }),
    }
}
