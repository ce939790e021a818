//! Zip archives in and out, tar and tar.gz in, with limits. The one place in `shared` that touches the file system: only below the
//! folder it is given. Synchronous; async callers use a blocking thread.

use std::{io, path::PathBuf};

mod pack;
mod place;
mod tar;
mod unpack;

pub use pack::{files_below, pack};
pub use unpack::{copy_one, extract, names, read_one};

/// What an archive may cost to unpack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries, folders included.
    pub entries: u64,
    /// Bytes of all files together, as they come out.
    pub bytes: u64,
    /// Bytes that may come out for each byte of the archive, counted beyond [`RATIO_FLOOR`].
    pub ratio: u64,
    /// Characters of one entry's name.
    pub name: usize,
    /// What becomes of symbolic links.
    pub symlinks: Symlinks,
}

/// What becomes of symbolic links in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symlinks {
    /// Links that stay inside are made, others are refused.
    KeepInside,
    /// Any link is refused.
    Refuse,
}

/// Below this many bytes the ratio is not looked at: small archives of zeros are harmless.
pub const RATIO_FLOOR: u64 = 16 * 1024 * 1024;

impl Limits {
    /// 100,000 entries (AWS's quota for the files of an S3 source), 4 GiB, ratio 200 (deflate's worst case is
    /// 1,032, text seldom passes 20), names of 1,024 characters (an S3 key's bound), links kept inside.
    pub const DEFAULT: Self = Self {
        entries: 100_000,
        bytes: 4 * 1024 * 1024 * 1024,
        ratio: 200,
        name: 1024,
        symlinks: Symlinks::KeepInside,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What came out of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extracted {
    /// Files and links, folders not counted.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// What went into an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Packed {
    /// Files and links.
    pub files: u64,
    /// Their bytes before compression.
    pub bytes: u64,
}

/// Why an archive was not read or written. Texts may be shown to people: they hold entry names and no more.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Neither a zip nor a tar file, or cut off.
    #[error("it is not a zip archive, or it is cut off")]
    NotZip {
        /// The zip reader's words.
        #[source]
        source: zip::result::ZipError,
    },
    /// A tar archive that is damaged or cut off, or holds what is not taken.
    #[error("the tar archive cannot be read, or it is cut off")]
    NotTar {
        /// The reader's words.
        #[source]
        source: io::Error,
    },
    /// One entry is damaged or uses what is not supported (encryption, a compression other than deflate).
    #[error("the entry {entry:?} cannot be read")]
    Entry {
        /// Which.
        entry: String,
        /// The zip reader's words.
        #[source]
        source: zip::result::ZipError,
    },
    /// A name that would leave the folder, or cannot be a file here.
    #[error("the entry {entry:?} is refused: its name {problem}")]
    Name {
        /// Which.
        entry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A link that would leave the folder, or any link where none is wanted.
    #[error("the entry {entry:?} is refused: it is a symbolic link {problem}")]
    Link {
        /// Which.
        entry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A link that is to be packed and leads out of the folder.
    #[error("the symbolic link {entry:?} leads out of the folder that is packed: {target:?}")]
    LinkOut {
        /// Which.
        entry: String,
        /// Where to.
        target: String,
    },
    /// More than the limits allow.
    #[error("the archive is refused at {entry:?}: more than {limit} {what}")]
    TooMuch {
        /// Where the limit was passed.
        entry: String,
        /// The limit's value.
        limit: u64,
        /// What was counted.
        what: &'static str,
    },
    /// Two entries of one name.
    #[error("the archive holds two entries of one name")]
    Duplicate,
    /// The entry asked for is not there.
    #[error("the archive has no entry {entry:?}")]
    Missing {
        /// What was asked for.
        entry: String,
    },
    /// A path given for packing is not below the folder.
    #[error("{path:?} is not a plain path below the folder that is packed")]
    Outside {
        /// Which.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("{what} failed at {path:?}")]
    Io {
        /// What was done.
        what: &'static str,
        /// With which file, relative to the folder.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
}

fn io_error(
    what: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(io::Error) -> ArchiveError {
    let path = path.into();
    move |source| ArchiveError::Io { what, path, source }
}
