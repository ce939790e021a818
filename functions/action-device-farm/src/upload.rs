//! A file of an input artifact on its way to Device Farm, through the function's disk.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::json;
use shared::{
    archive::{ArchiveError, copy_one},
    fault::{Fault, FaultKind},
    job::{ArtifactRef, Job},
    port::{Artifacts, PortError, Services, Timer},
    provider::{Call, Http, Payload, Provider, Trouble},
    secret::Secret,
};
use tempfile::NamedTempFile;

use crate::{
    api::{Api, fault},
    params::{Params, Part},
    wire::CONTENT_TYPE,
};

/// An app's limit at Device Farm.
const LARGEST_FILE: u64 = 4 * 1024 * 1024 * 1024;
/// CodePipeline's largest artifact. What the function's disk does not hold is refused by it.
const LARGEST_ARTIFACT: u64 = 7 * 1024 * 1024 * 1024;

/// What an upload needs.
pub struct Uploader<'a, S, H, T, A> {
    /// Device Farm.
    pub api: Api<'a, S>,
    /// Where it keeps uploads.
    pub storage: &'a Provider<H, T>,
    /// Where files come from.
    pub artifacts: &'a A,
    /// What is wanted.
    pub params: &'a Params,
    /// The job.
    pub job: &'a Job,
    /// Time for all of it.
    pub budget: Duration,
    /// Now.
    pub now: Timestamp,
}

/// Which file.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// What it is for.
    pub part: Part,
    /// Its artifact; the first when absent.
    pub artifact: Option<&'a str>,
    /// Its path in there.
    pub path: &'a str,
    /// Its type at Device Farm.
    pub kind: &'a str,
}

impl<S: Services, H: Http, T: Timer, A: Artifacts> Uploader<'_, S, H, T, A> {
    /// Takes the file out of its artifact, makes room for it and sends it. Answers the upload's ARN. Doing it twice
    /// leaves an upload that nobody uses; Device Farm forgets it.
    pub async fn upload(&self, source: Source<'_>) -> Result<String, Fault> {
        let file = self.file(source).await?;
        let name = source.path.rsplit('/').next().unwrap_or_default();
        let body = json!({
            "projectArn": self.params.project, "name": name, "type": source.kind, "contentType": CONTENT_TYPE
        });
        let upload = self.api.create_upload(body).await;
        let upload = upload.map_err(|error| fault(error, "devicefarm:CreateUpload"))?;
        let Some(url) = upload.url else {
            let text = "Device Farm named no place for the upload";
            return Err(Fault::new(FaultKind::Unavailable, text));
        };
        let payload = Payload::File {
            content_type: CONTENT_TYPE.to_owned(),
            path: file.path().to_owned(),
        };
        let call = Call::put("the upload", url.clone(), payload)
            .hiding(&Secret::new(url))
            .repeatable();
        let part = source.part.name();
        match self.storage.ask(&call, self.budget, self.now).await {
            Ok(answer) if answer.status < 300 => Ok(upload.arn),
            Ok(answer) => Err(Fault::new(
                FaultKind::Unavailable,
                format!("Device Farm's storage answered the upload of {part} with status {}", answer.status),
            )),
            Err(error) => Err(match (&error.trouble, error.is_passing()) {
                (_, true) => error.fault(),
                // The address has its own signature: there are no credentials that a person could mend.
                (Trouble::Denied { status } | Trouble::Refused { status, .. }, _) => Fault::new(
                    FaultKind::Failed,
                    format!("Device Farm's storage refused the upload of {part} with status {status}: retry the stage"),
                )
                .because(error),
                _ => error.fault(),
            }),
        }
    }

    /// The file, on disk.
    async fn file(&self, source: Source<'_>) -> Result<NamedTempFile, Fault> {
        let artifact = self.artifact(source)?;
        let spool = disk(NamedTempFile::new())?;
        let read = self.artifacts.download(
            self.job.credentials.as_ref(),
            artifact,
            spool.path(),
            LARGEST_ARTIFACT,
        );
        read.await.map_err(|error| match error {
            PortError::NotFound { .. } => {
                let text = format!("the artifact {} is not in its bucket", artifact.name);
                Fault::new(FaultKind::Artifact, text).because(error)
            }
            error => error.into(),
        })?;
        let (name, path) = (artifact.name.clone(), source.path.to_owned());
        let taken = tokio::task::spawn_blocking(move || {
            let unusable = |error: ArchiveError| {
                let text = format!("the artifact {name}: {error}");
                Fault::new(FaultKind::Artifact, text).because(error)
            };
            let file = disk(NamedTempFile::new())?;
            let mut out = BufWriter::new(disk(file.reopen())?);
            let archive = disk(File::open(spool.path()))?;
            copy_one(archive, &path, LARGEST_FILE, &mut out).map_err(unusable)?;
            disk(out.flush())?;
            Ok(file)
        });
        taken.await.map_err(|error| {
            Fault::new(
                FaultKind::Internal,
                "taking a file out of the artifact broke",
            )
            .because(error)
        })?
    }

    fn artifact(&self, source: Source<'_>) -> Result<&ArtifactRef, Fault> {
        let mut inputs = self.job.inputs.iter();
        let found = match source.artifact {
            None => inputs.next(),
            Some(name) => inputs.find(|input| input.name.as_str() == name),
        };
        let part = source.part.name();
        found.ok_or_else(|| {
            let text = match source.artifact {
                Some(name) => format!("{part} lies in the artifact {name}, which is no input of the action"),
                None => format!("{part} is a file, but the action has no input artifact: add the one that holds it"),
            };
            Fault::new(FaultKind::Configuration, text)
        })
    }
}

fn disk<V>(result: std::io::Result<V>) -> Result<V, Fault> {
    result.map_err(|error| Fault::new(FaultKind::Internal, "/tmp cannot be used").because(error))
}
