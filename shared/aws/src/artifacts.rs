//! A job's artifacts in S3, opened with the job's own credentials and moved through files.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use aws_sdk_s3::{
    Client,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ServerSideEncryption},
};
use aws_smithy_types::byte_stream::{ByteStream, Length};
use shared::{
    archive::{ArchiveError, read_one},
    job::{ArtifactCredentials, ArtifactRef},
    port::{ArtifactFiles, Artifacts, PortError},
};

use crate::{
    error::{chain, unavailable},
    s3,
    sdk::Aws,
};

/// Artifacts of the job in hand.
#[derive(Debug)]
pub struct S3Artifacts {
    aws: Aws,
}

/// Files above this go up in parts of this size: 10,000 parts of 8 MiB are 78 GiB, far more than `/tmp` holds.
const PART: u64 = 8 * 1024 * 1024;
/// A download whose body is cut off is begun anew; the SDK itself retries only until the headers are there.
const DOWNLOADS: u32 = 3;

impl S3Artifacts {
    /// Makes no client yet: each job has its own credentials.
    pub fn new(aws: &Aws) -> Self {
        Self { aws: aws.clone() }
    }

    fn client(&self, credentials: Option<&ArtifactCredentials>) -> Client {
        s3::client(&self.aws, credentials)
    }
}

impl Artifacts for S3Artifacts {
    async fn download(
        &self,
        credentials: Option<&ArtifactCredentials>,
        artifact: &ArtifactRef,
        to: &Path,
        limit: u64,
    ) -> Result<u64, PortError> {
        let what = format!("reading the artifact {}", artifact.name);
        let client = self.client(credentials);
        let mut attempt = 1;
        loop {
            let done = self
                .aws
                .within(&what, self.fetch(&client, artifact, to, limit, &what))
                .await?;
            match done {
                Err(Fetch::CutOff(_)) if attempt < DOWNLOADS => attempt += 1,
                Err(Fetch::CutOff(why)) => return Err(unavailable(&what, why)),
                Err(Fetch::Port(error)) => return Err(error),
                Ok(size) => return Ok(size),
            }
        }
    }

    async fn upload(
        &self,
        credentials: Option<&ArtifactCredentials>,
        artifact: &ArtifactRef,
        encryption_key: Option<&str>,
        from: &Path,
    ) -> Result<(), PortError> {
        let what = format!("writing the artifact {}", artifact.name);
        let upload = Upload {
            aws: &self.aws,
            client: self.client(credentials),
            artifact,
            encryption_key,
            from,
            what: &what,
        };
        let size = std::fs::metadata(from)
            .map_err(|error| local(&what, &error))?
            .len();
        if size <= PART {
            upload.whole().await
        } else {
            upload.in_parts(size).await
        }
    }
}

/// CodePipeline's largest artifact (S3 source). What the function's disk does not hold is refused by it.
const LARGEST: u64 = 7 * 1024 * 1024 * 1024;

impl ArtifactFiles for S3Artifacts {
    async fn read(
        &self,
        credentials: Option<&ArtifactCredentials>,
        artifact: &ArtifactRef,
        path: &str,
        limit: u64,
    ) -> Result<Vec<u8>, PortError> {
        let what = format!("the file {path:?} of the artifact {}", artifact.name);
        let spool = tempfile::NamedTempFile::new().map_err(|error| local(&what, &error))?;
        self.download(credentials, artifact, spool.path(), LARGEST)
            .await?;
        let path = path.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            let archive = File::open(spool.path())?;
            Ok::<_, std::io::Error>(read_one(archive, &path, limit))
        });
        let read = read
            .await
            .map_err(|error| unavailable(&what, error.to_string()))?
            .map_err(|error| local(&what, &error))?;
        read.map_err(|error| match error {
            ArchiveError::Missing { .. } => PortError::NotFound { what },
            error => PortError::Invalid {
                what,
                message: chain(&error),
            },
        })
    }
}

enum Fetch {
    CutOff(String),
    Port(PortError),
}

impl S3Artifacts {
    async fn fetch(
        &self,
        client: &Client,
        artifact: &ArtifactRef,
        to: &Path,
        limit: u64,
        what: &str,
    ) -> Result<u64, Fetch> {
        let too_large = || {
            Fetch::Port(PortError::Invalid {
                what: what.to_owned(),
                message: format!("it is larger than {limit} bytes"),
            })
        };
        let disk = |error: &std::io::Error| Fetch::Port(local(what, error));
        let request = client
            .get_object()
            .bucket(artifact.bucket.as_str())
            .key(artifact.key.as_str());
        let mut answer = self
            .aws
            .call(what, request.send())
            .await
            .map_err(Fetch::Port)?;
        let announced = answer.content_length().and_then(|n| u64::try_from(n).ok());
        if announced.is_some_and(|size| size > limit) {
            return Err(too_large());
        }
        let mut file = BufWriter::new(File::create(to).map_err(|error| disk(&error))?);
        let mut size = 0_u64;
        while let Some(chunk) = answer.body.next().await {
            let chunk = chunk.map_err(|error| Fetch::CutOff(chain(&error)))?;
            size += chunk.len() as u64;
            if size > limit {
                return Err(too_large());
            }
            file.write_all(&chunk).map_err(|error| disk(&error))?;
        }
        file.flush().map_err(|error| disk(&error))?;
        match announced {
            Some(announced) if announced != size => Err(Fetch::CutOff(format!(
                "{size} of {announced} bytes arrived"
            ))),
            _ => Ok(size),
        }
    }
}

struct Upload<'a> {
    aws: &'a Aws,
    client: Client,
    artifact: &'a ArtifactRef,
    encryption_key: Option<&'a str>,
    from: &'a Path,
    what: &'a str,
}

impl Upload<'_> {
    /// Artifact stores hold only SSE-KMS objects; without a key of the pipeline's own it is AWS's key for S3.
    const ENCRYPTION: ServerSideEncryption = ServerSideEncryption::AwsKms;

    async fn whole(&self) -> Result<(), PortError> {
        let body = ByteStream::from_path(self.from)
            .await
            .map_err(|error| local(self.what, &error))?;
        let request = self
            .client
            .put_object()
            .bucket(self.artifact.bucket.as_str())
            .key(self.artifact.key.as_str())
            .server_side_encryption(Self::ENCRYPTION)
            .set_ssekms_key_id(self.encryption_key.map(str::to_owned))
            .body(body);
        self.aws.call(self.what, request.send()).await.map(drop)
    }

    async fn in_parts(&self, size: u64) -> Result<(), PortError> {
        let request = self
            .client
            .create_multipart_upload()
            .bucket(self.artifact.bucket.as_str())
            .key(self.artifact.key.as_str())
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .server_side_encryption(Self::ENCRYPTION)
            .set_ssekms_key_id(self.encryption_key.map(str::to_owned));
        let begun = self.aws.call(self.what, request.send()).await?;
        let Some(id) = begun.upload_id() else {
            return Err(unavailable(self.what, "S3 named no upload id"));
        };
        match self.parts(id, size).await {
            Ok(()) => Ok(()),
            Err(error) => {
                // Parts of an upload that is not ended are paid for; the store's lifecycle rule is the second net.
                let abort = self
                    .client
                    .abort_multipart_upload()
                    .bucket(self.artifact.bucket.as_str())
                    .key(self.artifact.key.as_str())
                    .upload_id(id);
                if let Err(left) = self.aws.call(self.what, abort.send()).await {
                    tracing::warn!(error = %left, "an unfinished upload could not be ended");
                }
                Err(error)
            }
        }
    }

    async fn parts(&self, id: &str, size: u64) -> Result<(), PortError> {
        let mut done = CompletedMultipartUpload::builder();
        for (number, offset) in (1..).zip((0..size).step_by(PART as usize)) {
            let body = ByteStream::read_from()
                .path(self.from)
                .offset(offset)
                .length(Length::Exact(PART.min(size - offset)))
                .build()
                .await
                .map_err(|error| local(self.what, &error))?;
            let request = self
                .client
                .upload_part()
                .bucket(self.artifact.bucket.as_str())
                .key(self.artifact.key.as_str())
                .upload_id(id)
                .part_number(number)
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .body(body);
            let part = self.aws.call(self.what, request.send()).await?;
            done = done.parts(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(part.e_tag().map(str::to_owned))
                    .set_checksum_crc32(part.checksum_crc32().map(str::to_owned))
                    .build(),
            );
        }
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(self.artifact.bucket.as_str())
            .key(self.artifact.key.as_str())
            .upload_id(id)
            .multipart_upload(done.build());
        self.aws.call(self.what, request.send()).await.map(drop)
    }
}

/// A failure of the function's own disk.
fn local(what: &str, error: &(dyn std::error::Error + 'static)) -> PortError {
    PortError::Invalid {
        what: what.to_owned(),
        message: format!("the function's own disk: {}", chain(error)),
    }
}
