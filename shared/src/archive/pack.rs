//! Writing archives. The same files give the same bytes: no times are stored.

use std::{
    fs,
    io::{self, Seek, Write},
    path::{Component, Path, PathBuf},
};

use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::{
    ArchiveError, Limits, Packed, RATIO_FLOOR, io_error,
    place::{checked, stays_inside},
};

/// Writes the named files of a folder into a new archive; names are the paths relative to the folder.
///
/// Folders among them are written as folder entries (without what they hold), links as links, execute bits are kept.
///
/// # Errors
/// Also what [`super::extract`] would refuse under [`Limits::DEFAULT`]: names, links that lead out, too many entries or bytes.
/// It is told where it arises, not by whoever unpacks the archive later.
pub fn pack(
    folder: &Path,
    files: &[PathBuf],
    out: impl Write + Seek,
) -> Result<Packed, ArchiveError> {
    const LIMITS: Limits = Limits::DEFAULT;
    if files.len() as u64 > LIMITS.entries {
        let entry = &files[LIMITS.entries as usize];
        return Err(too_much(entry, LIMITS.entries, "entries"));
    }
    let mut zip = ZipWriter::new(out).set_auto_large_file();
    let mut packed = Packed::default();
    for file in files {
        let name = entry_name(file)?;
        let path = checked(&name, &LIMITS)?;
        let place = folder.join(file);
        let about = fs::symlink_metadata(&place).map_err(io_error("reading", file))?;
        let failed = |source: ZipError| ArchiveError::Entry {
            entry: name.clone(),
            source,
        };
        if about.is_dir() {
            let options = options().unix_permissions(0o755);
            zip.add_directory(&name, options).map_err(failed)?;
            continue;
        }
        packed.files += 1;
        if about.is_symlink() {
            let target = fs::read_link(&place).map_err(io_error("reading a link", file))?;
            let inside = target
                .to_str()
                .filter(|target| stays_inside(target, path.components().count() - 1));
            let target = inside.ok_or_else(|| ArchiveError::LinkOut {
                entry: name.clone(),
                target: target.to_string_lossy().into_owned(),
            })?;
            zip.add_symlink(&name, target, options()).map_err(failed)?;
            continue;
        }
        let mode = if executable(&about) { 0o755 } else { 0o644 };
        zip.start_file(&name, options().unix_permissions(mode))
            .map_err(failed)?;
        let mut from = fs::File::open(&place).map_err(io_error("opening", file))?;
        packed.bytes += io::copy(&mut from, &mut zip).map_err(io_error("packing", file))?;
        if packed.bytes > LIMITS.bytes {
            return Err(too_much(file, LIMITS.bytes, "bytes unpacked"));
        }
    }
    let mut out = zip.finish().map_err(|source| ArchiveError::Entry {
        entry: "table of contents".to_owned(),
        source,
    })?;
    out.flush().map_err(io_error("writing the archive", ""))?;
    let size = out
        .stream_position()
        .map_err(io_error("writing the archive", ""))?;
    if packed.bytes > size.saturating_mul(LIMITS.ratio).max(RATIO_FLOOR) {
        let entry = Path::new("the end");
        return Err(too_much(
            entry,
            LIMITS.ratio,
            "bytes out of each byte of the archive",
        ));
    }
    Ok(packed)
}

fn too_much(entry: &Path, limit: u64, what: &'static str) -> ArchiveError {
    ArchiveError::TooMuch {
        entry: entry.to_string_lossy().into_owned(),
        limit,
        what,
    }
}

/// All files and links below a folder, in name order, links not followed; empty folders are left out.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>, ArchiveError> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(at) = waiting.pop() {
        let listed = fs::read_dir(folder.join(&at)).map_err(io_error("listing", &at))?;
        for entry in listed {
            let entry = entry.map_err(io_error("listing", &at))?;
            let path = at.join(entry.file_name());
            let kind = entry.file_type().map_err(io_error("reading", &path))?;
            if kind.is_dir() {
                waiting.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
}

fn entry_name(path: &Path) -> Result<String, ArchiveError> {
    let outside = || ArchiveError::Outside {
        path: path.to_owned(),
    };
    let mut name = String::new();
    for part in path.components() {
        let Component::Normal(part) = part else {
            return Err(outside());
        };
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(part.to_str().ok_or_else(|| ArchiveError::Name {
            entry: path.to_string_lossy().into_owned(),
            problem: "is not UTF-8",
        })?);
    }
    if name.is_empty() {
        return Err(outside());
    }
    Ok(name)
}

#[cfg(unix)]
fn executable(about: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    about.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn executable(_: &fs::Metadata) -> bool {
    false
}
