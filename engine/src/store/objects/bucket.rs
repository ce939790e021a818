//! Buckets.

use rusqlite::params;

use super::{
    ObjectStore, index,
    types::{BucketInfo, BucketSettings, StoreError, Versioning},
};

impl ObjectStore {
    /// Makes a bucket; one that exists keeps its objects and gets what the settings turn on.
    /// Answers whether it is new.
    ///
    /// # Errors
    /// `InvalidBucketName`, or the store itself.
    pub async fn create_bucket(
        &self,
        name: &str,
        settings: BucketSettings,
    ) -> Result<bool, StoreError> {
        let name = name.to_owned();
        if !is_bucket_name(&name) {
            return Err(StoreError::InvalidBucketName { bucket: name });
        }
        self.with(move |_, connection| {
            let transaction = connection.transaction()?;
            let versioning = if settings.versioned { Versioning::Enabled } else { Versioning::Off };
            let new = transaction.execute(
                "INSERT OR IGNORE INTO bucket (name, created, versioning, website) VALUES (?1, ?2, ?3, ?4)",
                params![
                    name,
                    index::now().as_millisecond(),
                    index::versioning_code(versioning),
                    settings.website
                ],
            )? == 1;
            if !new && settings.versioned {
                transaction.execute("UPDATE bucket SET versioning = 1 WHERE name = ?1", [&name])?;
            }
            if !new && settings.website {
                transaction.execute("UPDATE bucket SET website = 1 WHERE name = ?1", [&name])?;
            }
            transaction.commit()?;
            Ok(new)
        })
        .await
    }

    /// One bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`, naming it.
    pub async fn bucket(&self, name: &str) -> Result<BucketInfo, StoreError> {
        let name = name.to_owned();
        self.with(move |_, connection| index::bucket(connection, &name))
            .await
    }

    /// All buckets, by name.
    ///
    /// # Errors
    /// The store itself.
    pub async fn list_buckets(&self) -> Result<Vec<BucketInfo>, StoreError> {
        self.with(|_, connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, created, versioning, website FROM bucket ORDER BY name",
            )?;
            let rows = statement.query_map([], index::bucket_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Turns versioning on, or suspends it.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub async fn set_versioning(
        &self,
        name: &str,
        versioning: Versioning,
    ) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.with(move |_, connection| {
            let changed = connection.execute(
                "UPDATE bucket SET versioning = ?2 WHERE name = ?1",
                params![name, index::versioning_code(versioning)],
            )?;
            if changed == 1 {
                Ok(())
            } else {
                Err(StoreError::NoSuchBucket { bucket: name })
            }
        })
        .await
    }

    /// Makes a bucket readable without credentials, or no longer.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub async fn set_website(&self, name: &str, website: bool) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.with(move |_, connection| {
            let changed = connection.execute(
                "UPDATE bucket SET website = ?2 WHERE name = ?1",
                params![name, website],
            )?;
            if changed == 1 {
                Ok(())
            } else {
                Err(StoreError::NoSuchBucket { bucket: name })
            }
        })
        .await
    }

    /// Deletes an empty bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`, `BucketNotEmpty`.
    pub async fn delete_bucket(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.with(move |_, connection| {
            let transaction = connection.transaction()?;
            index::bucket(&transaction, &name)?;
            let used: bool = transaction.query_row(
                "SELECT EXISTS (SELECT 1 FROM object WHERE bucket = ?1) OR EXISTS (SELECT 1 FROM upload WHERE bucket = ?1)",
                [&name],
                |row| row.get(0),
            )?;
            if used {
                return Err(StoreError::BucketNotEmpty { bucket: name });
            }
            transaction.execute("DELETE FROM bucket WHERE name = ?1", [&name])?;
            transaction.commit()?;
            Ok(())
        })
        .await
    }
}

fn is_bucket_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let ends = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|b| allowed(*b))
        && ends(bytes.first())
        && ends(bytes.last())
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::is_bucket_name;

    #[test]
    fn names_are_checked() {
        for good in ["abc", "my-bucket.1", "1ab"] {
            assert!(is_bucket_name(good), "{good}");
        }
        for bad in [
            "ab",
            "Abc",
            "a_b",
            "-ab",
            "ab.",
            "a..b",
            "_stagewright",
            &"a".repeat(64),
        ] {
            assert!(!is_bucket_name(bad), "{bad}");
        }
    }
}
