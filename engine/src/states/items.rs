//! What distributed Maps read from S3 and write there.

use std::io::Read as _;

use engine_states::{
    effect::Effect,
    event::{Content, Event},
    items::parse,
    results::Files,
};
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use crate::{
    app::App,
    store::objects::{Body, ListQuery, PutOptions},
};

/// Bytes of one object that is read for its items. Ours: they are held in memory and kept in the journal.
const READ: u64 = 256 * 1024 * 1024;

/// Reads or writes; the event that answers it.
pub async fn answer(app: &App, task: u64, effect: Effect) -> Event {
    let done = match effect {
        Effect::ReadItems {
            resource,
            arguments,
            config,
            ..
        } => read(app, &resource, &arguments, &config)
            .await
            .map(|content| Event::ItemsRead { task, content }),
        Effect::WriteResults {
            run,
            resource,
            arguments,
            files,
            ..
        } => write(app, (&run, &resource), &arguments, files)
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

async fn read(
    app: &App,
    resource: &str,
    arguments: &Value,
    config: &Value,
) -> Result<Content, String> {
    let bucket = member(arguments, "Bucket")?;
    if resource.ends_with(":::s3:listObjectsV2") {
        let objects = list(
            app,
            bucket,
            arguments["Prefix"].as_str().unwrap_or_default(),
        )
        .await?;
        if config["Transformation"] != "LOAD_AND_FLATTEN" {
            return Ok(Content::Items(objects));
        }
        let mut items = Vec::new();
        for key in objects.iter().filter_map(|o| o["Key"].as_str()) {
            items.extend(parse(&text(app, bucket, key, None).await?, config)?);
        }
        return Ok(Content::Items(items));
    }
    let key = member(arguments, "Key")?;
    let found = text(app, bucket, key, arguments["VersionId"].as_str()).await?;
    if config["ManifestType"] == "ATHENA_DATA" {
        return athena(app, &found, config).await;
    }
    if config["InputType"] == "MANIFEST" {
        return inventory(app, &found).await;
    }
    Ok(Content::Text(found))
}

/// The text of an object, unpacked when its name says so.
async fn text(app: &App, bucket: &str, key: &str, version: Option<&str>) -> Result<String, String> {
    let found = app.objects.get(bucket, key, version).await;
    let (_, path) = found.map_err(|e| e.to_string())?;
    let bytes = tokio::fs::read(path).await.map_err(|e| e.to_string())?;
    let refused = |e: &dyn std::fmt::Display| format!("{key} of {bucket} cannot be read: {e}");
    let bytes = if key.ends_with(".gz") {
        let mut plain = Vec::new();
        let mut packed = MultiGzDecoder::new(&*bytes).take(READ + 1);
        packed.read_to_end(&mut plain).map_err(|e| refused(&e))?;
        plain
    } else {
        bytes
    };
    if bytes.len() as u64 > READ {
        return Err(refused(&format!("it has more than {READ} bytes")));
    }
    String::from_utf8(bytes).map_err(|e| refused(&e))
}

/// Every object of a prefix, as an item.
async fn list(app: &App, bucket: &str, prefix: &str) -> Result<Vec<Value>, String> {
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let query = ListQuery {
            prefix: prefix.to_owned(),
            after,
            ..ListQuery::default()
        };
        let page = app.objects.list(bucket, query).await;
        let page = page.map_err(|e| e.to_string())?;
        items.extend(page.objects.iter().map(|o| {
            json!({"Etag": format!("\"{}\"", o.etag), "Key": o.key, "Size": o.size, "StorageClass": "STANDARD",
                "LastModified": o.last_modified.as_second()})
        }));
        after = page.next;
        if after.is_none() {
            return Ok(items);
        }
    }
}

/// The rows of an S3 inventory's files: what the manifest says of each column by its name.
async fn inventory(app: &App, manifest: &str) -> Result<Content, String> {
    let manifest: Value =
        serde_json::from_str(manifest).map_err(|e| format!("the manifest is no JSON: {e}"))?;
    let format = member(&manifest, "fileFormat")?;
    if format != "CSV" {
        return Err(format!("an inventory in {format} is not read, only CSV is"));
    }
    let bucket = member(&manifest, "destinationBucket")?;
    let bucket = bucket.rsplit(':').next().unwrap_or(bucket);
    let columns: Vec<&str> = member(&manifest, "fileSchema")?
        .split(',')
        .map(str::trim)
        .collect();
    let config = json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": columns});
    let mut items = Vec::new();
    for file in manifest["files"].as_array().into_iter().flatten() {
        let found = text(app, bucket, member(file, "key")?, None).await?;
        items.extend(parse(&found, &config)?);
    }
    Ok(Content::Items(items))
}

/// The rows of the files that Athena's UNLOAD wrote: its manifest has an `s3://BUCKET/KEY` a line.
async fn athena(app: &App, manifest: &str, config: &Value) -> Result<Content, String> {
    let mut items = Vec::new();
    for line in manifest.lines().map(|l| l.trim_matches('"')) {
        if line.is_empty() {
            continue;
        }
        let place = line.strip_prefix("s3://").and_then(|l| l.split_once('/'));
        let (bucket, key) = place.ok_or_else(|| format!("the manifest names no object: {line}"))?;
        items.extend(parse(&text(app, bucket, key, None).await?, config)?);
    }
    Ok(Content::Items(items))
}

/// Writes the files and the manifest that names them, below the map run's id.
async fn write(
    app: &App,
    (run, resource): (&str, &str),
    arguments: &Value,
    files: Files,
) -> Result<Value, String> {
    if !resource.ends_with(":::s3:putObject") {
        return Err(format!("stagewright has no ResultWriter {resource}"));
    }
    let bucket = member(arguments, "Bucket")?;
    let prefix = arguments["Prefix"].as_str().unwrap_or_default();
    let slash = if prefix.is_empty() || prefix.ends_with('/') {
        ""
    } else {
        "/"
    };
    let id = run.rsplit(':').next().unwrap_or(run);
    let folder = format!("{prefix}{slash}{id}");
    let mut listed = json!({"FAILED": [], "PENDING": [], "SUCCEEDED": []});
    for (status, results) in [
        ("FAILED", files.failed),
        ("PENDING", files.pending),
        ("SUCCEEDED", files.succeeded),
    ] {
        if results.is_empty() {
            continue;
        }
        let (end, text) = if files.lines {
            let lines = results.iter().map(|r| format!("{r}\n"));
            ("jsonl", lines.collect())
        } else {
            ("json", Value::Array(results).to_string())
        };
        let key = format!("{folder}/{status}_0.{end}");
        listed[status] = json!([{"Key": key, "Size": text.len()}]);
        put(app, bucket, &key, text).await?;
    }
    let key = format!("{folder}/manifest.json");
    let manifest = json!({"DestinationBucket": bucket, "MapRunArn": run, "ResultFiles": listed});
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
