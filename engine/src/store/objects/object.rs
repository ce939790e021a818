//! Objects: put, get, head, delete.

use std::{path::PathBuf, sync::PoisonError};

use rusqlite::{Connection, params};

use super::{
    Body, ObjectStore, index,
    types::{BucketInfo, ObjectInfo, PutOptions, StoreError, Versioning},
    write::{NULL_VERSION, New, delete_version, headers_text, mark_deleted},
};

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
}

pub(super) fn check_key(key: &str) -> Result<(), StoreError> {
    if key.is_empty() || key.len() > 1024 {
        Err(StoreError::BadKey)
    } else {
        Ok(())
    }
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
