//! The event Install: files of a bundle to their places on a server, and the files of the deployment before away.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use globset::Glob;
use shared::archive::files_below;

use super::appspec::{AppSpec, Existing, Kind, Mode, Permission, below};

/// Why files could not be installed; each text names the file.
#[derive(Debug, thiserror::Error)]
pub(super) enum InstallError {
    /// `files` names something the bundle has not.
    #[error("files: the bundle has no {0}")]
    Missing(PathBuf),
    /// Two entries want the same place.
    #[error("files: {0} would be installed twice")]
    Twice(PathBuf),
    /// CodeDeploy's text.
    #[error("The deployment failed because a specified file already exists at this location: {0}")]
    Exists(PathBuf),
    /// The file system.
    #[error("{path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The bundle cannot be listed.
    #[error("the bundle cannot be read")]
    Bundle(#[source] shared::archive::ArchiveError),
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> InstallError + '_ {
    move |source| InstallError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Which file of the bundle goes where; places are below `root`.
pub(super) fn plan(
    spec: &AppSpec,
    bundle: &Path,
    root: &Path,
) -> Result<BTreeMap<PathBuf, (PathBuf, Existing)>, InstallError> {
    let mut places = BTreeMap::new();
    for (entry, behavior) in &spec.files {
        let source = below(bundle, &entry.source.0);
        let folder = below(root, &entry.destination.0);
        let pairs = if source.is_dir() {
            let files = files_below(&source).map_err(InstallError::Bundle)?;
            let pair = |file: PathBuf| (source.join(&file), folder.join(&file));
            files.into_iter().map(pair).collect()
        } else if source.is_file() {
            let name = source.file_name().map(PathBuf::from).unwrap_or_default();
            vec![(source, folder.join(name))]
        } else {
            return Err(InstallError::Missing(entry.source.0.clone()));
        };
        for (from, to) in pairs {
            if places.insert(to.clone(), (from, *behavior)).is_some() {
                return Err(InstallError::Twice(to));
            }
        }
    }
    Ok(places)
}

/// Refuses what is in the way; `own` are the files of the deployment before. Answers what stays as it is.
pub(super) fn kept(
    places: &BTreeMap<PathBuf, (PathBuf, Existing)>,
    own: &BTreeSet<PathBuf>,
) -> Result<BTreeSet<PathBuf>, InstallError> {
    let mut kept = BTreeSet::new();
    for (to, (_, behavior)) in places {
        if own.contains(to) || fs::symlink_metadata(to).is_err() {
            continue;
        }
        match behavior {
            Existing::Disallow => return Err(InstallError::Exists(to.clone())),
            Existing::Overwrite => {}
            Existing::Retain => {
                kept.insert(to.clone());
            }
        }
    }
    Ok(kept)
}

/// Takes the files of the deployment before away, and folders that are empty then.
pub(super) fn clean(own: &BTreeSet<PathBuf>, root: &Path) -> Result<(), InstallError> {
    for path in own.iter().rev() {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(path)(error)),
            _ => {}
        }
        let mut folder = path.parent();
        while let Some(empty) = folder.filter(|it| *it != root && it.starts_with(root)) {
            if fs::remove_dir(empty).is_err() {
                break;
            }
            folder = empty.parent();
        }
    }
    Ok(())
}

/// Copies all files but those that stay.
pub(super) fn copy(
    places: &BTreeMap<PathBuf, (PathBuf, Existing)>,
    kept: &BTreeSet<PathBuf>,
) -> Result<usize, InstallError> {
    let mut count = 0;
    for (to, (from, _)) in places {
        if kept.contains(to) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(at(folder))?;
        }
        // A link in the way is not followed: what it leads to is not the deployment's.
        if fs::symlink_metadata(to).is_ok_and(|it| it.is_symlink()) {
            fs::remove_file(to).map_err(at(to))?;
        }
        fs::copy(from, to).map_err(at(to))?;
        count += 1;
    }
    Ok(count)
}

/// Sets the modes that `permissions` asks for; answers what it asks for besides, which is not done.
pub(super) fn permit(spec: &AppSpec, root: &Path) -> Result<Vec<String>, InstallError> {
    let mut notices = Vec::new();
    for permission in &spec.permissions {
        let object = below(root, &permission.object.0);
        for (given, name) in [
            (permission.owner.is_some(), "owner"),
            (permission.group.is_some(), "group"),
            (!permission.acls.is_empty(), "acls"),
            (permission.context.is_some(), "context"),
        ] {
            if given {
                let shown = permission.object.0.display();
                notices.push(format!("permissions: {name} of {shown} is not set: everything belongs to the engine's user"));
            }
        }
        let Some(Mode(bits)) = permission.mode else {
            continue;
        };
        for path in meant(permission, &object)? {
            fs::set_permissions(&path, fs::Permissions::from_mode(bits)).map_err(at(&path))?;
        }
    }
    Ok(notices)
}

/// The files and folders that a permission is for.
fn meant(permission: &Permission, object: &Path) -> Result<Vec<PathBuf>, InstallError> {
    let about = fs::metadata(object).map_err(at(object))?;
    let wanted = |kind: Kind| permission.kinds.is_empty() || permission.kinds.contains(&kind);
    if about.is_file() {
        return Ok(vec![object.to_owned()]);
    }
    let glob = |text: &str| Glob::new(text).map(|it| it.compile_matcher()).ok();
    let pattern = permission.pattern.as_deref().and_then(glob);
    let except: Vec<_> = permission.except.iter().filter_map(|it| glob(it)).collect();
    let fits = |name: &Path| {
        pattern.as_ref().is_none_or(|it| it.is_match(name))
            && !except.iter().any(|it| it.is_match(name))
    };
    let mut found = Vec::new();
    if wanted(Kind::Directory) && permission.pattern.is_none() {
        found.push(object.to_owned());
    }
    if wanted(Kind::File) {
        let files = files_below(object).map_err(InstallError::Bundle)?;
        found.extend(files.iter().filter(|it| fits(it)).map(|it| object.join(it)));
    }
    Ok(found)
}
