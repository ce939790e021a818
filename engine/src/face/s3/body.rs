//! The body of an upload: decoded, counted and checked while it streams.

use std::{
    collections::BTreeMap,
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use http::HeaderMap;
use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::chunked::{ChunkDecoder, ChunkError};
use crate::face::route::text;

/// Checksum headers and trailers begin so; the algorithm follows.
pub const CHECKSUM: &str = "x-amz-checksum-";

/// Checksums by algorithm, known once the body has been read.
pub type Trailers = Arc<Mutex<BTreeMap<String, String>>>;

/// Why a body was not taken; found inside the stream's `io::Error`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not what its checksum says.
    #[error("the body does not match its {what}")]
    Mismatch {
        /// Which header or trailer.
        what: String,
    },
    /// The length is not what was announced.
    #[error("the body has {got} bytes and {announced} were announced")]
    Length {
        /// What came.
        got: u64,
        /// What was announced.
        announced: u64,
    },
    /// The framing is wrong.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// The connection.
    #[error("the body ended early: {0}")]
    Cut(String),
}

/// What is known of a body before it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// `aws-chunked`.
    pub chunked: bool,
    /// `x-amz-decoded-content-length`.
    pub length: Option<u64>,
    /// `Content-MD5`, Base64.
    pub md5: Option<String>,
    /// `x-amz-content-sha256` of a signed payload, hex.
    pub payload_sha256: Option<String>,
    /// Checksums by algorithm, Base64.
    pub checksums: BTreeMap<String, String>,
    /// Algorithms that come as trailers.
    pub announced: Vec<String>,
}

impl Expected {
    /// Reads it from the request's headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let sha256 = text(headers, "x-amz-content-sha256").unwrap_or_default();
        let encoding = text(headers, "content-encoding").unwrap_or_default();
        let is_hash = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
        let checksums = headers
            .iter()
            .filter_map(|(name, value)| {
                let algorithm = name.as_str().strip_prefix(CHECKSUM)?;
                let is_value = !["algorithm", "type", "mode"].contains(&algorithm);
                is_value.then(|| {
                    (
                        algorithm.to_owned(),
                        value.to_str().unwrap_or_default().to_owned(),
                    )
                })
            })
            .collect();
        Self {
            chunked: sha256.starts_with("STREAMING-")
                || encoding.split(',').any(|part| part.trim() == "aws-chunked"),
            length: text(headers, "x-amz-decoded-content-length").and_then(|n| n.parse().ok()),
            md5: text(headers, "content-md5").map(str::to_owned),
            payload_sha256: is_hash.then(|| sha256.to_ascii_lowercase()),
            checksums,
            announced: text(headers, "x-amz-trailer")
                .unwrap_or_default()
                .split(',')
                .filter_map(|name| {
                    Some(
                        name.trim()
                            .to_ascii_lowercase()
                            .strip_prefix(CHECKSUM)?
                            .to_owned(),
                    )
                })
                .collect(),
        }
    }

    fn wants(&self, algorithm: &str) -> bool {
        self.checksums.contains_key(algorithm)
            || self.announced.iter().any(|name| name == algorithm)
    }
}

/// The payload; it ends in an error when it is not what was expected. Checksums from trailers end up in `trailers`.
pub fn payload(
    wire: axum::body::Body,
    expected: Expected,
    trailers: Trailers,
) -> BoxStream<'static, io::Result<Bytes>> {
    let reading = Reading {
        wire: wire.into_data_stream(),
        decoder: expected.chunked.then(ChunkDecoder::default),
        ready: VecDeque::new(),
        sums: Sums::new(&expected),
        expected,
        trailers,
    };
    stream::try_unfold(reading, |mut reading| async move {
        match reading.next().await {
            Ok(Some(data)) => Ok(Some((data, reading))),
            Ok(None) => Ok(None),
            Err(error) => Err(io::Error::other(error)),
        }
    })
    .boxed()
}

struct Reading {
    wire: axum::body::BodyDataStream,
    decoder: Option<ChunkDecoder>,
    ready: VecDeque<Bytes>,
    sums: Sums,
    expected: Expected,
    trailers: Trailers,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            if let Some(data) = self.ready.pop_front() {
                self.sums.add(&data);
                return Ok(Some(data));
            }
            match self.wire.next().await {
                None => return self.end().map(|()| None),
                Some(Err(error)) => return Err(BodyError::Cut(error.to_string())),
                Some(Ok(data)) => match &mut self.decoder {
                    Some(decoder) => self.ready.extend(decoder.push(data)?),
                    None => self.ready.push_back(data),
                },
            }
        }
    }

    fn end(&mut self) -> Result<(), BodyError> {
        if let Some(decoder) = self.decoder.take() {
            for (name, value) in decoder.finish()? {
                if let Some(algorithm) = name.strip_prefix(CHECKSUM) {
                    self.expected.checksums.insert(algorithm.to_owned(), value);
                }
            }
        }
        std::mem::take(&mut self.sums).check(&self.expected)?;
        *self.trailers.lock().unwrap_or_else(PoisonError::into_inner) =
            self.expected.checksums.clone();
        Ok(())
    }
}

/// Running checksums, only those that something is compared with.
#[derive(Default)]
struct Sums {
    length: u64,
    md5: Option<Md5>,
    sha256: Option<Sha256>,
    crc32: Option<crc32fast::Hasher>,
}

impl Sums {
    fn new(expected: &Expected) -> Self {
        Self {
            length: 0,
            md5: expected.md5.as_ref().map(|_| Md5::new()),
            sha256: (expected.payload_sha256.is_some() || expected.wants("sha256"))
                .then(Sha256::new),
            crc32: expected.wants("crc32").then(crc32fast::Hasher::new),
        }
    }

    fn add(&mut self, data: &[u8]) {
        self.length += data.len() as u64;
        if let Some(md5) = &mut self.md5 {
            md5.update(data);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(data);
        }
        if let Some(crc32) = &mut self.crc32 {
            crc32.update(data);
        }
    }

    fn check(self, expected: &Expected) -> Result<(), BodyError> {
        if let Some(announced) = expected.length
            && announced != self.length
        {
            return Err(BodyError::Length {
                got: self.length,
                announced,
            });
        }
        let same = |what: &str, is: String, expected: Option<&String>| match expected {
            Some(expected) if *expected != is => Err(BodyError::Mismatch {
                what: what.to_owned(),
            }),
            _ => Ok(()),
        };
        if let Some(md5) = self.md5 {
            same(
                "Content-MD5",
                BASE64.encode(md5.finalize()),
                expected.md5.as_ref(),
            )?;
        }
        if let Some(sha256) = self.sha256 {
            let sum = sha256.finalize();
            same(
                "x-amz-content-sha256",
                hex::encode(sum),
                expected.payload_sha256.as_ref(),
            )?;
            same(
                "x-amz-checksum-sha256",
                BASE64.encode(sum),
                expected.checksums.get("sha256"),
            )?;
        }
        if let Some(crc32) = self.crc32 {
            let sum = BASE64.encode(crc32.finalize().to_be_bytes());
            same("x-amz-checksum-crc32", sum, expected.checksums.get("crc32"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(
        wire: &'static [u8],
        headers: &[(&'static str, &str)],
    ) -> Result<Vec<u8>, BodyError> {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let mut stream = payload(wire.into(), Expected::of(&headers), Trailers::default());
        let mut all = Vec::new();
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(piece) => all.extend_from_slice(&piece),
                Err(error) => {
                    return Err(error
                        .get_ref()
                        .unwrap()
                        .downcast_ref::<BodyError>()
                        .unwrap()
                        .clone());
                }
            }
        }
        Ok(all)
    }

    #[tokio::test]
    async fn checksums_decide() {
        const STREAMING: (&str, &str) =
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        const TRAILER: (&str, &str) = ("x-amz-trailer", "x-amz-checksum-crc32");
        let mismatch = |what: &str| {
            Err(BodyError::Mismatch {
                what: what.to_owned(),
            })
        };
        let good = read(
            b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
            &[STREAMING, TRAILER],
        )
        .await;
        assert_eq!(good, Ok(b"hello".to_vec()));
        let bad = read(
            b"5\r\nhellO\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
            &[STREAMING, TRAILER],
        )
        .await;
        assert_eq!(bad, mismatch("x-amz-checksum-crc32"));
        let short = read(
            b"5\r\nhello\r\n0\r\n\r\n",
            &[STREAMING, ("x-amz-decoded-content-length", "6")],
        )
        .await;
        assert_eq!(
            short,
            Err(BodyError::Length {
                got: 5,
                announced: 6
            })
        );
        let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(
            read(b"hello", &[("x-amz-content-sha256", hash)]).await,
            Ok(b"hello".to_vec())
        );
        assert_eq!(
            read(b"hallo", &[("x-amz-content-sha256", hash)]).await,
            mismatch("x-amz-content-sha256")
        );
        assert_eq!(
            read(b"hallo", &[("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")]).await,
            mismatch("Content-MD5")
        );
        assert_eq!(
            read(b"hello", &[("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")]).await,
            Ok(b"hello".to_vec())
        );
    }
}
