//! Events as AWS sends them: recorded ones from `tests/events/`, and small ones made for one test.

use std::{
    fs,
    io::{Cursor, Write},
    path::Path,
};

use serde_json::{Value, json};

/// A recorded event of `tests/events/`.
///
/// # Panics
/// When there is no such file or it is not JSON.
pub fn recorded(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/events");
    let text = fs::read_to_string(folder.join(name)).expect("a file of tests/events");
    serde_json::from_str(&text).expect("recorded events are JSON")
}

/// A first job with these parameters, no artifacts and no continuation.
pub fn job(parameters: &Value) -> Value {
    json!({"CodePipeline.job": {
        "id": "11111111-abcd-1111-abcd-111111abcdef",
        "accountId": "111111111111",
        "data": {
            "actionConfiguration": {"configuration": {
                "FunctionName": "F", "UserParameters": parameters.to_string()
            }},
            "inputArtifacts": [],
            "outputArtifacts": [],
            "artifactCredentials": {
                "secretAccessKey": "planted-secret", "sessionToken": "planted-session",
                "accessKeyId": "planted-access"
            }
        }
    }})
}

/// The same with one more input artifact.
pub fn with_input(event: Value, name: &str, bucket: &str, key: &str) -> Value {
    with_artifact(event, "inputArtifacts", name, bucket, key)
}

/// The same with one more output artifact.
pub fn with_output(event: Value, name: &str, bucket: &str, key: &str) -> Value {
    with_artifact(event, "outputArtifacts", name, bucket, key)
}

fn with_artifact(mut event: Value, list: &str, name: &str, bucket: &str, key: &str) -> Value {
    let artifact = json!({
        "location": {"s3Location": {"bucketName": bucket, "objectKey": key}, "type": "S3"},
        "revision": null, "name": name
    });
    if let Some(artifacts) = event["CodePipeline.job"]["data"][list].as_array_mut() {
        artifacts.push(artifact);
    }
    event
}

/// A zip archive of these files.
///
/// # Panics
/// When a name cannot be in an archive.
pub fn zip_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .expect("a usable name");
        zip.write_all(text.as_bytes()).expect("memory takes it");
    }
    zip.finish().expect("memory takes it").into_inner()
}
