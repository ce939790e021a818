//! Multipart uploads: parts are files until the end joins them.

use std::{fs, io};

use jiff::Timestamp;
use md5::{Digest as _, Md5};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    Body, ObjectStore,
    blob::Written,
    index,
    object::check_key,
    types::{Condition, ObjectHeaders, ObjectInfo, StoreError},
    write::{New, headers_text},
};

/// One uploaded part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartInfo {
    /// 1 to 10,000.
    pub number: u32,
    /// MD5 of its bytes in hex, no quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// When it was uploaded.
    pub last_modified: Timestamp,
}

/// One upload that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadInfo {
    /// Its id.
    pub id: String,
    /// Key of the object to be.
    pub key: String,
    /// When it began.
    pub started: Timestamp,
}

struct Part {
    blob: String,
    info: PartInfo,
}

impl ObjectStore {
    /// Begins an upload; answers its id.
    ///
    /// # Errors
    /// `NoSuchBucket`, `BadKey`, or the store itself.
    pub async fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        headers: ObjectHeaders,
    ) -> Result<String, StoreError> {
        check_key(key)?;
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.with(move |_, connection| {
            index::bucket(connection, &bucket)?;
            let id = uuid::Uuid::new_v4().simple().to_string();
            connection.execute(
                "INSERT INTO upload (id, bucket, key, started, headers) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id, bucket, key, index::now().as_millisecond(), headers_text(&headers)],
            )?;
            Ok(id)
        })
        .await
    }

    /// Puts one part, replacing an earlier one of the same number; answers its ETag.
    ///
    /// # Errors
    /// `NoSuchUpload`, `Body`, or the store itself.
    pub async fn put_part(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        number: u32,
        body: Body,
    ) -> Result<PartInfo, StoreError> {
        self.upload_headers(bucket, key, upload).await?;
        let written = self.receive(key, body).await?;
        let (bucket, key, upload) = (bucket.to_owned(), key.to_owned(), upload.to_owned());
        self.with(move |store, connection| {
            let blob = store.settle(connection, written)?;
            let now = index::now();
            let transaction = connection.transaction()?;
            if let Err(error) = headers_of(&transaction, &bucket, &key, &upload) {
                index::drop_blob(&transaction, &blob.name, now)?;
                transaction.commit()?;
                return Err(error);
            }
            let replaced: Option<String> = transaction
                .query_row(
                    "SELECT blob FROM part WHERE upload = ?1 AND number = ?2",
                    params![upload, number],
                    |row| row.get(0),
                )
                .optional()?;
            if let Some(replaced) = replaced {
                index::drop_blob(&transaction, &replaced, now)?;
            }
            let etag = hex::encode(blob.md5);
            transaction.execute(
                "INSERT OR REPLACE INTO part (upload, number, blob, etag, size, modified)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    upload,
                    number,
                    blob.name,
                    etag,
                    i64::try_from(blob.size).unwrap_or(i64::MAX),
                    now.as_millisecond()
                ],
            )?;
            index::forget_blob(&transaction, &blob.name)?;
            transaction.commit()?;
            Ok(PartInfo {
                number,
                etag,
                size: blob.size,
                last_modified: now,
            })
        })
        .await
    }

    /// Joins the named parts (number and ETag without quotes) into the object.
    ///
    /// # Errors
    /// `NoSuchUpload`, `InvalidPart`, `InvalidPartOrder`, `Precondition`, or the store itself.
    pub async fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        parts: Vec<(u32, String)>,
        condition: Condition,
    ) -> Result<ObjectInfo, StoreError> {
        if parts.is_empty() || parts.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(StoreError::InvalidPartOrder);
        }
        let (bucket, key, upload) = (bucket.to_owned(), key.to_owned(), upload.to_owned());
        let begun = (bucket.clone(), key.clone(), upload.clone());
        let (headers, stored) = self
            .with(move |_, connection| {
                let (bucket, key, upload) = &begun;
                Ok((
                    headers_of(connection, bucket, key, upload)?,
                    parts_of(connection, upload)?,
                ))
            })
            .await?;
        let chosen = choose(&stored, &parts)?;
        let etag = Some(joined_etag(&chosen));
        let joined = self
            .join(chosen.into_iter().map(|part| part.blob.clone()).collect())
            .await?;
        self.with(move |store, connection| {
            // Whoever was faster has ended the upload.
            if let Err(error) = headers_of(connection, &bucket, &key, &upload) {
                if let Written::File { blob, .. } = &joined {
                    index::drop_blob(connection, blob, index::now())?;
                }
                return Err(error);
            }
            let new = New {
                headers,
                condition,
                etag,
            };
            let info = store.commit(connection, &bucket, &key, new, joined)?;
            end(connection, &upload)?;
            Ok(info)
        })
        .await
    }

    /// Ends an upload without an object.
    ///
    /// # Errors
    /// `NoSuchUpload`, or the store itself.
    pub async fn abort_upload(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
    ) -> Result<(), StoreError> {
        let (bucket, key, upload) = (bucket.to_owned(), key.to_owned(), upload.to_owned());
        self.with(move |_, connection| {
            headers_of(connection, &bucket, &key, &upload)?;
            end(connection, &upload)
        })
        .await
    }

    /// The parts uploaded so far, by number.
    ///
    /// # Errors
    /// `NoSuchUpload`, or the store itself.
    pub async fn list_parts(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
    ) -> Result<Vec<PartInfo>, StoreError> {
        let (bucket, key, upload) = (bucket.to_owned(), key.to_owned(), upload.to_owned());
        self.with(move |_, connection| {
            headers_of(connection, &bucket, &key, &upload)?;
            Ok(parts_of(connection, &upload)?
                .into_iter()
                .map(|part| part.info)
                .collect())
        })
        .await
    }

    /// The uploads of a bucket that have not ended, by key.
    ///
    /// # Errors
    /// `NoSuchBucket`, or the store itself.
    pub async fn list_uploads(&self, bucket: &str) -> Result<Vec<UploadInfo>, StoreError> {
        let bucket = bucket.to_owned();
        self.with(move |_, connection| {
            index::bucket(connection, &bucket)?;
            let mut statement = connection.prepare_cached(
                "SELECT id, key, started FROM upload WHERE bucket = ?1 ORDER BY key, started",
            )?;
            let rows = statement.query_map([&bucket], |row| {
                Ok(UploadInfo {
                    id: row.get(0)?,
                    key: row.get(1)?,
                    started: index::time(row.get(2)?),
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn upload_headers(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
    ) -> Result<ObjectHeaders, StoreError> {
        let (bucket, key, upload) = (bucket.to_owned(), key.to_owned(), upload.to_owned());
        self.with(move |_, connection| headers_of(connection, &bucket, &key, &upload))
            .await
    }

    /// Writes the parts' files one after the other into a new one, without holding the index.
    async fn join(&self, parts: Vec<String>) -> Result<Written, StoreError> {
        let blob = self.expect_new_blob().await?;
        let target = self.blob_path(&blob);
        let sources: Vec<_> = parts.iter().map(|part| self.blob_path(part)).collect();
        let joined = tokio::task::spawn_blocking(move || {
            let failed = |source: io::Error| StoreError::file("write", &target, source);
            let mut file = fs::File::create_new(&target).map_err(failed)?;
            let mut size = 0;
            for source in sources {
                let mut source = fs::File::open(source).map_err(failed)?;
                size += io::copy(&mut source, &mut file).map_err(failed)?;
            }
            Ok(size)
        })
        .await
        .map_err(|source| StoreError::Worker { source })?;
        match joined {
            Ok(size) => Ok(Written::File {
                blob,
                size,
                md5: [0; 16],
            }),
            Err(error) => {
                self.give_up(&blob).await;
                Err(error)
            }
        }
    }
}

/// The headers the upload began with.
fn headers_of(
    connection: &Connection,
    bucket: &str,
    key: &str,
    upload: &str,
) -> Result<ObjectHeaders, StoreError> {
    index::bucket(connection, bucket)?;
    let text: Option<String> = connection
        .query_row(
            "SELECT headers FROM upload WHERE id = ?1 AND bucket = ?2 AND key = ?3",
            [upload, bucket, key],
            |row| row.get(0),
        )
        .optional()?;
    text.map(|text| serde_json::from_str(&text).unwrap_or_default())
        .ok_or_else(|| StoreError::NoSuchUpload {
            key: key.to_owned(),
            upload: upload.to_owned(),
        })
}

fn parts_of(connection: &Connection, upload: &str) -> Result<Vec<Part>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT blob, number, etag, size, modified FROM part WHERE upload = ?1 ORDER BY number",
    )?;
    let rows = statement.query_map([upload], |row| {
        let info = PartInfo {
            number: row.get(1)?,
            etag: row.get(2)?,
            size: row.get::<_, i64>(3)?.unsigned_abs(),
            last_modified: index::time(row.get(4)?),
        };
        Ok(Part {
            blob: row.get(0)?,
            info,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn choose<'p>(stored: &'p [Part], named: &[(u32, String)]) -> Result<Vec<&'p Part>, StoreError> {
    named
        .iter()
        .map(|(number, etag)| {
            stored
                .iter()
                .find(|part| part.info.number == *number && part.info.etag == *etag)
                .ok_or(StoreError::InvalidPart { number: *number })
        })
        .collect()
}

/// MD5 of the parts' MD5s, and how many there are, as S3 makes it.
fn joined_etag(parts: &[&Part]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(hex::decode(&part.info.etag).unwrap_or_default());
    }
    format!("{}-{}", hex::encode(md5.finalize()), parts.len())
}

fn end(connection: &mut Connection, upload: &str) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    let now = index::now();
    for part in parts_of(&transaction, upload)? {
        index::drop_blob(&transaction, &part.blob, now)?;
    }
    transaction.execute("DELETE FROM part WHERE upload = ?1", [upload])?;
    transaction.execute("DELETE FROM upload WHERE id = ?1", [upload])?;
    transaction.commit()?;
    Ok(())
}
