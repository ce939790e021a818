//! File parameters of a build: taken out of input artifacts, sent as a multipart form that lies on disk.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use shared::{
    archive::{ArchiveError, copy_one},
    fault::{Fault, FaultKind},
    job::{ArtifactRef, Job},
    port::{Artifacts, PortError},
    provider::Payload,
    start::mark,
};
use tempfile::{NamedTempFile, TempPath};

use crate::params::FilePlace;

/// One file; what the function's disk does not hold is refused by it.
const LARGEST_FILE: u64 = 2 * 1024 * 1024 * 1024;
/// CodePipeline's largest artifact.
const LARGEST_ARTIFACT: u64 = 7 * 1024 * 1024 * 1024;

/// A form with files, on disk until it is dropped.
#[derive(Debug)]
pub struct Form {
    boundary: String,
    body: TempPath,
}

impl Form {
    /// As a request's body.
    pub fn payload(&self) -> Payload {
        Payload::File {
            content_type: format!("multipart/form-data; boundary={}", self.boundary),
            path: self.body.to_path_buf(),
        }
    }
}

/// Writes the form of texts and files.
///
/// # Errors
/// When a file is not in its artifact, or the disk does not take it.
pub async fn form(
    job: &Job,
    store: &impl Artifacts,
    texts: &[(String, String)],
    files: &[(String, FilePlace)],
) -> Result<Form, Fault> {
    // Of the run's key: what a file would have to hold to end its part is not known to whoever wrote the file.
    let boundary = format!("stagewright-{}", mark(&format!("{}/form", job.run_key), 32));
    let mut parts = Vec::new();
    for (name, place) in files {
        let artifact = artifact(job, name, place)?;
        let spool = disk(NamedTempFile::new())?;
        let read = store.download(
            job.credentials.as_ref(),
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
        parts.push(Part {
            name: name.clone(),
            artifact: artifact.name.to_string(),
            path: place.path.clone(),
            spool: spool.into_temp_path(),
        });
    }
    let texts = texts.to_vec();
    let written = tokio::task::spawn_blocking(move || {
        let body = disk(NamedTempFile::new())?;
        let mut out = BufWriter::new(disk(body.reopen())?);
        for (name, value) in &texts {
            let head = head(&boundary, &format!("name=\"{}\"", quoted(name)));
            disk(write!(out, "{head}\r\n{value}\r\n"))?;
        }
        for part in parts {
            part.write(&boundary, &mut out)?;
        }
        disk(write!(out, "--{boundary}--\r\n"))?;
        disk(out.flush())?;
        let body = body.into_temp_path();
        Ok(Form { boundary, body })
    });
    written.await.map_err(|error| {
        let text = "taking the build's files out of the artifact broke";
        Fault::new(FaultKind::Internal, text).because(error)
    })?
}

struct Part {
    name: String,
    artifact: String,
    path: String,
    spool: TempPath,
}

impl Part {
    fn write(self, boundary: &str, out: &mut impl Write) -> Result<(), Fault> {
        let file = self.path.rsplit('/').next().unwrap_or_default();
        let about = format!(
            "name=\"{}\"; filename=\"{}\"",
            quoted(&self.name),
            quoted(file)
        );
        let head = head(boundary, &about);
        disk(write!(
            out,
            "{head}Content-Type: application/octet-stream\r\n\r\n"
        ))?;
        let from: PathBuf = self.spool.to_path_buf();
        let archive = disk(File::open(from))?;
        copy_one(archive, &self.path, LARGEST_FILE, out).map_err(|error: ArchiveError| {
            let text = format!(
                "files: {}: the artifact {}: {error}",
                self.name, self.artifact
            );
            Fault::new(FaultKind::Artifact, text).because(error)
        })?;
        disk(write!(out, "\r\n"))
    }
}

fn head(boundary: &str, about: &str) -> String {
    format!("--{boundary}\r\nContent-Disposition: form-data; {about}\r\n")
}

/// As browsers write names: quotes and line ends would end them.
fn quoted(text: &str) -> String {
    text.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn artifact<'a>(job: &'a Job, name: &str, place: &FilePlace) -> Result<&'a ArtifactRef, Fault> {
    let mut inputs = job.inputs.iter();
    let found = match &place.artifact {
        None => inputs.next(),
        Some(wanted) => inputs.find(|input| input.name.as_str() == wanted),
    };
    found.ok_or_else(|| {
        let text = match &place.artifact {
            Some(wanted) => format!("files: {name} lies in the artifact {wanted}, which is no input of the action"),
            None => format!("files: {name} is a file, but the action has no input artifact: add the one that holds it"),
        };
        Fault::new(FaultKind::Configuration, text)
    })
}

fn disk<V>(result: io::Result<V>) -> Result<V, Fault> {
    result.map_err(|error| Fault::new(FaultKind::Internal, "/tmp cannot be used").because(error))
}
