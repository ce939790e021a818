//! `aws-sdk:s3`: the actions on objects that state machines use.

use serde_json::{Value, json};

use crate::{
    app::App,
    face::Fault,
    states::task::Failed,
    store::objects::{Body, ListQuery, ObjectHeaders, PutOptions, StoreError},
};

/// Bytes of an object that a state can hold (Step Functions quota of a payload).
const PAYLOAD: u64 = 262_144;

/// Those that there are.
pub const ACTIONS: [&str; 5] = [
    "getObject",
    "headObject",
    "putObject",
    "deleteObject",
    "listObjectsV2",
];

fn need<'a>(input: &'a Value, name: &str) -> Result<&'a str, Failed> {
    input[name].as_str().ok_or_else(|| {
        super::json::refused(
            "S3",
            &Fault::new(400, "InvalidRequestException", format!("{name} is missing")),
        )
    })
}

/// The SDK's name of a refusal.
fn refused(error: &StoreError) -> Failed {
    let code = match error {
        StoreError::NoSuchKey { .. } => "NoSuchKeyException",
        StoreError::NoSuchBucket { .. } => "NoSuchBucketException",
        _ => "S3Exception",
    };
    Failed::new(format!("S3.{code}"), error.to_string())
}

/// Calls one action.
pub async fn call(app: &App, action: &str, input: &Value) -> Result<Value, Failed> {
    let bucket = need(input, "Bucket")?;
    match action {
        "getObject" => get(app, bucket, input).await,
        "headObject" => {
            let version = input["VersionId"].as_str();
            let found = app.objects.head(bucket, need(input, "Key")?, version).await;
            let info = found.map_err(|e| refused(&e))?;
            Ok(
                json!({"ETag": format!("\"{}\"", info.etag), "ContentLength": info.size,
                "LastModified": info.last_modified.to_string(), "Metadata": info.headers.metadata}),
            )
        }
        "putObject" => {
            let body = match &input["Body"] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                // The SDK's integration writes what is no text as JSON.
                other => other.to_string(),
            };
            let options = PutOptions {
                headers: ObjectHeaders {
                    content_type: input["ContentType"].as_str().map(str::to_owned),
                    ..ObjectHeaders::default()
                },
                ..PutOptions::default()
            };
            let body = Body::Bytes(body.into());
            let put = app.objects.put(bucket, need(input, "Key")?, options, body);
            let info = put.await.map_err(|e| refused(&e))?;
            Ok(json!({"ETag": format!("\"{}\"", info.etag)}))
        }
        "deleteObject" => {
            let version = input["VersionId"].as_str();
            let deleted = app.objects.delete(bucket, need(input, "Key")?, version);
            deleted.await.map_err(|e| refused(&e))?;
            Ok(json!({}))
        }
        "listObjectsV2" => {
            let query = ListQuery {
                prefix: input["Prefix"].as_str().unwrap_or_default().to_owned(),
                ..ListQuery::default()
            };
            let page = app
                .objects
                .list(bucket, query)
                .await
                .map_err(|e| refused(&e))?;
            let contents: Vec<Value> = page.objects.iter().map(shown).collect();
            Ok(
                json!({"Name": bucket, "KeyCount": contents.len(), "Contents": contents, "IsTruncated": page.next.is_some()}),
            )
        }
        _ => Err(Failed::not_built("aws-sdk:s3", action)),
    }
}

/// An object of a listing.
fn shown(object: &crate::store::objects::ObjectInfo) -> Value {
    json!({"ETag": format!("\"{}\"", object.etag), "Key": object.key, "Size": object.size, "StorageClass": "STANDARD",
        "LastModified": object.last_modified.to_string()})
}

async fn get(app: &App, bucket: &str, input: &Value) -> Result<Value, Failed> {
    let (key, version) = (need(input, "Key")?, input["VersionId"].as_str());
    let found = app.objects.get(bucket, key, version).await;
    let (info, path) = found.map_err(|e| refused(&e))?;
    if info.size > PAYLOAD {
        return Err(Failed::new(
            "States.DataLimitExceeded",
            format!("the object {key} of {bucket} has more than {PAYLOAD} bytes"),
        ));
    }
    let body = tokio::fs::read(path)
        .await
        .map_err(|e| Failed::new("S3.S3Exception", e.to_string()))?;
    Ok(
        json!({"Body": String::from_utf8_lossy(&body), "ContentLength": info.size, "ETag": format!("\"{}\"", info.etag),
        "ContentType": info.headers.content_type, "LastModified": info.last_modified.to_string(), "Metadata": info.headers.metadata}),
    )
}
