//! Listings: objects and versions, by prefix and delimiter, a page at a time.

use rusqlite::{Connection, params};

use super::{
    ObjectStore,
    index::{self, Stored},
    types::{BucketInfo, ObjectInfo, StoreError},
};

/// Most entries of one page, as S3's.
const PAGE: usize = 1_000;

/// Which objects.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Keys that begin so.
    pub prefix: String,
    /// Keys that have this after the prefix are rolled into one common prefix.
    pub delimiter: Option<String>,
    /// Keys after this one; a common prefix skips what is rolled into it.
    pub after: Option<String>,
    /// At most so many entries (1,000 at most, and by default).
    pub max: Option<usize>,
}

/// One page of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// In key order (UTF-8 bytes).
    pub objects: Vec<ObjectInfo>,
    /// In order.
    pub common_prefixes: Vec<String>,
    /// The last key or common prefix of this page, when there are more: the next query's `after`.
    pub next: Option<String>,
}

/// Which versions.
#[derive(Debug, Clone, Default)]
pub struct VersionQuery {
    /// As for objects.
    pub prefix: String,
    /// As for objects.
    pub delimiter: Option<String>,
    /// Versions after this key.
    pub key_marker: Option<String>,
    /// Versions of the marker's key older than this one come too.
    pub version_marker: Option<String>,
    /// As for objects.
    pub max: Option<usize>,
}

/// One page of versions and delete markers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionListing {
    /// In key order, newest first; version ids are always there.
    pub versions: Vec<ObjectInfo>,
    /// In order.
    pub common_prefixes: Vec<String>,
    /// Key and version (no version: a common prefix) of the page's last entry, when there are more.
    pub next: Option<(String, Option<String>)>,
}

impl ObjectStore {
    /// One page of the latest versions, without delete markers.
    ///
    /// # Errors
    /// `NoSuchBucket`, or the store itself.
    pub async fn list(&self, bucket: &str, query: ListQuery) -> Result<Listing, StoreError> {
        let bucket = bucket.to_owned();
        self.with(move |_, connection| {
            let bucket = index::bucket(connection, &bucket)?;
            let mut listing = Listing::default();
            let max = query.max.unwrap_or(PAGE).min(PAGE);
            let roll = Roll {
                prefix: &query.prefix,
                delimiter: query.delimiter.as_deref(),
            };
            let mut cursor = roll.start(query.after.as_deref());
            let mut last = None;
            while let Some(stored) = next_object(connection, &bucket, &cursor)? {
                let key = stored.info.key.clone();
                if !key.starts_with(&query.prefix) {
                    break;
                }
                let common = roll.common(&key);
                if let Some(common) = &common
                    && listing.common_prefixes.last() == Some(common)
                {
                    cursor = Cursor::After(key);
                    continue;
                }
                if listing.objects.len() + listing.common_prefixes.len() == max {
                    listing.next = last;
                    break;
                }
                match common {
                    Some(common) => {
                        cursor = Cursor::beyond(&common);
                        last = Some(common.clone());
                        listing.common_prefixes.push(common);
                    }
                    None => {
                        cursor = Cursor::After(key.clone());
                        last = Some(key);
                        listing.objects.push(stored.info);
                    }
                }
            }
            Ok(listing)
        })
        .await
    }

    /// One page of all versions and delete markers.
    ///
    /// # Errors
    /// `NoSuchBucket`, or the store itself.
    pub async fn list_versions(
        &self,
        bucket: &str,
        query: VersionQuery,
    ) -> Result<VersionListing, StoreError> {
        let bucket = bucket.to_owned();
        self.with(move |_, connection| {
            let bucket = index::bucket(connection, &bucket)?;
            let mut listing = VersionListing::default();
            let max = query.max.unwrap_or(PAGE).min(PAGE);
            let roll = Roll {
                prefix: &query.prefix,
                delimiter: query.delimiter.as_deref(),
            };
            let mut cursor = match (&query.key_marker, &query.version_marker) {
                (Some(key), Some(version)) => Cursor::older(connection, &bucket, key, version)?,
                (marker, _) => roll.start(marker.as_deref()),
            };
            let mut last = None;
            while let Some((seq, mut stored)) = next_version(connection, &bucket, &cursor)? {
                let key = stored.info.key.clone();
                if !key.starts_with(&query.prefix) {
                    break;
                }
                let common = roll.common(&key);
                if let Some(common) = &common
                    && listing.common_prefixes.last() == Some(common)
                {
                    cursor = Cursor::After(key);
                    continue;
                }
                if listing.versions.len() + listing.common_prefixes.len() == max {
                    listing.next = last;
                    break;
                }
                match common {
                    Some(common) => {
                        cursor = Cursor::beyond(&common);
                        last = Some((common.clone(), None));
                        listing.common_prefixes.push(common);
                    }
                    None => {
                        stored.info.version_id = Some(stored.version.clone());
                        cursor = Cursor::Older {
                            key: key.clone(),
                            seq,
                        };
                        last = Some((key, Some(stored.version)));
                        listing.versions.push(stored.info);
                    }
                }
            }
            Ok(listing)
        })
        .await
    }
}

/// How keys are rolled into common prefixes.
struct Roll<'q> {
    prefix: &'q str,
    delimiter: Option<&'q str>,
}

impl Roll<'_> {
    fn common(&self, key: &str) -> Option<String> {
        let delimiter = self.delimiter.filter(|delimiter| !delimiter.is_empty())?;
        let rest = key.strip_prefix(self.prefix)?;
        let at = rest.find(delimiter)?;
        Some(key[..self.prefix.len() + at + delimiter.len()].to_owned())
    }

    fn start(&self, after: Option<&str>) -> Cursor {
        match after {
            Some(after) if after >= self.prefix => match self.common(after) {
                Some(common) if common == after => Cursor::beyond(&common),
                _ => Cursor::After(after.to_owned()),
            },
            _ => Cursor::From(self.prefix.to_owned()),
        }
    }
}

/// Where a listing goes on.
enum Cursor {
    From(String),
    After(String),
    /// Older versions of the key, then the keys after it.
    Older {
        key: String,
        seq: i64,
    },
}

impl Cursor {
    /// After all keys below a common prefix (all but those that go on with the last character of Unicode).
    fn beyond(common: &str) -> Self {
        Self::After(format!("{common}{}", char::MAX))
    }

    fn older(
        connection: &Connection,
        bucket: &BucketInfo,
        key: &str,
        version: &str,
    ) -> Result<Self, StoreError> {
        let seq = connection.query_row(
            "SELECT ifnull(max(seq), 0) FROM object WHERE bucket = ?1 AND key = ?2 AND version = ?3",
            [&bucket.name, key, version],
            |row| row.get(0),
        )?;
        Ok(Self::Older {
            key: key.to_owned(),
            seq,
        })
    }
}

fn next_object(
    connection: &Connection,
    bucket: &BucketInfo,
    cursor: &Cursor,
) -> Result<Option<Stored>, StoreError> {
    let (comparison, key) = match cursor {
        Cursor::From(key) => (">=", key),
        Cursor::After(key) | Cursor::Older { key, .. } => (">", key),
    };
    let sql = format!(
        "SELECT {} FROM object WHERE bucket = ?1 AND latest = 1 AND key {comparison} ?2 AND blob IS NOT NULL ORDER BY key LIMIT 1",
        index::COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query_map([&bucket.name, key], |row| {
        index::stored(row, bucket.versioning)
    })?;
    Ok(rows.next().transpose()?)
}

fn next_version(
    connection: &Connection,
    bucket: &BucketInfo,
    cursor: &Cursor,
) -> Result<Option<(i64, Stored)>, StoreError> {
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(8)?, index::stored(row, bucket.versioning)?));
    if let Cursor::Older { key, seq } = cursor {
        let sql = format!(
            "SELECT {}, seq FROM object WHERE bucket = ?1 AND key = ?2 AND seq < ?3 ORDER BY seq DESC LIMIT 1",
            index::COLUMNS
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query_map(params![bucket.name, key, seq], row)?;
        if let Some(found) = rows.next().transpose()? {
            return Ok(Some(found));
        }
    }
    let (comparison, key) = match cursor {
        Cursor::From(key) => (">=", key),
        Cursor::After(key) | Cursor::Older { key, .. } => (">", key),
    };
    let sql = format!(
        "SELECT {}, seq FROM object WHERE bucket = ?1 AND key {comparison} ?2 ORDER BY key, seq DESC LIMIT 1",
        index::COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query_map([&bucket.name, key], row)?;
    Ok(rows.next().transpose()?)
}
