//! Where an entry may come to lie, and how it is put there.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::{ArchiveError, Limits};

/// The checked path of an entry's name; a folder's name may end in a slash.
pub(super) fn checked(name: &str, limits: &Limits) -> Result<PathBuf, ArchiveError> {
    let refused = |problem| {
        Err(ArchiveError::Name {
            entry: name.chars().take(200).collect(),
            problem,
        })
    };
    if name.chars().count() > limits.name {
        return refused("is too long");
    }
    if name.chars().any(char::is_control) {
        return refused("holds a control character");
    }
    if name.contains('\\') {
        return refused("holds a backslash");
    }
    if name.starts_with('/') {
        return refused("is absolute");
    }
    if name.as_bytes().get(1) == Some(&b':') {
        return refused("starts with a drive letter");
    }
    let mut path = PathBuf::new();
    for part in name.strip_suffix('/').unwrap_or(name).split('/') {
        match part {
            "" => return refused("has an empty part"),
            "." => {}
            ".." => return refused("leads out of the archive"),
            part => path.push(part),
        }
    }
    if path.as_os_str().is_empty() && name != "./" {
        return refused("is empty");
    }
    Ok(path)
}

/// Whether a link at `depth` folders below the root leads nowhere outside, whatever other such links are on its way:
/// `..` only in front (from a real folder up through real folders), then plain names only.
pub(super) fn stays_inside(target: &str, depth: usize) -> bool {
    if target.is_empty() || target.contains(['\0', '\\']) {
        return false;
    }
    let mut up = 0;
    let mut down = false;
    for part in Path::new(target).components() {
        match part {
            Component::Prefix(_) | Component::RootDir => return false,
            Component::ParentDir if down => return false,
            Component::ParentDir => up += 1,
            Component::CurDir => {}
            Component::Normal(_) => down = true,
        }
    }
    up <= depth
}

#[cfg(unix)]
pub(super) fn make_executable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode();
    // Execute where reading is allowed: the umask keeps its say.
    file.set_permissions(fs::Permissions::from_mode(mode | (mode & 0o444) >> 2))
}

#[cfg(not(unix))]
pub(super) fn make_executable(_: &fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
pub(super) fn make_link(target: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

#[cfg(not(unix))]
pub(super) fn make_link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
