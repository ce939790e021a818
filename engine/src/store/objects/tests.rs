//! The store against the rules of S3, and against being cut off.

use std::{fs, io, path::Path};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::join_all, stream};

use super::*;

const PLAIN: BucketSettings = BucketSettings {
    versioned: false,
    website: false,
};
const VERSIONED: BucketSettings = BucketSettings {
    versioned: true,
    website: false,
};

mod listing;

fn open(folder: &Path) -> ObjectStore {
    ObjectStore::open(folder).unwrap()
}

fn bytes(text: &str) -> Body {
    Body::Bytes(Bytes::copy_from_slice(text.as_bytes()))
}

async fn put(store: &ObjectStore, key: &str, text: &str) -> ObjectInfo {
    store
        .put("bucket", key, PutOptions::default(), bytes(text))
        .await
        .unwrap()
}

async fn read(store: &ObjectStore, key: &str, version: Option<&str>) -> Result<String, StoreError> {
    let (_, path) = store.get("bucket", key, version).await?;
    Ok(fs::read_to_string(path).unwrap())
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder.join("blobs")).unwrap().count()
}

fn keys(objects: &[ObjectInfo]) -> Vec<&str> {
    objects.iter().map(|object| object.key.as_str()).collect()
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let put = store
        .put("absent", "k", PutOptions::default(), bytes("x"))
        .await;
    assert_eq!(
        put.unwrap_err().to_string(),
        "bucket \"absent\" does not exist"
    );
    let get = store.get("absent", "k", None).await;
    assert!(matches!(get, Err(StoreError::NoSuchBucket { bucket }) if bucket == "absent"));
}

#[tokio::test]
async fn objects_survive_a_restart_and_creation_is_idempotent() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(store.create_bucket("bucket", PLAIN).await.unwrap());
    assert!(!store.create_bucket("bucket", VERSIONED).await.unwrap());
    let mut options = PutOptions::default();
    options.headers.content_type = Some("text/plain".to_owned());
    options
        .headers
        .metadata
        .insert("a".to_owned(), "b".to_owned());
    let info = store
        .put("bucket", "k", options, bytes("hello"))
        .await
        .unwrap();
    assert_eq!(info.etag, "5d41402abc4b2a76b9719d911017c592");
    drop(store);

    let store = open(folder.path());
    assert_eq!(store.head("bucket", "k", None).await.unwrap(), info);
    assert_eq!(read(&store, "k", None).await.unwrap(), "hello");
    assert_eq!(
        store.bucket("bucket").await.unwrap().versioning,
        Versioning::Enabled
    );
}

#[tokio::test]
async fn large_bodies_come_in_pieces_and_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.create_bucket("bucket", PLAIN).await.unwrap();
    let piece = Bytes::from(vec![7; 100_000]);
    let whole = stream::repeat(piece.clone()).take(9).map(io::Result::Ok);
    let put = store.put(
        "bucket",
        "k",
        PutOptions::default(),
        Body::Stream(whole.boxed()),
    );
    assert_eq!(put.await.unwrap().size, 900_000);

    for pieces in [1, 9] {
        let cut = stream::repeat(piece.clone())
            .take(pieces)
            .map(io::Result::Ok)
            .chain(stream::iter([Err(io::Error::other("cut off"))]));
        let put = store
            .put(
                "bucket",
                "k",
                PutOptions::default(),
                Body::Stream(cut.boxed()),
            )
            .await;
        assert!(matches!(put, Err(StoreError::Body { .. })), "{pieces}");
    }
    assert_eq!(store.head("bucket", "k", None).await.unwrap().size, 900_000);
    let source = folder.path().join("source");
    fs::write(&source, vec![1; 300_000]).unwrap();
    let copied = store
        .put("bucket", "file", PutOptions::default(), Body::File(source))
        .await
        .unwrap();
    assert_eq!(copied.size, 300_000);
    drop(store);
    open(folder.path());
    assert_eq!(files(folder.path()), 2);
}

#[tokio::test]
async fn what_a_crash_leaves_behind_is_no_object_and_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.create_bucket("bucket", PLAIN).await.unwrap();
    put(&store, "k", "old").await;
    // A crash after the file was begun, before the transaction that makes it the object.
    let begun = store.expect_new_blob().await.unwrap();
    fs::write(store.blob_path(&begun), "half").unwrap();
    assert_eq!(read(&store, "k", None).await.unwrap(), "old");
    assert_eq!(files(folder.path()), 2);
    drop(store);

    let store = open(folder.path());
    assert_eq!(read(&store, "k", None).await.unwrap(), "old");
    assert_eq!(files(folder.path()), 1);
    // What is replaced stays readable for those who read it, until the next start.
    let (_, path) = store.get("bucket", "k", None).await.unwrap();
    put(&store, "k", "new").await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    drop(store);
    let store = open(folder.path());
    assert!(!path.exists());
    assert_eq!(read(&store, "k", None).await.unwrap(), "new");
}

#[tokio::test]
async fn versions_follow_s3() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.create_bucket("bucket", PLAIN).await.unwrap();
    assert_eq!(put(&store, "k", "zero").await.version_id, None);
    store
        .set_versioning("bucket", Versioning::Enabled)
        .await
        .unwrap();
    let first = put(&store, "k", "first").await.version_id.unwrap();
    let second = put(&store, "k", "second").await.version_id.unwrap();
    for (version, text) in [
        (None, "second"),
        (Some("null"), "zero"),
        (Some(&*first), "first"),
    ] {
        assert_eq!(read(&store, "k", version).await.unwrap(), text);
    }

    let marker = store.delete("bucket", "k", None).await.unwrap();
    assert!(marker.delete_marker);
    let marker = marker.version_id.unwrap();
    let gone = read(&store, "k", None).await;
    assert!(
        matches!(gone, Err(StoreError::NoSuchKey { delete_marker: Some(m), .. }) if m == marker)
    );
    let asked = read(&store, "k", Some(&marker)).await;
    assert!(matches!(asked, Err(StoreError::IsDeleteMarker { .. })));
    assert_eq!(
        store.list("bucket", ListQuery::default()).await.unwrap(),
        Listing::default()
    );
    let all = store
        .list_versions("bucket", VersionQuery::default())
        .await
        .unwrap();
    let told: Vec<_> = all
        .versions
        .iter()
        .map(|v| (v.version_id.as_deref().unwrap(), v.latest, v.delete_marker))
        .collect();
    assert_eq!(
        told,
        [
            (&*marker, true, true),
            (&*second, false, false),
            (&*first, false, false),
            ("null", false, false)
        ]
    );

    store.delete("bucket", "k", Some(&marker)).await.unwrap();
    assert_eq!(read(&store, "k", None).await.unwrap(), "second");
    store
        .set_versioning("bucket", Versioning::Suspended)
        .await
        .unwrap();
    assert_eq!(
        put(&store, "k", "again").await.version_id.as_deref(),
        Some("null")
    );
    assert!(matches!(
        store.get("bucket", "k", Some("other")).await,
        Err(StoreError::NoSuchVersion { .. })
    ));
    assert_eq!(read(&store, "k", Some("null")).await.unwrap(), "again");
    assert_eq!(
        store
            .list_versions("bucket", VersionQuery::default())
            .await
            .unwrap()
            .versions
            .len(),
        3
    );
    assert!(matches!(
        store.delete_bucket("bucket").await,
        Err(StoreError::BucketNotEmpty { .. })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_puts_at_once_one_is_first_and_none_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.create_bucket("bucket", VERSIONED).await.unwrap();
    let puts = (0..40).map(|n| {
        let store = store.clone();
        let condition = if n % 2 == 0 {
            Condition::Absent
        } else {
            Condition::Always
        };
        let key = if n % 2 == 0 { "once" } else { "many" };
        tokio::spawn(async move {
            let options = PutOptions {
                condition,
                ..PutOptions::default()
            };
            store
                .put(
                    "bucket",
                    key,
                    options,
                    bytes(&format!("{n}").repeat(50_000)),
                )
                .await
        })
    });
    let ended: Vec<_> = join_all(puts)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let refused = ended
        .iter()
        .filter(|e| matches!(e, Err(StoreError::Precondition { .. })))
        .count();
    assert_eq!(
        (refused, ended.iter().filter(|e| e.is_ok()).count()),
        (19, 21)
    );
    let all = store
        .list_versions("bucket", VersionQuery::default())
        .await
        .unwrap();
    assert_eq!(
        (
            all.versions.len(),
            all.versions.iter().filter(|v| v.latest).count()
        ),
        (21, 2)
    );
    for version in all.versions {
        let text = read(&store, &version.key, version.version_id.as_deref())
            .await
            .unwrap();
        let number = &text[..text.len() / 50_000];
        assert_eq!(text, number.repeat(50_000));
    }
}

#[tokio::test]
async fn parts_are_joined_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.create_bucket("bucket", PLAIN).await.unwrap();
    let headers = ObjectHeaders {
        content_type: Some("a/b".to_owned()),
        ..ObjectHeaders::default()
    };
    let upload = store.create_upload("bucket", "k", headers).await.unwrap();
    let mut parts = Vec::new();
    for (number, text) in [(2, "lo"), (1, "xx"), (1, "hel")] {
        let part = store
            .put_part("bucket", "k", &upload, number, bytes(text))
            .await
            .unwrap();
        parts.retain(|(n, _)| *n != number);
        parts.insert(0, (number, part.etag));
    }
    let complete = |parts: Vec<(u32, String)>| {
        store.complete_upload("bucket", "k", &upload, parts, Condition::Always)
    };
    let wrong = vec![(1, "0".repeat(32))];
    assert!(matches!(
        complete(wrong).await,
        Err(StoreError::InvalidPart { number: 1 })
    ));
    let reversed = parts.iter().rev().cloned().collect();
    assert!(matches!(
        complete(reversed).await,
        Err(StoreError::InvalidPartOrder)
    ));
    let info = complete(parts.clone()).await.unwrap();
    assert_eq!((info.size, info.etag.ends_with("-2")), (5, true));
    assert_eq!(info.headers.content_type.as_deref(), Some("a/b"));
    assert_eq!(read(&store, "k", None).await.unwrap(), "hello");
    assert!(matches!(
        complete(parts).await,
        Err(StoreError::NoSuchUpload { .. })
    ));
    drop(store);
    open(folder.path());
    assert_eq!(files(folder.path()), 1);
}
