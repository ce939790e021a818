//! ECR sources against a layout on disk and a registry in this process.

use axum::{Router, http::StatusCode, response::IntoResponse, routing::get};
use engine_plan::event::SourceRevisionOverride;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    config::EcrConfig,
    provider::workshop::tests::{Bench, task},
};

/// A manifest, and its digest.
fn manifest() -> (Vec<u8>, String) {
    let manifest =
        json!({"schemaVersion": 2, "config": {"size": 20}, "layers": [{"size": 300}, {"size": 7}]});
    let bytes = manifest.to_string().into_bytes();
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
    (bytes, digest)
}

fn layout(folder: &Path, index: &Value) {
    let (bytes, digest) = manifest();
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(&digest["sha256:".len()..]), bytes).unwrap();
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

fn source(settings: &[(&str, &str)]) -> ActionTask {
    task("Image", settings, &[], &["Image"])
}

async fn taken(bench: &Bench, task: &ActionTask) -> Result<Outcome, String> {
    let taken = take(task, &bench.workshop(task)).await;
    taken.map_err(|trouble| format!("{}: {}", trouble.code, trouble.message))
}

/// `imageDetail.json` of the artifact.
async fn detail(bench: &Bench, task: &ActionTask) -> Value {
    let to = bench.folder.path().join(uuid::Uuid::new_v4().to_string());
    artifact::unpack(&bench.objects, &task.outputs[0], &to)
        .await
        .unwrap();
    serde_json::from_slice(&fs::read(to.join(FILE)).unwrap()).unwrap()
}

#[tokio::test]
async fn a_layout_gives_awss_file_and_variables() {
    let mut bench = Bench::new().await;
    let (_, digest) = manifest();
    let folder = bench.folder.path().join("images");
    let other = format!("sha256:{}", "0".repeat(64));
    let named = |digest: &str, name: &str| json!({"digest": digest, "size": 1, "annotations": {"org.opencontainers.image.ref.name": name}});
    layout(
        &folder,
        &json!({"manifests": [named(&other, "old"), named(&digest, "shop:v1")]}),
    );
    let config = EcrConfig {
        layout: Some(folder),
        registry: None,
    };
    bench.config.ecr.insert("team/shop".to_owned(), config);
    let one = source(&[("RepositoryName", "team/shop"), ("ImageTag", "v1")]);
    let Ok(Outcome::Succeeded {
        variables,
        revision,
        ..
    }) = taken(&bench, &one).await
    else {
        panic!("it succeeds");
    };
    let uri = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/shop@{digest}");
    let expected = [
        ("ImageDigest", digest.as_str()),
        ("ImageTag", "v1"),
        ("ImageURI", uri.as_str()),
        ("RegistryId", "123456789012"),
        ("RepositoryName", "team/shop"),
    ];
    let shown: Vec<(&str, &str)> = variables
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(shown, expected);
    assert_eq!(revision.unwrap().revision_id, digest);
    let mut detail = detail(&bench, &one).await;
    let pushed = detail["ImagePushedAt"].take();
    let pushed = pushed.as_str().unwrap();
    assert!(
        jiff::fmt::strtime::parse("%a %b %d %H:%M:%S UTC %Y", pushed).is_ok(),
        "{pushed}"
    );
    assert_eq!(
        detail,
        json!({"ImageSizeInBytes": "327", "ImageDigest": digest, "Version": "1.0", "ImagePushedAt": null,
            "RegistryId": "123456789012", "RepositoryName": "team/shop", "ImageURI": uri, "ImageTags": ["v1"]})
    );
}

#[tokio::test]
async fn what_a_layout_lacks_is_named() {
    let mut bench = Bench::new().await;
    let folder = bench.folder.path().join("images");
    let config = EcrConfig {
        layout: Some(folder.clone()),
        registry: None,
    };
    bench.config.ecr.insert("shop".to_owned(), config);
    let one = source(&[("RepositoryName", "shop")]);
    let cases = [
        (json!("no index"), "is no OCI index"),
        (
            json!({"manifests": []}),
            "has no image latest in the OCI layout",
        ),
        (
            json!({"manifests": [{"digest": "sha256:../../../etc/passwd", "annotations": {"org.opencontainers.image.ref.name": "latest"}}]}),
            "is no SHA-256 digest",
        ),
        (
            json!({"manifests": [{"digest": format!("sha256:{}", "0".repeat(64)), "annotations": {"org.opencontainers.image.ref.name": "latest"}}]}),
            "No such file",
        ),
    ];
    assert!(
        taken(&bench, &one)
            .await
            .unwrap_err()
            .contains("index.json of an OCI layout")
    );
    for (index, says) in cases {
        layout(&folder, &index);
        let told = taken(&bench, &one).await.unwrap_err();
        assert!(told.contains(says), "{told}");
    }
    let nowhere = source(&[("RepositoryName", "other")]);
    let told = taken(&bench, &nowhere).await.unwrap_err();
    assert!(
        told.starts_with("ConfigurationError: action Image: where the repository other is"),
        "{told}"
    );
}

#[tokio::test]
async fn a_registry_is_asked_by_tag_and_by_digest() {
    let (bytes, digest) = manifest();
    let known = digest.clone();
    let answer = move |axum::extract::Path(path): axum::extract::Path<String>| {
        let (bytes, known) = (bytes.clone(), known.clone());
        async move {
            match path.rsplit('/').next().unwrap_or_default() {
                "v1" => (
                    StatusCode::OK,
                    [("last-modified", "Mon, 21 Jan 2019 20:04:00 GMT")],
                    bytes,
                )
                    .into_response(),
                wanted if wanted == known => (StatusCode::OK, bytes).into_response(),
                "lie" => (StatusCode::OK, "{}").into_response(),
                "large" => (StatusCode::OK, vec![b' '; 5 << 20]).into_response(),
                "secret" => StatusCode::UNAUTHORIZED.into_response(),
                "broken" => StatusCode::BAD_GATEWAY.into_response(),
                wanted if wanted.starts_with("sha256:") => (StatusCode::OK, bytes).into_response(),
                _ => StatusCode::NOT_FOUND.into_response(),
            }
        }
    };
    let router = Router::new().route("/v2/{*path}", get(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut bench = Bench::new().await;
    let config = EcrConfig {
        registry: Some(address),
        layout: None,
    };
    bench.config.ecr.insert("shop".to_owned(), config);
    let one = source(&[("RepositoryName", "shop"), ("ImageTag", "v1")]);
    taken(&bench, &one).await.unwrap();
    assert_eq!(
        detail(&bench, &one).await["ImagePushedAt"],
        "Mon Jan 21 20:04:00 UTC 2019"
    );
    for (tag, says) in [
        (
            "v2",
            "JobFailed: the repository shop has no image v2 in the registry",
        ),
        ("lie", "the manifest cannot be read"),
        ("large", "larger than 4194304 bytes"),
        ("secret", "ConfigurationError"),
        ("broken", "502"),
    ] {
        let told = taken(
            &bench,
            &source(&[("RepositoryName", "shop"), ("ImageTag", tag)]),
        )
        .await;
        let told = told.unwrap_err();
        assert!(told.contains(says), "{told}");
    }
    let mut chosen = source(&[("RepositoryName", "shop"), ("ImageTag", "v9")]);
    let revision = |kind: &str, value: &str| {
        Some(SourceRevisionOverride {
            action_name: "Image".to_owned(),
            revision_type: kind.to_owned(),
            revision_value: value.to_owned(),
        })
    };
    chosen.source_revision = revision("IMAGE_DIGEST", &digest);
    taken(&bench, &chosen).await.unwrap();
    chosen.source_revision = revision("IMAGE_DIGEST", &format!("sha256:{}", "1".repeat(64)));
    let told = taken(&bench, &chosen).await.unwrap_err();
    assert!(told.contains("not the one it was asked by"), "{told}");
    chosen.source_revision = revision("COMMIT_ID", "c");
    let told = taken(&bench, &chosen).await.unwrap_err();
    assert!(told.contains("takes IMAGE_DIGEST"), "{told}");
}
