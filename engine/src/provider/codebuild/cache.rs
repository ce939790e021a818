//! `cache.paths`: files of a finished build that its project's next build finds again.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use shared::archive::{self, ArchiveError, Limits};

use super::artifacts::{self, CollectError};

/// Why a cache is not used; a build goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A pattern.
    #[error(transparent)]
    Paths(#[from] CollectError),
    /// Packing or unpacking.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file.
    #[error(transparent)]
    File(#[from] io::Error),
}

/// Patterns below the source; others name places of this machine, which stay as they are.
pub fn below_source(paths: &[String]) -> (Vec<String>, Vec<String>) {
    let inside = |path: &&String| {
        !path.starts_with(['/', '~', '$']) && !path.split('/').any(|part| part == "..")
    };
    paths.iter().cloned().partition(|path| inside(&path))
}

/// Puts the cached files into the source where the source has none; how many. `aside` is a folder of its own.
///
/// # Errors
/// See [`CacheError`]; some files may be there already.
pub fn restore(file: &Path, aside: &Path, source: &Path) -> Result<usize, CacheError> {
    let open = match fs::File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    archive::extract(io::BufReader::new(open), aside, &Limits::DEFAULT)?;
    let mut restored = 0;
    for name in archive::files_below(aside)? {
        let to = source.join(&name);
        if fs::symlink_metadata(&to).is_ok() {
            continue;
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(aside.join(&name), to)?;
        restored += 1;
    }
    Ok(restored)
}

/// Keeps the files that the patterns name; how many. A cache that is read meanwhile stays whole.
///
/// # Errors
/// See [`CacheError`]; the old cache is still there then.
pub fn save(paths: &[String], source: &Path, file: &Path) -> Result<usize, CacheError> {
    let wanted = artifacts::globs(paths)?;
    let mut names: Vec<PathBuf> = archive::files_below(source)?;
    names.retain(|name| wanted.is_match(name));
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent)?;
    }
    let new = file.with_extension(format!("{}.new", uuid::Uuid::new_v4()));
    let written = fs::File::create_new(&new)
        .map_err(CacheError::from)
        .and_then(|out| Ok(archive::pack(source, &names, out)?))
        .and_then(|_| Ok(fs::rename(&new, file)?));
    if written.is_err() {
        // What is left of it is of no use.
        let _ = fs::remove_file(&new);
    }
    written.map(|()| names.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back_and_hides_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [
            ("one/lib/a", "a"),
            ("one/lib/b", "b"),
            ("one/c", "c"),
            ("two/lib/b", "newer"),
        ] {
            fs::create_dir_all(at(name).parent().expect("a parent")).expect("a folder");
            fs::write(at(name), text).expect("a file");
        }
        let cache = at("caches/site.zip");
        assert_eq!(
            restore(&cache, &at("aside"), &at("two")).expect("no cache yet"),
            0
        );
        let paths = ["lib/**/*", "/root/.m2/**/*", "~/x", "../y"].map(str::to_owned);
        let (inside, outside) = below_source(&paths);
        assert_eq!((inside.as_slice(), outside.len()), (&paths[..1], 3));
        assert_eq!(save(&inside, &at("one"), &cache).expect("kept"), 2);
        assert_eq!(restore(&cache, &at("aside"), &at("two")).expect("found"), 1);
        let read = |name: &str| fs::read_to_string(at(name)).ok();
        assert_eq!(read("two/lib/a").as_deref(), Some("a"));
        assert_eq!(
            read("two/lib/b").as_deref(),
            Some("newer"),
            "the source wins"
        );
        assert_eq!(read("two/c"), None);
        assert_eq!(fs::read_dir(at("caches")).expect("a folder").count(), 1);
    }
}
