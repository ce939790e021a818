//! What distributed Maps read from S3 and write there.

use engine_states::{
    effect::Effect,
    event::{Content, Event},
};
use serde_json::{Value, json};

use crate::{
    app::App,
    store::objects::{Body, ListQuery, PutOptions},
};

/// Reads or writes; the event that answers it.
pub async fn answer(app: &App, task: u64, effect: Effect) -> Event {
    let done = match effect {
        Effect::ReadItems {
            resource,
            arguments,
            ..
        } => read(app, &resource, &arguments)
            .await
            .map(|content| Event::ItemsRead { task, content }),
        Effect::WriteResults {
            resource,
            arguments,
            results,
            ..
        } => write(app, resource.as_deref(), &arguments, results)
            .await
            .map(|output| Event::TaskSucceeded { task, output }),
        other => Err(format!("this is nothing to read or write: {other:?}")),
    };
    done.unwrap_or_else(|cause| Event::TaskFailed {
        task,
        error: None,
        cause: Some(cause),
    })
}

fn member<'a>(arguments: &'a Value, name: &str) -> Result<&'a str, String> {
    arguments[name]
        .as_str()
        .ok_or_else(|| format!("{name} is missing"))
}

async fn read(app: &App, resource: &str, arguments: &Value) -> Result<Content, String> {
    match resource.rsplit(":::").next() {
        Some("s3:getObject") => {
            let (bucket, key) = (member(arguments, "Bucket")?, member(arguments, "Key")?);
            let version = arguments["VersionId"].as_str();
            let (_, path) = app
                .objects
                .get(bucket, key, version)
                .await
                .map_err(|e| e.to_string())?;
            let text = tokio::fs::read_to_string(path)
                .await
                .map_err(|e| e.to_string())?;
            Ok(Content::Text(text))
        }
        Some("s3:listObjectsV2") => {
            let bucket = member(arguments, "Bucket")?;
            let mut items = Vec::new();
            let mut after = None;
            loop {
                let query = ListQuery {
                    prefix: arguments["Prefix"].as_str().unwrap_or_default().to_owned(),
                    after,
                    ..ListQuery::default()
                };
                let page = app
                    .objects
                    .list(bucket, query)
                    .await
                    .map_err(|e| e.to_string())?;
                items.extend(page.objects.iter().map(|o| {
                    json!({"Etag": format!("\"{}\"", o.etag), "Key": o.key, "Size": o.size, "StorageClass": "STANDARD",
                        "LastModified": o.last_modified.as_second()})
                }));
                after = page.next;
                if after.is_none() {
                    return Ok(Content::Items(items));
                }
            }
        }
        other => Err(format!(
            "stagewright has no ItemReader {}",
            other.unwrap_or_default()
        )),
    }
}

async fn write(
    app: &App,
    resource: Option<&str>,
    arguments: &Value,
    results: Vec<Value>,
) -> Result<Value, String> {
    if resource.and_then(|r| r.rsplit(":::").next()) != Some("s3:putObject") {
        return Err(format!(
            "stagewright has no ResultWriter {}",
            resource.unwrap_or("without a Resource")
        ));
    }
    let bucket = member(arguments, "Bucket")?;
    let prefix = arguments["Prefix"].as_str().unwrap_or_default();
    let folder = format!(
        "{}{}{}",
        prefix,
        if prefix.is_empty() || prefix.ends_with('/') {
            ""
        } else {
            "/"
        },
        uuid::Uuid::new_v4()
    );
    let (good, bad): (Vec<_>, Vec<_>) = results
        .into_iter()
        .partition(|r| r["Status"] == "SUCCEEDED");
    let mut files = json!({"SUCCEEDED": [], "FAILED": [], "PENDING": []});
    for (status, results) in [("SUCCEEDED", good), ("FAILED", bad)] {
        if results.is_empty() {
            continue;
        }
        let key = format!("{folder}/{status}_0.json");
        let text = Value::Array(results).to_string();
        files[status] = json!([{"Key": key, "Size": text.len()}]);
        put(app, bucket, &key, text).await?;
    }
    let key = format!("{folder}/manifest.json");
    let manifest = json!({"DestinationBucket": bucket, "ResultFiles": files});
    put(app, bucket, &key, manifest.to_string()).await?;
    Ok(json!({"Bucket": bucket, "Key": key}))
}

async fn put(app: &App, bucket: &str, key: &str, text: String) -> Result<(), String> {
    let body = Body::Bytes(text.into());
    let put = app
        .objects
        .put(bucket, key, PutOptions::default(), body)
        .await;
    put.map(|_| ()).map_err(|e| e.to_string())
}
