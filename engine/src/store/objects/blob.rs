//! Bytes to files: an object's body becomes a file that nothing refers to yet.

use std::{fs, io, path::PathBuf, pin::pin};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream::BoxStream};
use md5::{Digest as _, Md5};
use tokio::io::AsyncWriteExt as _;

use super::{ObjectStore, index, types::StoreError};

/// Bodies up to this size are written in one step with the index; larger ones in pieces of it.
const PIECE: usize = 256 * 1024;

/// Where an object's bytes come from.
pub enum Body {
    /// Memory.
    Bytes(Bytes),
    /// A file, which is copied.
    File(PathBuf),
    /// A stream; an error in it ends the put without an object.
    Stream(BoxStream<'static, io::Result<Bytes>>),
}

/// A body that has been read: small and in memory, or in a file.
pub(super) enum Written {
    Small(Bytes),
    File {
        blob: String,
        size: u64,
        md5: [u8; 16],
    },
}

/// A file ready to be referred to.
pub(super) struct Blob {
    pub name: String,
    pub size: u64,
    pub md5: [u8; 16],
}

impl ObjectStore {
    /// Reads the body to its end, into memory if it is small.
    pub(super) async fn receive(&self, key: &str, body: Body) -> Result<Written, StoreError> {
        match body {
            Body::Bytes(bytes) if bytes.len() <= PIECE => Ok(Written::Small(bytes)),
            Body::Bytes(bytes) => {
                let stream = futures_util::stream::once(async { Ok(bytes) });
                self.receive_stream(key, stream).await
            }
            Body::File(path) => self.copy_file(path).await,
            Body::Stream(stream) => self.receive_stream(key, stream).await,
        }
    }

    /// Puts a received body where an object can refer to it. Runs on a blocking thread.
    pub(super) fn settle(
        &self,
        connection: &rusqlite::Connection,
        written: Written,
    ) -> Result<Blob, StoreError> {
        match written {
            Written::File { blob, size, md5 } => Ok(Blob {
                name: blob,
                size,
                md5,
            }),
            Written::Small(bytes) => {
                let name = new_name();
                index::expect_blob(connection, &name)?;
                let path = self.blob_path(&name);
                fs::write(&path, &bytes)
                    .map_err(|source| StoreError::file("write", &path, source))?;
                Ok(Blob {
                    name,
                    size: bytes.len() as u64,
                    md5: Md5::digest(&bytes).into(),
                })
            }
        }
    }

    /// Gives up a file that did not become an object; it is removed later.
    pub(super) async fn give_up(&self, blob: &str) {
        let blob = blob.to_owned();
        let noted =
            self.with(move |_, connection| index::drop_blob(connection, &blob, index::now()));
        if let Err(error) = noted.await {
            tracing::debug!(%error, "an unused file stays until the next start");
        }
    }

    pub(super) async fn expect_new_blob(&self) -> Result<String, StoreError> {
        let name = new_name();
        let expected = name.clone();
        self.with(move |_, connection| index::expect_blob(connection, &expected))
            .await?;
        Ok(name)
    }

    async fn receive_stream(
        &self,
        key: &str,
        stream: impl Stream<Item = io::Result<Bytes>> + Send,
    ) -> Result<Written, StoreError> {
        let bad_body = |source| StoreError::Body {
            key: key.to_owned(),
            source,
        };
        let mut stream = pin!(stream);
        let mut waiting = BytesMut::new();
        while waiting.len() <= PIECE {
            match stream.next().await {
                Some(chunk) => waiting.extend_from_slice(&chunk.map_err(bad_body)?),
                None => return Ok(Written::Small(waiting.freeze())),
            }
        }
        let blob = self.expect_new_blob().await?;
        let written = self.write_pieces(&blob, waiting, stream, bad_body).await;
        if written.is_err() {
            self.give_up(&blob).await;
        }
        let (size, md5) = written?;
        Ok(Written::File { blob, size, md5 })
    }

    async fn write_pieces(
        &self,
        blob: &str,
        mut waiting: BytesMut,
        mut stream: std::pin::Pin<&mut (impl Stream<Item = io::Result<Bytes>> + Send)>,
        bad_body: impl Fn(io::Error) -> StoreError,
    ) -> Result<(u64, [u8; 16]), StoreError> {
        let path = self.blob_path(blob);
        let failed = |source| StoreError::file("write", &path, source);
        let mut file = tokio::fs::File::create_new(&path).await.map_err(failed)?;
        let mut md5 = Md5::new();
        let mut size = 0;
        loop {
            md5.update(&waiting);
            size += waiting.len() as u64;
            file.write_all(&waiting).await.map_err(failed)?;
            waiting.clear();
            while waiting.len() < PIECE {
                match stream.next().await {
                    Some(chunk) => waiting.extend_from_slice(&chunk.map_err(&bad_body)?),
                    None => break,
                }
            }
            if waiting.is_empty() {
                file.flush().await.map_err(failed)?;
                return Ok((size, md5.finalize().into()));
            }
        }
    }

    async fn copy_file(&self, from: PathBuf) -> Result<Written, StoreError> {
        let blob = self.expect_new_blob().await?;
        let to = self.blob_path(&blob);
        let copied = tokio::task::spawn_blocking(move || copy_with_md5(&from, &to))
            .await
            .map_err(|source| StoreError::Worker { source })?;
        if copied.is_err() {
            self.give_up(&blob).await;
        }
        let (size, md5) = copied?;
        Ok(Written::File { blob, size, md5 })
    }
}

/// Copies a file, reading it once.
fn copy_with_md5(
    from: &std::path::Path,
    to: &std::path::Path,
) -> Result<(u64, [u8; 16]), StoreError> {
    let mut source =
        fs::File::open(from).map_err(|source| StoreError::file("read", from, source))?;
    let mut target =
        fs::File::create_new(to).map_err(|source| StoreError::file("write", to, source))?;
    append_with_md5(&mut source, &mut target)
        .map_err(|source| StoreError::file("copy", from, source))
}

/// Appends all of a reader to a writer.
fn append_with_md5(
    source: &mut impl io::Read,
    target: &mut impl io::Write,
) -> io::Result<(u64, [u8; 16])> {
    let mut md5 = Md5::new();
    let mut size = 0;
    let mut piece = vec![0; PIECE];
    loop {
        let read = match source.read(&mut piece) {
            Ok(0) => return Ok((size, md5.finalize().into())),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        md5.update(&piece[..read]);
        target.write_all(&piece[..read])?;
        size += read as u64;
    }
}

fn new_name() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
