//! S3: versioned objects in files, indexed in SQLite.
//!
//! A body is written to a file that nothing refers to, then one transaction makes it the object. Files that
//! no object refers to are listed in the index before they are written, and removed at the next start.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use rusqlite::Connection;

mod blob;
mod bucket;
mod index;
mod list;
mod multipart;
mod object;
mod types;
mod write;

pub use blob::Body;
pub use list::{ListQuery, Listing, VersionListing, VersionQuery};
pub use multipart::{PartInfo, UploadInfo};
pub use object::Deleted;
pub use types::{
    BucketInfo, BucketSettings, Condition, ObjectHeaders, ObjectInfo, PutOptions, StoreError,
    Versioning,
};

/// The buckets of one engine; clones share them.
#[derive(Clone)]
pub struct ObjectStore {
    inner: Arc<Inner>,
}

struct Inner {
    blobs: PathBuf,
    index: Mutex<Connection>,
}

impl ObjectStore {
    /// Opens (or makes) the store in `dir` and removes what an interrupted write left behind.
    ///
    /// # Errors
    /// The folder or its index cannot be used.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let blobs = dir.join("blobs");
        fs::create_dir_all(&blobs).map_err(|source| StoreError::file("make", &blobs, source))?;
        let connection = index::open(&dir.join("objects.db"))?;
        let store = Self {
            inner: Arc::new(Inner {
                blobs,
                index: Mutex::new(connection),
            }),
        };
        store.remove_leftovers()?;
        Ok(store)
    }

    /// Runs index work off the async threads.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self, &mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut connection = store.lock();
            work(&store, &mut connection)
        })
        .await
        .map_err(|source| StoreError::Worker { source })?
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.inner
            .index
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn blob_path(&self, blob: &str) -> PathBuf {
        self.inner.blobs.join(blob)
    }

    fn remove_leftovers(&self) -> Result<(), StoreError> {
        let connection = self.lock();
        for blob in index::unreferenced(&connection, None)? {
            let path = self.blob_path(&blob);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::file("remove", &path, error));
                }
                _ => index::forget_blob(&connection, &blob)?,
            }
        }
        Ok(())
    }

    /// Removes files that were replaced or deleted a while ago; whoever was reading them is done.
    fn remove_old(&self, connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
        const KEPT_SECONDS: i64 = 600;
        let before = now.as_millisecond() - KEPT_SECONDS * 1_000;
        for blob in index::unreferenced(connection, Some(before))? {
            if let Err(error) = fs::remove_file(self.blob_path(&blob)) {
                tracing::debug!(%blob, %error, "an unreferenced file stays until the next start");
                continue;
            }
            index::forget_blob(connection, &blob)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
