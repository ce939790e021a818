//! Tar archives, plain or gzipped: one pass from front to back, every header bounded before it is believed.

use std::{
    cell::Cell,
    io::{self, Read, Seek, SeekFrom},
    rc::Rc,
};

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType, PaxExtensions};

use super::{ArchiveError, Limits, RATIO_FLOOR};

/// One entry, its name not yet checked.
pub(super) struct Entry<'a> {
    pub name: String,
    pub kind: Kind,
    pub from: &'a mut dyn Read,
}

pub(super) enum Kind {
    Folder,
    File {
        executable: bool,
    },
    /// A symbolic link to this target.
    Link(String),
}

/// Whether to go on with the next entry.
#[derive(PartialEq, Eq)]
pub(super) enum Then {
    GoOn,
    Stop,
}

/// Length of one header, and of what data is padded to.
const BLOCK: u64 = 512;
/// Extended headers (names that do not fit, times, owners) of one entry.
const MAX_EXTENDED: u64 = 64 * 1024;
/// Where a header says that it is one.
const MAGIC_AT: u64 = 257;

/// Whether it is a tar archive or a gzip stream, told by its first bytes. Leaves the reader at its beginning.
pub(super) fn is_tar(archive: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut head = Vec::new();
    archive.seek(SeekFrom::Start(0))?;
    archive.by_ref().take(BLOCK).read_to_end(&mut head)?;
    archive.seek(SeekFrom::Start(0))?;
    let magic = head.get(MAGIC_AT as usize..MAGIC_AT as usize + 5);
    Ok(is_gzip(&head) || magic == Some(b"ustar".as_slice()))
}

fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b])
}

/// Shows every file, folder and link to `visit`, in archive order. What it does not read is passed over.
pub(super) fn walk(
    mut archive: impl Read + Seek,
    limits: &Limits,
    visit: impl FnMut(Entry<'_>) -> Result<Then, ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut begin = || -> io::Result<(u64, bool)> {
        let size = archive.seek(SeekFrom::End(0))?;
        archive.seek(SeekFrom::Start(0))?;
        let mut head = Vec::new();
        archive.by_ref().take(2).read_to_end(&mut head)?;
        archive.seek(SeekFrom::Start(0))?;
        Ok((size, is_gzip(&head)))
    };
    let (size, zipped) = begin().map_err(|source| ArchiveError::NotTar { source })?;
    let archive = io::BufReader::new(archive);
    // Headers and padding come on top of what the files hold.
    let overhead = limits.entries.saturating_mul(4 * BLOCK);
    let most = limits.bytes.saturating_add(overhead);
    if zipped {
        let allowed = size.saturating_mul(limits.ratio).max(RATIO_FLOOR);
        let from = Bounded::new(MultiGzDecoder::new(archive), most.min(allowed));
        each(from, limits, visit)
    } else {
        each(Bounded::new(archive, most), limits, visit)
    }
}

fn each(
    from: Bounded<impl Read>,
    limits: &Limits,
    mut visit: impl FnMut(Entry<'_>) -> Result<Then, ArchiveError>,
) -> Result<(), ArchiveError> {
    let (over, most) = (from.over.clone(), from.left);
    let broken = |source: io::Error| match over.get() {
        true => ArchiveError::TooMuch {
            entry: "the archive's stream".to_owned(),
            limit: most,
            what: "bytes unpacked",
        },
        false => ArchiveError::NotTar { source },
    };
    let mut archive = Archive::new(from);
    let entries = archive.entries().map_err(&broken)?.raw(true);
    let (mut long, mut count) = (Long::default(), 0);
    for entry in entries {
        let mut entry = entry.map_err(&broken)?;
        count += 1;
        if count > limits.entries {
            return Err(ArchiveError::TooMuch {
                entry: "table of contents".to_owned(),
                limit: limits.entries,
                what: "entries",
            });
        }
        let kind = entry.header().entry_type();
        if long.takes(kind, &mut entry).map_err(&broken)? {
            continue;
        }
        let Long { name, target } = std::mem::take(&mut long);
        let name = match name {
            Some(name) => name,
            None => text(&entry.path_bytes())?,
        };
        let refused = |problem| ArchiveError::Name {
            entry: name.chars().take(200).collect(),
            problem,
        };
        let kind = match kind {
            EntryType::Directory => Kind::Folder,
            EntryType::Regular | EntryType::Continuous if name.ends_with('/') => Kind::Folder,
            EntryType::Regular | EntryType::Continuous => {
                let mode = entry.header().mode().map_err(&broken)?;
                Kind::File {
                    executable: mode & 0o111 != 0,
                }
            }
            EntryType::Symlink => Kind::Link(match target {
                Some(target) => target,
                None => text(&entry.link_name_bytes().unwrap_or_default())?,
            }),
            EntryType::Link => return Err(refused("is that of a hard link, which is not taken")),
            _ => {
                return Err(refused(
                    "is that of a device or another thing that is no file",
                ));
            }
        };
        let then = visit(Entry {
            name,
            kind,
            from: &mut entry,
        });
        // A reader of the file saw the stream end early, and knows less of the reason.
        if over.get() {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        }
        if then? == Then::Stop {
            return Ok(());
        }
    }
    Ok(())
}

/// What headers in front of an entry say of it.
#[derive(Default)]
struct Long {
    name: Option<String>,
    target: Option<String>,
}

impl Long {
    /// Reads a header that stands in front of an entry; whether it was one.
    fn takes(&mut self, kind: EntryType, from: &mut impl Read) -> io::Result<bool> {
        let wrong = |text: &'static str| io::Error::new(io::ErrorKind::InvalidData, text);
        let text = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).map_err(|_| wrong("a name is no UTF-8"))?;
            Ok::<_, io::Error>(text.trim_end_matches('\0').to_owned())
        };
        match kind {
            EntryType::XGlobalHeader => {}
            EntryType::GNULongName => self.name = Some(text(&extended(from)?)?),
            EntryType::GNULongLink => self.target = Some(text(&extended(from)?)?),
            EntryType::XHeader => {
                let bytes = extended(from)?;
                for extension in PaxExtensions::new(&bytes) {
                    let extension = extension?;
                    match extension.key_bytes() {
                        b"path" => self.name = Some(text(extension.value_bytes())?),
                        b"linkpath" => self.target = Some(text(extension.value_bytes())?),
                        b"size" => return Err(wrong("a file's size is in an extended header")),
                        key if key.starts_with(b"GNU.sparse") => {
                            return Err(wrong("sparse files are not taken"));
                        }
                        _ => {}
                    }
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn extended(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_EXTENDED + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_EXTENDED {
        let text = "an extended header is too long";
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(bytes)
}

fn text(bytes: &[u8]) -> Result<String, ArchiveError> {
    String::from_utf8(bytes.to_vec()).map_err(|error| ArchiveError::Name {
        entry: String::from_utf8_lossy(error.as_bytes())
            .chars()
            .take(200)
            .collect(),
        problem: "is no UTF-8",
    })
}

/// A stream that ends with an error, and remembers it, after so many bytes.
struct Bounded<R> {
    from: R,
    left: u64,
    over: Rc<Cell<bool>>,
}

impl<R> Bounded<R> {
    fn new(from: R, most: u64) -> Self {
        Self {
            from,
            left: most,
            over: Rc::default(),
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => {
                self.over.set(true);
                Err(io::Error::other("the archive unpacks to too much"))
            }
        }
    }
}
