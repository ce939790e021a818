//! The output artifact: the test report and the archived files of a build, packed.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use shared::{
    archive::{files_below, pack},
    fault::{Fault, FaultKind},
    job::{ArtifactRef, Job},
    port::{Artifacts, PortError, Timer},
    provider::{Call, Http, ProviderError, segment},
};

use crate::{junit, server::Server, wire::Build};

/// All files together: `/tmp` holds 512 MB unless configured otherwise, and the archive lies beside them.
const MOST_BYTES: usize = 200 * 1024 * 1024;
const MOST_FILES: usize = 2000;
/// The report's place in the artifact.
const REPORT: &str = "testReport.json";
/// The same as JUnit XML, for reports up to [`MOST_REPORT`] bytes.
const REPORT_XML: &str = "testReport.xml";
const MOST_REPORT: u64 = 4 * 1024 * 1024;

/// Brings the build's test report and files, and uploads them as the artifact.
pub async fn make<H: Http, T: Timer>(
    server: &Server<'_, H, T>,
    build: &Build,
    job: &Job,
    artifact: &ArtifactRef,
    store: &impl Artifacts,
) -> Result<usize, Fault> {
    let folder = tempfile::tempdir().map_err(disk)?;
    let mut room = MOST_BYTES;
    let wanted = wanted(server, build)?;
    let number = build.number;
    let report = server.of_job(&format!("/{number}/testReport/api/json"));
    match fetch(server, &report, &folder.path().join(REPORT), &mut room).await {
        Ok(()) => as_xml(folder.path()).map_err(disk)?,
        // The build published no tests.
        Err(Trouble::Vendor(error)) if error.is_not_found() => {}
        Err(trouble) => return Err(trouble.fault(number)),
    }
    for path in &wanted {
        let parts = path
            .components()
            .map(|part| segment(&part.as_os_str().to_string_lossy()));
        let url = format!("/{number}/artifact/{}", parts.collect::<Vec<_>>().join("/"));
        let place = folder.path().join("artifacts").join(path);
        let above = place.parent().unwrap_or(folder.path());
        fs::create_dir_all(above).map_err(disk)?;
        fetch(server, &server.of_job(&url), &place, &mut room)
            .await
            .map_err(|trouble| trouble.fault(number))?;
    }
    let packed = tempfile::NamedTempFile::new().map_err(disk)?;
    let (from, to) = (folder, packed);
    let packing = tokio::task::spawn_blocking(move || {
        let files = files_below(from.path())?;
        pack(from.path(), &files, to.as_file())?;
        Ok::<_, shared::archive::ArchiveError>((to, files.len()))
    });
    let broken = || {
        Fault::new(
            FaultKind::Internal,
            "the output artifact could not be packed",
        )
    };
    let (packed, files) = packing
        .await
        .map_err(|error| broken().because(error))?
        .map_err(|error| broken().because(error))?;
    store
        .upload(
            job.credentials.as_ref(),
            artifact,
            job.encryption_key.as_deref(),
            packed.path(),
        )
        .await
        .map_err(|error: PortError| Fault::from(error))?;
    Ok(files)
}

/// Puts the report as JUnit XML beside it, unless it is larger than memory should hold, or none that is understood.
fn as_xml(folder: &Path) -> std::io::Result<()> {
    let report = folder.join(REPORT);
    if fs::metadata(&report)?.len() > MOST_REPORT {
        return Ok(());
    }
    match serde_json::from_slice(&fs::read(&report)?) {
        Ok(report) => fs::write(folder.join(REPORT_XML), junit::xml(&report)),
        Err(_) => Ok(()),
    }
}

/// The archived files to bring, as checked paths.
fn wanted<H, T>(server: &Server<'_, H, T>, build: &Build) -> Result<Vec<PathBuf>, Fault> {
    let begins = |path: &str| {
        let wanted = &server.params.artifacts;
        wanted.is_empty() || wanted.iter().any(|start| path.starts_with(start.as_str()))
    };
    let refused = |text: String| Fault::new(FaultKind::Artifact, text);
    let paths = build
        .artifacts
        .iter()
        .map(|artifact| artifact.relative_path.as_str());
    let paths: Vec<&str> = paths.filter(|path| begins(path)).collect();
    if paths.len() > MOST_FILES {
        return Err(refused(format!(
            "build {} archived {} files, more than {MOST_FILES}: name fewer in artifacts",
            build.number,
            paths.len()
        )));
    }
    let checked = paths.into_iter().map(|path| {
        let inside = |part| matches!(part, Component::Normal(_));
        match !path.is_empty() && !path.contains('\\') && Path::new(path).components().all(inside) {
            true => Ok(PathBuf::from(path)),
            false => Err(refused(format!(
                "build {} archived a file with the path {path:?}, which leads out of the artifact",
                build.number
            ))),
        }
    });
    checked.collect()
}

enum Trouble {
    Vendor(ProviderError),
    TooLarge,
}

impl Trouble {
    fn fault(self, number: u64) -> Fault {
        match self {
            Self::Vendor(error) => error.fault(),
            Self::TooLarge => Fault::new(
                FaultKind::Artifact,
                format!(
                    "the files of build {number} have more than {MOST_BYTES} bytes: name fewer in artifacts"
                ),
            ),
        }
    }
}

async fn fetch<H: Http, T: Timer>(
    server: &Server<'_, H, T>,
    url: &str,
    to: &Path,
    room: &mut usize,
) -> Result<(), Trouble> {
    let call = Call::get("a file of the build", url)
        .save_to(to)
        .limit(*room);
    let answer = server.ask(&call).await.map_err(Trouble::Vendor)?;
    if answer.cut {
        return Err(Trouble::TooLarge);
    }
    *room -= usize::try_from(answer.saved).unwrap_or(*room).min(*room);
    Ok(())
}

fn disk(error: std::io::Error) -> Fault {
    Fault::new(FaultKind::Internal, "no file could be made in /tmp").because(error)
}
