//! What must be put and deleted so that a bucket holds exactly a folder's files. Pure.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    id::ObjectKey,
    port::{Listed, SiteHeaders},
};

use crate::headers::{DIGEST, is_page};

/// A file as it should be in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it goes, prefix included.
    pub key: ObjectKey,
    /// Where it is below the unpacked artifact.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// MD5 of the bytes, in hex.
    pub md5: String,
    /// How it is served.
    pub headers: SiteHeaders,
}

/// An object as it is in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteObject {
    /// From the listing.
    pub listed: Listed,
    /// Its headers, where they were asked for: see [`worth_asking`].
    pub headers: Option<SiteHeaders>,
}

/// One change. Effects are to be carried out in order, except that neighbouring puts may overlap while both are of
/// the same [`Wave`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect<'a> {
    /// Put a file.
    Put {
        /// Which.
        file: &'a LocalFile,
        /// With which others it may go.
        wave: Wave,
    },
    /// Delete objects, at most [`DELETE_BATCH`].
    Delete {
        /// Which.
        keys: Vec<ObjectKey>,
    },
}

/// Pages go last, so that none points to what is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wave {
    /// What pages point to.
    Assets,
    /// Pages.
    Pages,
}

/// `DeleteObjects` takes at most this many keys.
pub const DELETE_BATCH: usize = 1000;

/// The objects whose headers decide whether they are unchanged: those of a file's key and size.
pub fn worth_asking(local: &[LocalFile], listed: &[Listed]) -> BTreeSet<ObjectKey> {
    let sizes: BTreeMap<_, _> = local.iter().map(|file| (&file.key, file.size)).collect();
    listed
        .iter()
        .filter(|object| sizes.get(&object.key) == Some(&object.size))
        .map(|object| object.key.clone())
        .collect()
}

/// The changes from `remote` to `local`: assets, then pages, then deletions. Only keys below `prefix` are deleted,
/// and none when `delete_removed` is off.
pub fn plan<'a>(
    local: &'a [LocalFile],
    remote: &[RemoteObject],
    prefix: &str,
    delete_removed: bool,
) -> Vec<Effect<'a>> {
    let there: BTreeMap<_, _> = remote
        .iter()
        .map(|object| (&object.listed.key, object))
        .collect();
    let wanted: BTreeSet<_> = local.iter().map(|file| &file.key).collect();
    let mut puts: Vec<(Wave, &LocalFile)> = local
        .iter()
        .filter(|file| {
            !there
                .get(&file.key)
                .is_some_and(|object| same(file, object))
        })
        .map(|file| (wave(file), file))
        .collect();
    puts.sort_by(|(a, x), (b, y)| (a, &x.key).cmp(&(b, &y.key)));
    let removed: Vec<ObjectKey> = there
        .into_keys()
        .filter(|key| delete_removed && key.as_str().starts_with(prefix) && !wanted.contains(key))
        .cloned()
        .collect();
    let puts = puts
        .into_iter()
        .map(|(wave, file)| Effect::Put { file, wave });
    let deletes = removed.chunks(DELETE_BATCH).map(|keys| Effect::Delete {
        keys: keys.to_vec(),
    });
    puts.chain(deletes).collect()
}

fn wave(file: &LocalFile) -> Wave {
    if is_page(&file.path) {
        Wave::Pages
    } else {
        Wave::Assets
    }
}

fn same(file: &LocalFile, object: &RemoteObject) -> bool {
    let Some(headers) = &object.headers else {
        return false;
    };
    let stored = headers
        .metadata
        .iter()
        .find(|(name, _)| name == DIGEST)
        .map(|(_, value)| value);
    object.listed.size == file.size
        && headers.content_type == file.headers.content_type
        && headers.cache_control == file.headers.cache_control
        && (object.listed.etag == file.md5 || stored == Some(&file.md5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_testkit::proptest::prelude::*;

    fn file(path: &str, md5: &str) -> LocalFile {
        LocalFile {
            key: path.parse().unwrap(),
            path: path.to_owned(),
            size: 3,
            md5: md5.to_owned(),
            headers: crate::headers::headers(path, md5, &BTreeMap::new()),
        }
    }

    fn object(file: &LocalFile) -> RemoteObject {
        RemoteObject {
            listed: Listed {
                key: file.key.clone(),
                etag: file.md5.clone(),
                size: file.size,
            },
            headers: Some(file.headers.clone()),
        }
    }

    fn keys(effects: &[Effect<'_>]) -> Vec<String> {
        effects
            .iter()
            .map(|effect| match effect {
                Effect::Put { file, .. } => format!("put {}", file.key),
                Effect::Delete { keys } => format!("delete {keys:?}"),
            })
            .collect()
    }

    #[test]
    fn assets_go_first_pages_then_deletions_last() {
        let local = [
            file("index.html", "1"),
            file("a.css", "2"),
            file("z.js", "3"),
        ];
        let remote = [object(&file("gone.html", "4")), object(&local[2])];
        assert_eq!(
            keys(&plan(&local, &remote, "", true)),
            ["put a.css", "put index.html", "delete [\"gone.html\"]"]
        );
        assert_eq!(
            keys(&plan(&local, &remote, "", false)),
            ["put a.css", "put index.html"]
        );
    }

    #[test]
    fn any_difference_puts_the_file_again() {
        let local = [file("a.css", "1")];
        let change = |change: fn(&mut RemoteObject)| {
            let mut remote = object(&local[0]);
            change(&mut remote);
            keys(&plan(&local, &[remote], "", true)).len()
        };
        assert_eq!(change(|_| {}), 0);
        assert_eq!(
            change(|o| o.listed.etag = "kms".into()),
            0,
            "the digest in the metadata speaks"
        );
        assert_eq!(
            change(|o| o.headers.as_mut().unwrap().metadata.clear()),
            0,
            "the ETag speaks"
        );
        assert_eq!(
            change(|o| {
                o.listed.etag = "2".into();
                o.headers.as_mut().unwrap().metadata.clear();
            }),
            1
        );
        assert_eq!(change(|o| o.listed.size = 4), 1);
        assert_eq!(change(|o| o.headers = None), 1);
        assert_eq!(
            change(|o| o.headers.as_mut().unwrap().content_type.clear()),
            1
        );
        assert_eq!(
            change(|o| o.headers.as_mut().unwrap().cache_control = None),
            1
        );
    }

    #[test]
    fn nothing_outside_the_prefix_is_deleted_and_batches_are_full() {
        let remote: Vec<_> = (0..2001)
            .map(|n| object(&file(&format!("docs/{n}"), "1")))
            .chain([object(&file("docs", "1")), object(&file("other/x", "1"))])
            .collect();
        let effects = plan(&[], &remote, "docs/", true);
        let sizes: Vec<_> = effects
            .iter()
            .map(|effect| match effect {
                Effect::Delete { keys } => keys.len(),
                Effect::Put { .. } => 0,
            })
            .collect();
        assert_eq!(sizes, [1000, 1000, 1]);
    }

    /// A bucket that does as told.
    fn apply(remote: &mut BTreeMap<ObjectKey, RemoteObject>, effects: &[Effect<'_>]) {
        for effect in effects {
            match effect {
                Effect::Put { file, .. } => {
                    remote.insert(file.key.clone(), object(file));
                }
                Effect::Delete { keys } => remote.retain(|key, _| !keys.contains(key)),
            }
        }
    }

    fn tree() -> impl Strategy<Value = Vec<LocalFile>> {
        let entry = ("[ab]{1,2}(/[ab]){0,1}\\.(html|css)", "[12]", 3..5_u64);
        prop::collection::btree_map(entry.0, (entry.1, entry.2), 0..12).prop_map(|files| {
            files
                .into_iter()
                .map(|(path, (md5, size))| LocalFile {
                    size,
                    ..file(&path, &md5)
                })
                .collect()
        })
    }

    proptest! {
        /// Applying a plan gives the local tree, wherever it was cut off before; the plan after it is empty.
        #[test]
        fn a_plan_leads_to_the_tree(local in tree(), before in tree(), cut in 0..20_usize) {
            let mut remote: BTreeMap<_, _> = before.iter().map(|f| (f.key.clone(), object(f))).collect();
            let listing = |remote: &BTreeMap<ObjectKey, RemoteObject>| remote.values().cloned().collect::<Vec<_>>();

            let first = plan(&local, &listing(&remote), "", true);
            apply(&mut remote, &first[..cut.min(first.len())]);
            let second = plan(&local, &listing(&remote), "", true);
            apply(&mut remote, &second);

            let wanted: BTreeMap<_, _> = local.iter().map(|f| (f.key.clone(), object(f))).collect();
            prop_assert_eq!(&remote, &wanted);
            prop_assert!(plan(&local, &listing(&remote), "", true).is_empty());
        }
    }
}
