//! Files that a run left, as the action's output artifact.

use std::{fs::File, io::BufWriter, path::Path};

use crate::{
    archive::{ArchiveError, files_below, pack},
    fault::{Fault, FaultKind},
    job::Job,
    port::Artifacts,
};

/// Packs all files below `folder` and uploads them as the first output artifact. The archive is made at `spool`, a file
/// of the caller's outside of it. Without an output artifact nothing is done.
///
/// # Errors
/// When the archive cannot be written or is not taken.
pub async fn hand_over(
    artifacts: &impl Artifacts,
    job: &Job,
    folder: &Path,
    spool: &Path,
) -> Result<(), Fault> {
    let Some(output) = job.outputs.first() else {
        return Ok(());
    };
    let unpacked = |error: ArchiveError| {
        let text = format!("the artifact {} could not be packed", output.name);
        Fault::new(FaultKind::Internal, text).because(error)
    };
    let files = files_below(folder).map_err(unpacked)?;
    let out = File::create(spool).map_err(|error| {
        let text = format!("the artifact {} could not be packed", output.name);
        Fault::new(FaultKind::Internal, text).because(error)
    })?;
    pack(folder, &files, BufWriter::new(out)).map_err(unpacked)?;
    let key = job.encryption_key.as_deref();
    artifacts
        .upload(job.credentials.as_ref(), output, key, spool)
        .await
        .map_err(Fault::from)
}
