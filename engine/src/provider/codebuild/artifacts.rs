//! UPLOAD_ARTIFACTS: which files of a finished build go into an artifact, and the zip of them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use shared::archive::{self, ArchiveError, Packed};

use super::buildspec::{ArtifactSpec, Buildspec};

/// Why an artifact could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The base directory is not there.
    #[error("CLIENT_ERROR: no matching base directory path found for {base}")]
    NoBase {
        /// As the buildspec has it.
        base: String,
    },
    /// No file matches.
    #[error("CLIENT_ERROR: no matching artifact paths found for {globs}{hint}")]
    NoFiles {
        /// As the buildspec has them.
        globs: String,
        /// What may be meant.
        hint: String,
    },
    /// Two files of the same name, after `discard-paths` or from two base directories.
    #[error("CLIENT_ERROR: {one} and {other} would both be {name} in the artifact")]
    Clash {
        /// One file.
        one: String,
        /// The other.
        other: String,
        /// The name in the archive.
        name: String,
    },
    /// Not a glob.
    #[error("CLIENT_ERROR: {glob} is not a path pattern")]
    Glob {
        /// The text.
        glob: String,
        /// Why not.
        #[source]
        source: globset::Error,
    },
    /// Packing.
    #[error("the artifact could not be packed: {0}")]
    Archive(#[from] ArchiveError),
    /// A file could not be read or put aside.
    #[error("{path} could not be put into the artifact")]
    File {
        /// Which.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The definition that makes an output artifact: the only output is `artifacts`, several are `secondary-artifacts`
/// by name. `None`: the buildspec does not make it.
pub fn definition<'a>(spec: &'a Buildspec, outputs: usize, name: &str) -> Option<&'a ArtifactSpec> {
    match outputs {
        1 => spec.artifacts.as_ref().or_else(|| spec.secondary.get(name)),
        _ => spec.secondary.get(name),
    }
}

/// Zips what the definition names below `source` into the file `to`; `aside` is a folder that may be made for it.
///
/// # Errors
/// See [`CollectError`].
pub fn collect(
    spec: &ArtifactSpec,
    source: &Path,
    aside: &Path,
    to: &Path,
) -> Result<Packed, CollectError> {
    let bases = bases(spec.base_directory.as_deref().unwrap_or("."), source)?;
    let wanted = globs(&spec.files)?;
    let unwanted = globs(&spec.exclude)?;
    let mut chosen = BTreeMap::new();
    for base in &bases {
        for file in archive::files_below(base)? {
            if !wanted.is_match(&file) || unwanted.is_match(&file) {
                continue;
            }
            let name = match file.file_name() {
                Some(bare) if spec.discard_paths => PathBuf::from(bare),
                _ => file.clone(),
            };
            if let Some(other) = chosen.insert(name.clone(), base.join(&file)) {
                return Err(CollectError::Clash {
                    one: shown(source, &other),
                    other: shown(source, &base.join(&file)),
                    name: name.display().to_string(),
                });
            }
        }
    }
    if chosen.is_empty() {
        return Err(CollectError::NoFiles {
            globs: spec.files.join(", "),
            hint: hint(spec, &bases),
        });
    }
    let names: Vec<PathBuf> = chosen.keys().cloned().collect();
    let out = fs::File::create_new(to).map_err(|error| failed(to, error))?;
    if let ([base], false) = (bases.as_slice(), spec.discard_paths) {
        return Ok(archive::pack(base, &names, out)?);
    }
    for (name, file) in &chosen {
        put_aside(file, &aside.join(name)).map_err(|error| failed(file, error))?;
    }
    Ok(archive::pack(aside, &names, out)?)
}

fn bases(base: &str, source: &Path) -> Result<Vec<PathBuf>, CollectError> {
    let missing = || CollectError::NoBase {
        base: base.to_owned(),
    };
    let plain = source.join(base);
    if plain.is_dir() {
        return Ok(vec![plain]);
    }
    if !base.contains(['*', '?', '[', '{']) {
        return Err(missing());
    }
    let wanted = globs(&[base.trim_end_matches('/').to_owned()])?;
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    // As deep as the pattern, no deeper: a build may have left a million files.
    let depth = base.split('/').count();
    while let Some(at) = waiting.pop() {
        let folder = source.join(&at);
        for entry in fs::read_dir(&folder).map_err(|error| failed(&folder, error))? {
            let entry = entry.map_err(|error| failed(&folder, error))?;
            let path = at.join(entry.file_name());
            if !entry.path().is_dir() {
                continue;
            }
            if wanted.is_match(&path) {
                found.push(source.join(&path));
            } else if path.components().count() < depth {
                waiting.push(path);
            }
        }
    }
    found.sort();
    if found.is_empty() {
        Err(missing())
    } else {
        Ok(found)
    }
}

pub(super) fn globs(patterns: &[String]) -> Result<GlobSet, CollectError> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let bad = |source| CollectError::Glob {
            glob: pattern.clone(),
            source,
        };
        let plain = pattern.strip_prefix("./").unwrap_or(pattern);
        set.add(
            GlobBuilder::new(plain)
                .literal_separator(true)
                .build()
                .map_err(bad)?,
        );
    }
    set.build().map_err(|source| CollectError::Glob {
        glob: patterns.join(", "),
        source,
    })
}

fn hint(spec: &ArtifactSpec, bases: &[PathBuf]) -> String {
    spec.files
        .iter()
        .map(|glob| glob.trim_end_matches('/'))
        .find(|glob| bases.iter().any(|base| base.join(glob).is_dir()))
        .map(|folder| format!(" ({folder} is a folder: write {folder}/**/*)"))
        .unwrap_or_default()
}

fn put_aside(file: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    if file.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(file)?, to);
    }
    fs::hard_link(file, to).or_else(|_| fs::copy(file, to).map(|_| ()))
}

fn shown(source: &Path, file: &Path) -> String {
    file.strip_prefix(source)
        .unwrap_or(file)
        .display()
        .to_string()
}

fn failed(path: &Path, source: io::Error) -> CollectError {
    CollectError::File {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(
        files: &[&str],
        exclude: &[&str],
        base: Option<&str>,
        discard_paths: bool,
    ) -> Result<String, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("src");
        for file in [
            "top.txt",
            ".hidden",
            "dist/index.html",
            "dist/js/app.js",
            "dist/js/app.js.map",
            "my-build1/one.txt",
            "my-build2/two.txt",
            "my-build2/deep/three.txt",
        ] {
            let path = source.join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, file).expect("a file");
        }
        let strings = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect();
        let spec = ArtifactSpec {
            files: strings(files),
            exclude: strings(exclude),
            base_directory: base.map(ToOwned::to_owned),
            discard_paths,
        };
        let zip = folder.path().join("out.zip");
        collect(&spec, &source, &folder.path().join("aside"), &zip).map_err(|e| e.to_string())?;
        let file = fs::File::open(zip).expect("written");
        Ok(archive::names(file, &archive::Limits::DEFAULT)
            .expect("a zip")
            .join(" "))
    }

    #[test]
    fn globs_choose_as_codebuild_documents() {
        let ok = |text: &str| Ok(text.to_owned());
        let all = ["**/*"];
        assert_eq!(
            collected(&["top.txt", "./dist/*"], &[], None, false),
            ok("dist/index.html top.txt")
        );
        assert_eq!(collected(&["*"], &[], None, false), ok(".hidden top.txt"));
        assert_eq!(
            collected(&all, &["**/*.map"], Some("dist"), false),
            ok("index.html js/app.js")
        );
        assert_eq!(
            collected(&["dist/**/*"], &[], None, true),
            ok("app.js app.js.map index.html")
        );
        assert_eq!(
            collected(&all, &[], Some("my-build*"), false),
            ok("deep/three.txt one.txt two.txt")
        );
        assert_eq!(
            collected(&all, &[], Some("my-build*"), true),
            ok("one.txt three.txt two.txt")
        );
        assert_eq!(
            collected(&["*/three.txt"], &[], Some("my-build2"), false),
            ok("deep/three.txt")
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let cases: [(&[&str], Option<&str>, &str); 4] = [
            (
                &["**/*"],
                Some("out"),
                "CLIENT_ERROR: no matching base directory path found for out",
            ),
            (
                &["**/*"],
                Some("out*"),
                "CLIENT_ERROR: no matching base directory path found for out*",
            ),
            (
                &["nothing.*"],
                None,
                "CLIENT_ERROR: no matching artifact paths found for nothing.*",
            ),
            (
                &["dist"],
                None,
                "CLIENT_ERROR: no matching artifact paths found for dist (dist is a folder: write dist/**/*)",
            ),
        ];
        for (files, base, expected) in cases {
            assert_eq!(collected(files, &[], base, false), Err(expected.to_owned()));
        }
    }
}
