//! Reading archives: every name is checked and every byte counted before it is believed.

use std::{
    fs,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use zip::{ZipArchive, read::ZipFile, result::ZipError};

use super::{
    ArchiveError, Extracted, Limits, RATIO_FLOOR, Symlinks, io_error,
    place::{checked, make_executable, make_link, stays_inside},
    tar::{self, Kind, Then},
};

const CHUNK: usize = 64 * 1024;
/// A link's target is a path; PATH_MAX on Linux.
const LINK_TARGET: u64 = 4096;

/// Unpacks an archive below `to`, which is made when absent and should be empty.
///
/// Files appear as they are read, so a refused archive may leave some behind: give it a folder of its own.
/// Execute bits are kept, other mode bits are not.
pub fn extract(
    mut archive: impl Read + Seek,
    to: &Path,
    limits: &Limits,
) -> Result<Extracted, ArchiveError> {
    let mut out = Extraction {
        to,
        limits,
        allowed: u64::MAX,
        done: Extracted::default(),
        links: Vec::new(),
        chunk: vec![0; CHUNK],
    };
    let make = || fs::create_dir_all(to).map_err(io_error("making a folder", to));
    if is_tar(&mut archive)? {
        make()?;
        tar::walk(archive, limits, |entry| out.tar_entry(entry))?;
        return out.make_links();
    }
    let (mut zip, size) = open(archive, limits)?;
    make()?;
    out.allowed = size.saturating_mul(limits.ratio).max(RATIO_FLOOR);
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(|source| ArchiveError::Entry {
            entry: format!("number {}", index + 1),
            source,
        })?;
        out.entry(entry)?;
    }
    out.make_links()
}

/// The names of all files (folders left out), in archive order, checked as [`extract`] checks them.
pub fn names(mut archive: impl Read + Seek, limits: &Limits) -> Result<Vec<String>, ArchiveError> {
    let mut names = Vec::new();
    if is_tar(&mut archive)? {
        tar::walk(archive, limits, |entry| {
            checked(&entry.name, limits)?;
            if !matches!(entry.kind, Kind::Folder) {
                names.push(entry.name);
            }
            Ok(Then::GoOn)
        })?;
        return Ok(names);
    }
    let (zip, _) = open(archive, limits)?;
    for name in zip.file_names() {
        let name = name.map_err(|source| ArchiveError::NotZip { source })?;
        checked(&name, limits)?;
        if !name.ends_with('/') {
            names.push(name.into_owned());
        }
    }
    Ok(names)
}

/// Reads one file of an archive into memory; refuses more than `max` bytes. A tar archive is read up to that file only.
pub fn read_one(archive: impl Read + Seek, name: &str, max: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    copy_one(archive, name, max, &mut bytes)?;
    Ok(bytes)
}

/// Copies one file of an archive to `out`, through a small buffer; refuses more than `max` bytes, of which some may have
/// been copied by then. Answers its size.
pub fn copy_one(
    mut archive: impl Read + Seek,
    name: &str,
    max: u64,
    out: &mut impl Write,
) -> Result<u64, ArchiveError> {
    if is_tar(&mut archive)? {
        return copy_one_of_tar(archive, name, max, out);
    }
    let (mut zip, _) = open(archive, &Limits::DEFAULT)?;
    let entry = zip.by_name(name).map_err(|source| match source {
        ZipError::FileNotFound => ArchiveError::Missing {
            entry: name.to_owned(),
        },
        source => entry_error(name)(source),
    })?;
    copy(entry, name, max, out)
}

fn copy_one_of_tar(
    archive: impl Read + Seek,
    name: &str,
    max: u64,
    out: &mut impl Write,
) -> Result<u64, ArchiveError> {
    let plain = |name: &str| name.trim_start_matches("./").to_owned();
    let mut found = None;
    tar::walk(archive, &Limits::DEFAULT, |entry| {
        if plain(&entry.name) != plain(name) || !matches!(entry.kind, Kind::File { .. }) {
            return Ok(Then::GoOn);
        }
        found = Some(copy(entry.from, name, max, out)?);
        Ok(Then::Stop)
    })?;
    found.ok_or_else(|| ArchiveError::Missing {
        entry: name.to_owned(),
    })
}

fn copy(from: impl Read, name: &str, max: u64, out: &mut impl Write) -> Result<u64, ArchiveError> {
    let mut from = from.take(max.saturating_add(1));
    let size = io::copy(&mut from, out).map_err(|error| entry_error(name)(error.into()))?;
    if size > max {
        return Err(ArchiveError::TooMuch {
            entry: name.to_owned(),
            limit: max,
            what: "bytes in this file",
        });
    }
    Ok(size)
}

fn is_tar(archive: &mut (impl Read + Seek)) -> Result<bool, ArchiveError> {
    tar::is_tar(archive).map_err(|error| ArchiveError::NotZip {
        source: error.into(),
    })
}

/// Opens the archive; refuses too many entries before their table is read. Answers its size in bytes too.
fn open<R: Read + Seek>(
    archive: R,
    limits: &Limits,
) -> Result<(ZipArchive<BufReader<R>>, u64), ArchiveError> {
    let too_many = |count: u64| {
        (count > limits.entries).then(|| ArchiveError::TooMuch {
            entry: "table of contents".to_owned(),
            limit: limits.entries,
            what: "entries",
        })
    };
    let not_zip = |error: io::Error| ArchiveError::NotZip {
        source: error.into(),
    };
    let mut archive = BufReader::new(archive);
    let size = archive.seek(SeekFrom::End(0)).map_err(not_zip)?;
    if let Some(refusal) = announced(&mut archive, size)
        .map_err(not_zip)?
        .and_then(too_many)
    {
        return Err(refusal);
    }
    archive.seek(SeekFrom::Start(0)).map_err(not_zip)?;
    let zip = ZipArchive::new(archive).map_err(|source| ArchiveError::NotZip { source })?;
    if let Some(refusal) = too_many(zip.len() as u64) {
        return Err(refusal);
    }
    if zip.has_duplicate_names() {
        return Err(ArchiveError::Duplicate);
    }
    Ok((zip, size))
}

/// The number of entries that the archive's last record announces, when one is found.
fn announced(archive: &mut (impl Read + Seek), size: u64) -> io::Result<Option<u64>> {
    // APPNOTE 4.3.14 to 4.3.16: end record 22 bytes and a comment of at most 65,535, before it a zip64 locator of 20.
    let tail_size = size.min(22 + 65_535 + 20);
    archive.seek(SeekFrom::Start(size - tail_size))?;
    let mut tail = Vec::new();
    archive.take(tail_size).read_to_end(&mut tail)?;
    let Some(end) = tail.windows(4).rposition(|bytes| bytes == b"PK\x05\x06") else {
        return Ok(None);
    };
    let Some(count) = number(&tail, end + 10, 2) else {
        return Ok(None);
    };
    let locator = end
        .checked_sub(20)
        .filter(|at| tail[*at..].starts_with(b"PK\x06\x07"));
    let Some(record) = locator.and_then(|at| number(&tail, at + 8, 8)) else {
        return Ok(Some(count));
    };
    archive.seek(SeekFrom::Start(record))?;
    let mut zip64 = Vec::new();
    archive.take(40).read_to_end(&mut zip64)?;
    Ok(number(&zip64, 32, 8).or(Some(count)))
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

struct Extraction<'a> {
    to: &'a Path,
    limits: &'a Limits,
    /// Bytes that the ratio allows.
    allowed: u64,
    done: Extracted,
    links: Vec<(PathBuf, PathBuf)>,
    chunk: Vec<u8>,
}

impl Extraction<'_> {
    fn entry(&mut self, mut entry: ZipFile<'_, impl Read>) -> Result<(), ArchiveError> {
        let name = entry
            .name()
            .map_err(entry_error("with an unreadable name"))?
            .into_owned();
        let path = checked(&name, self.limits)?;
        if entry.is_dir() {
            return fs::create_dir_all(self.to.join(&path))
                .map_err(io_error("making a folder", path));
        }
        self.done.files += 1;
        if let Some(parent) = self.to.join(&path).parent() {
            fs::create_dir_all(parent).map_err(io_error("making a folder", &path))?;
        }
        if entry.is_symlink() {
            let target = self.link(&name, &path, &mut entry)?;
            self.links.push((path, target));
            return Ok(());
        }
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        self.file(&name, &path, executable, &mut entry)
    }

    fn tar_entry(&mut self, mut entry: tar::Entry<'_>) -> Result<Then, ArchiveError> {
        let path = checked(&entry.name, self.limits)?;
        let name = entry.name.as_str();
        if let Kind::Folder = entry.kind {
            fs::create_dir_all(self.to.join(&path)).map_err(io_error("making a folder", path))?;
            return Ok(Then::GoOn);
        }
        self.done.files += 1;
        if let Some(parent) = self.to.join(&path).parent() {
            fs::create_dir_all(parent).map_err(io_error("making a folder", &path))?;
        }
        match &entry.kind {
            Kind::Link(target) => {
                let target = self.target(name, &path, target.clone().into_bytes())?;
                self.links.push((path, target));
            }
            Kind::File { executable } => self.file(name, &path, *executable, &mut entry.from)?,
            Kind::Folder => {}
        }
        Ok(Then::GoOn)
    }

    fn file(
        &mut self,
        name: &str,
        path: &Path,
        executable: bool,
        from: &mut impl Read,
    ) -> Result<(), ArchiveError> {
        let place = self.to.join(path);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&place)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => ArchiveError::Duplicate,
                _ => io_error("making a file", path)(error),
            })?;
        loop {
            let read = match from.read(&mut self.chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(entry_error(name)(error.into())),
            };
            self.count(name, read as u64)?;
            file.write_all(&self.chunk[..read])
                .map_err(io_error("writing a file", path))?;
        }
        if executable {
            make_executable(&file).map_err(io_error("setting a file's mode", path))?;
        }
        Ok(())
    }

    fn count(&mut self, name: &str, bytes: u64) -> Result<(), ArchiveError> {
        self.done.bytes += bytes;
        let too_much = |limit, what| {
            Err(ArchiveError::TooMuch {
                entry: name.to_owned(),
                limit,
                what,
            })
        };
        if self.done.bytes > self.limits.bytes {
            return too_much(self.limits.bytes, "bytes unpacked");
        }
        if self.done.bytes > self.allowed {
            return too_much(self.limits.ratio, "bytes out of each byte of the archive");
        }
        Ok(())
    }

    fn link(
        &mut self,
        name: &str,
        path: &Path,
        from: &mut impl Read,
    ) -> Result<PathBuf, ArchiveError> {
        let mut target = Vec::new();
        from.take(LINK_TARGET)
            .read_to_end(&mut target)
            .map_err(|error| entry_error(name)(error.into()))?;
        self.target(name, path, target)
    }

    fn target(
        &mut self,
        name: &str,
        path: &Path,
        target: Vec<u8>,
    ) -> Result<PathBuf, ArchiveError> {
        let refused = |problem| ArchiveError::Link {
            entry: name.to_owned(),
            problem,
        };
        if self.limits.symlinks == Symlinks::Refuse {
            return Err(refused("and links are not taken"));
        }
        self.count(name, target.len() as u64)?;
        let target = String::from_utf8(target).map_err(|_| refused("with an unreadable target"))?;
        let depth = path.components().count() - 1;
        if !stays_inside(&target, depth) {
            return Err(refused("that leads out of the archive"));
        }
        Ok(PathBuf::from(target))
    }

    /// Links come last, so that no file is ever written through one.
    fn make_links(self) -> Result<Extracted, ArchiveError> {
        for (path, target) in self.links {
            make_link(&target, &self.to.join(&path)).map_err(io_error("making a link", path))?;
        }
        Ok(self.done)
    }
}

fn entry_error(name: &str) -> impl FnOnce(ZipError) -> ArchiveError {
    let entry = name.to_owned();
    move |source| ArchiveError::Entry { entry, source }
}
