//! Listings page by page.

use super::*;

#[tokio::test]
async fn pages_of_a_listing_fit_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.create_bucket("bucket", PLAIN).await.unwrap();
    let all = ["a", "b/1", "b/2", "b/c/3", "b0", "d/4", "d/5", "é"];
    for key in all {
        put(&store, key, key).await;
    }
    for max in 1..=all.len() + 1 {
        for (prefix, delimiter, objects, prefixes) in [
            ("", None, &all[..], &[][..]),
            ("b/", None, &["b/1", "b/2", "b/c/3"], &[]),
            ("", Some("/"), &["a", "b0", "é"], &["b/", "d/"]),
            ("b/", Some("/"), &["b/1", "b/2"], &["b/c/"]),
            ("d", Some("/"), &[], &["d/"]),
            ("none", Some("/"), &[], &[]),
        ] {
            let mut query = ListQuery {
                prefix: prefix.to_owned(),
                delimiter: delimiter.map(str::to_owned),
                max: Some(max),
                after: None,
            };
            let (mut got, mut rolled) = (Vec::new(), Vec::new());
            loop {
                let page = store.list("bucket", query.clone()).await.unwrap();
                assert!(page.objects.len() + page.common_prefixes.len() <= max);
                got.extend(keys(&page.objects).into_iter().map(str::to_owned));
                rolled.extend(page.common_prefixes);
                query.after = page.next;
                if query.after.is_none() {
                    break;
                }
            }
            assert_eq!(got, objects, "{prefix:?} {delimiter:?} {max}");
            assert_eq!(rolled, prefixes, "{prefix:?} {delimiter:?} {max}");
        }
    }
}

#[tokio::test]
async fn pages_of_versions_fit_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.create_bucket("bucket", VERSIONED).await.unwrap();
    for round in 0..3 {
        for key in ["a", "b/1", "b/2", "c"] {
            put(&store, key, &format!("{key}{round}")).await;
        }
    }
    for max in 1..14 {
        let mut query = VersionQuery {
            max: Some(max),
            ..VersionQuery::default()
        };
        let mut got = Vec::new();
        loop {
            let page = store.list_versions("bucket", query.clone()).await.unwrap();
            got.extend(page.versions.into_iter().map(|v| (v.key, v.version_id)));
            let Some((key, version)) = page.next else {
                break;
            };
            (query.key_marker, query.version_marker) = (Some(key), version);
        }
        let distinct: std::collections::BTreeSet<_> = got.iter().collect();
        assert_eq!((got.len(), distinct.len()), (12, 12), "{max}");
    }
}
