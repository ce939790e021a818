//! Distributed Maps: what they read, in which groups, what they tolerate, what they write.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use super::*;
use crate::store::objects::{Body, BucketSettings, PutOptions};

async fn put(app: &App, key: &str, bytes: Vec<u8>) {
    let body = Body::Bytes(bytes.into());
    let put = app
        .objects
        .put("data", key, PutOptions::default(), body)
        .await;
    put.unwrap();
}

async fn with_bucket(folder: &Path) -> Engine {
    let engine = engine(folder).await;
    let made = engine
        .app
        .objects
        .create_bucket("data", BucketSettings::default());
    made.await.unwrap();
    engine
}

async fn read(app: &App, key: &str) -> String {
    let (_, path) = app.objects.get("data", key, None).await.unwrap();
    std::fs::read_to_string(path).unwrap()
}

fn packed(text: &str) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap()
}

/// A Map with one state and these fields besides.
fn map(item: &Value, more: Value) -> Value {
    let mut map = json!({"Type": "Map", "Label": "L", "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": item}}});
    for (key, value) in more.as_object().unwrap() {
        map[key] = value.clone();
    }
    json!({"StartAt": "M", "States": {"M": map}})
}

fn pass() -> Value {
    json!({"Type": "Pass", "End": true})
}

#[tokio::test]
async fn items_are_read_in_every_form_that_readers_have() {
    let folder = TempDir::new().unwrap();
    let engine = with_bucket(folder.path()).await;
    let app = &engine.app;
    let manifest = json!({"sourceBucket": "shop", "destinationBucket": "arn:aws:s3:::data", "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size", "files": [{"key": "inv/1.csv.gz"}, {"key": "inv/2.csv.gz"}]});
    for (key, bytes) in [
        (
            "list.json",
            br#"{"page": {"items": [1, {"a": 2}]}, "x": 3}"#.to_vec(),
        ),
        ("lines.jsonl", b"1\n\n{\"a\":2}\n".to_vec()),
        ("given.csv", b"1;\"a;\"\"b\"\"\"\n2;c\n".to_vec()),
        ("first.csv", b"n|t\r\n1|x\r\n".to_vec()),
        ("manifest.json", manifest.to_string().into_bytes()),
        ("inv/1.csv.gz", packed("\"shop\",\"a.txt\",\"1\"\n")),
        ("inv/2.csv.gz", packed("\"shop\",\"b%20c.txt\",\"2\"\n")),
        (
            "athena.csv",
            b"s3://data/parts/a.jsonl\ns3://data/parts/b.jsonl.gz\n".to_vec(),
        ),
        ("parts/a.jsonl", b"{\"n\":1}\n".to_vec()),
        ("parts/b.jsonl.gz", packed("{\"n\":2}\n{\"n\":3}\n")),
    ] {
        put(app, key, bytes).await;
    }
    let get = "arn:aws:states:::s3:getObject";
    let list = "arn:aws:states:::s3:listObjectsV2";
    let of = |key: &str| json!({"Bucket": "data", "Key": key});
    let cases = [
        (
            "object",
            get,
            of("list.json"),
            json!({}),
            json!([{"Key": "page", "Value": {"items": [1, {"a": 2}]}}, {"Key": "x", "Value": 3}]),
        ),
        (
            "pointer",
            get,
            of("list.json"),
            json!({"InputType": "JSON", "ItemsPointer": "/page/items"}),
            json!([1, {"a": 2}]),
        ),
        (
            "lines",
            get,
            of("lines.jsonl"),
            json!({"InputType": "JSONL"}),
            json!([1, {"a": 2}]),
        ),
        (
            "most",
            get,
            of("lines.jsonl"),
            json!({"InputType": "JSONL", "MaxItems": 1}),
            json!([1]),
        ),
        (
            "given",
            get,
            of("given.csv"),
            json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["n", "t"],
            "CSVDelimiter": "SEMICOLON"}),
            json!([{"n": "1", "t": "a;\"b\""}, {"n": "2", "t": "c"}]),
        ),
        (
            "first",
            get,
            of("first.csv"),
            json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "CSVDelimiter": "PIPE"}),
            json!([{"n": "1", "t": "x"}]),
        ),
        (
            "inventory",
            get,
            of("manifest.json"),
            json!({"InputType": "MANIFEST"}),
            json!([{"Bucket": "shop", "Key": "a.txt", "Size": "1"},
            {"Bucket": "shop", "Key": "b%20c.txt", "Size": "2"}]),
        ),
        (
            "athena",
            get,
            of("athena.csv"),
            json!({"InputType": "JSONL", "ManifestType": "ATHENA_DATA"}),
            json!([{"n": 1}, {"n": 2}, {"n": 3}]),
        ),
        (
            "loaded",
            list,
            json!({"Bucket": "data", "Prefix": "parts/"}),
            json!({"InputType": "JSONL", "Transformation": "LOAD_AND_FLATTEN"}),
            json!([{"n": 1}, {"n": 2}, {"n": 3}]),
        ),
    ];
    for (name, resource, parameters, config, wanted) in cases {
        let reader =
            json!({"Resource": resource, "Parameters": parameters, "ReaderConfig": config});
        let machine = machine(app, name, &map(&pass(), json!({"ItemReader": reader}))).await;
        let execution = begin(app, &machine, json!({})).await;
        let described = end(app, &execution).await;
        assert_eq!(output(&described), wanted, "{name}: {described}");
    }
    for (name, key, config) in [
        ("gone", "none", json!({})),
        ("number", "athena.csv", json!({"InputType": "JSON"})),
        (
            "nothing",
            "list.json",
            json!({"InputType": "JSON", "ItemsPointer": "/nothing"}),
        ),
        ("noheader", "given.csv", json!({"InputType": "CSV"})),
        ("orc", "lines.jsonl", json!({"InputType": "MANIFEST"})),
    ] {
        let reader = json!({"Resource": get, "Parameters": of(key), "ReaderConfig": config});
        let machine = machine(app, name, &map(&pass(), json!({"ItemReader": reader}))).await;
        let execution = begin(app, &machine, json!({})).await;
        let described = end(app, &execution).await;
        assert_eq!(
            described["error"], "States.ItemReaderFailed",
            "{name}: {described}"
        );
    }
    for (part, told) in [
        (
            json!({"ItemReader": {"Resource": get, "Parameters": of("a"), "ReaderConfig": {"InputType": "PARQUET"}}}),
            "does not read PARQUET",
        ),
        (
            json!({"ItemReader": {"Resource": get, "Parameters": of("a"), "ReaderConfig": {"InputType": "XML"}}}),
            "JSON, JSONL, CSV, MANIFEST, PARQUET]: XML",
        ),
        (
            json!({"ItemReader": {"Resource": "arn:aws:states:::s3:headObject"}}),
            "is not recognized",
        ),
        (
            json!({"ResultWriter": {"Resource": "arn:aws:states:::s3:getObject"}}),
            "is not recognized",
        ),
        (
            json!({"ResultWriter": {"WriterConfig": {"Transformation": "ZIP"}}}),
            "NONE, COMPACT, FLATTEN]: ZIP",
        ),
        (json!({"ResultWriter": {}}), "Resource"),
    ] {
        let body = json!({"name": "m", "definition": map(&pass(), part).to_string(), "roleArn": "arn:aws:iam::123456789012:role/states"});
        let refused = call(app, "CreateStateMachine", body).await.unwrap_err();
        assert!(
            refused.message.contains(told),
            "{told}: {}",
            refused.message
        );
    }
    engine.shut_down().await;
}

/// Succeeds with its input, a list with its first member; fails for what has `bad`.
fn judge() -> Value {
    json!({"Type": "Choice", "Choices": [{"Variable": "$.bad", "IsPresent": true, "Next": "Bad"}], "Default": "Good"})
}

fn judged(items: &Value, more: Value) -> Value {
    let mut machine = map(&judge(), more);
    let states = &mut machine["States"]["M"]["ItemProcessor"]["States"];
    states["Good"] = json!({"Type": "Pass", "OutputPath": "$.gives", "End": true});
    states["Bad"] = json!({"Type": "Fail", "Error": "Bad", "Cause": "as asked"});
    machine["States"]["M"]["ItemsPath"] = "$.items".into();
    machine["States"]["P"] = json!({"Type": "Pass", "Result": {"items": items}, "Next": "M"});
    machine["StartAt"] = "P".into();
    machine
}

fn writer(config: Value) -> Value {
    json!({"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "data", "Prefix": "out"}, "WriterConfig": config})
}

/// Without what is new in every run.
fn tidied(mut result: Value) -> Value {
    for name in ["StartDate", "StopDate", "ExecutionArn", "Name"] {
        let text = result[name].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{name}: {result}");
        result.as_object_mut().unwrap().remove(name);
    }
    result
}

#[tokio::test]
async fn results_are_written_as_aws_writes_them() {
    let folder = TempDir::new().unwrap();
    let engine = with_bucket(folder.path()).await;
    let app = &engine.app;
    let items = json!([{"gives": [1, 2]}, {"bad": true}, {"gives": {"a": 3}}]);
    let more =
        |config: Value| json!({"ResultWriter": writer(config), "ToleratedFailurePercentage": 50});
    let machine_of = async |name: &str, definition: &Value| {
        let machine = machine(app, name, definition).await;
        let execution = begin(app, &machine, json!({})).await;
        (end(app, &execution).await, execution)
    };
    let (described, execution) = machine_of("whole", &judged(&items, more(json!({})))).await;
    let told = output(&described);
    let run = told["MapRunArn"].as_str().unwrap();
    let id = run.rsplit(':').next().unwrap();
    assert!(run.contains(":mapRun:whole/L:"), "{run}");
    assert_eq!(
        told["ResultWriterDetails"],
        json!({"Bucket": "data", "Key": format!("out/{id}/manifest.json")})
    );
    let manifest: Value =
        serde_json::from_str(&read(app, &format!("out/{id}/manifest.json")).await).unwrap();
    let (good, bad) = (
        format!("out/{id}/SUCCEEDED_0.json"),
        format!("out/{id}/FAILED_0.json"),
    );
    let (good_text, bad_text) = (read(app, &good).await, read(app, &bad).await);
    assert_eq!(
        manifest,
        json!({"DestinationBucket": "data", "MapRunArn": run, "ResultFiles": {
        "FAILED": [{"Key": bad, "Size": bad_text.len()}], "PENDING": [],
        "SUCCEEDED": [{"Key": good, "Size": good_text.len()}]}})
    );
    let of = |text: &str| -> Vec<Value> {
        let all: Vec<Value> = serde_json::from_str(text).unwrap();
        all.into_iter().map(tidied).collect()
    };
    let machine_arn = app.workflows.arn("stateMachine", "whole/L");
    assert_eq!(
        of(&good_text)[0],
        json!({"Input": "{\"gives\":[1,2]}", "InputDetails": {"Included": true}, "Output": "[1,2]",
        "OutputDetails": {"Included": true}, "RedriveCount": 0, "RedriveStatus": "NOT_REDRIVABLE",
        "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven", "StateMachineArn": machine_arn, "Status": "SUCCEEDED"})
    );
    assert_eq!(
        of(&bad_text),
        [
            json!({"Input": "{\"bad\":true}", "InputDetails": {"Included": true}, "Error": "Bad", "Cause": "as asked",
        "RedriveCount": 0, "RedriveStatus": "REDRIVABLE_BY_MAP_RUN", "StateMachineArn": machine_arn, "Status": "FAILED"})
        ]
    );
    let counts = ok(app, "DescribeMapRun", json!({"mapRunArn": run})).await;
    assert_eq!(
        (
            &counts["itemCounts"]["resultsWritten"],
            &counts["toleratedFailurePercentage"]
        ),
        (&json!(3), &json!(50)),
        "{counts}"
    );
    assert!(
        counts["stopDate"].is_number() && execution.contains("whole"),
        "{counts}"
    );

    let (described, _) = machine_of(
        "compact",
        &judged(
            &items,
            more(json!({"Transformation": "COMPACT", "OutputType": "JSONL"})),
        ),
    )
    .await;
    let key = output(&described)["ResultWriterDetails"]["Key"]
        .as_str()
        .unwrap()
        .replace("manifest.json", "SUCCEEDED_0.jsonl");
    assert_eq!(read(app, &key).await, "[1,2]\n{\"a\":3}\n");
    let (described, _) = machine_of(
        "flat",
        &judged(
            &items,
            more(json!({"Transformation": "FLATTEN", "OutputType": "JSON"})),
        ),
    )
    .await;
    let key = output(&described)["ResultWriterDetails"]["Key"]
        .as_str()
        .unwrap()
        .replace("manifest.json", "SUCCEEDED_0.json");
    assert_eq!(read(app, &key).await, "[1,2,{\"a\":3}]");

    // Without a place to write to the result is the state's.
    let shown = json!({"ResultWriter": {"WriterConfig": {"Transformation": "FLATTEN"}}});
    let (described, _) = machine_of(
        "shown",
        &judged(&json!([{"gives": [1, 2]}, {"gives": 3}]), shown),
    )
    .await;
    assert_eq!(output(&described), json!([1, 2, 3]));

    // A run that fails tells what it did and what never began.
    let many = json!({"ResultWriter": writer(json!({})), "MaxConcurrency": 1});
    let items = json!([{"gives": 1}, {"bad": true}, {"gives": 2}, {"gives": 3}]);
    let (described, execution) = machine_of("fails", &judged(&items, many)).await;
    assert_eq!(described["error"], "States.ExceedToleratedFailureThreshold");
    let runs = ok(app, "ListMapRuns", json!({"executionArn": execution})).await;
    let run = runs["mapRuns"][0]["mapRunArn"].as_str().unwrap();
    let key = format!("out/{}/PENDING_0.json", run.rsplit(':').next().unwrap());
    until("what never began", async || {
        app.objects.get("data", &key, None).await.is_ok()
    })
    .await;
    let pending: Value = serde_json::from_str(&read(app, &key).await).unwrap();
    assert_eq!(pending.as_array().map(Vec::len), Some(2), "{pending}");
    assert_eq!(
        (&pending[0]["Input"], &pending[0]["Status"]),
        (&json!("{\"gives\":2}"), &json!("PENDING"))
    );
    engine.shut_down().await;
}

#[tokio::test]
async fn groups_count_as_executions_and_their_items_as_items() {
    let folder = TempDir::new().unwrap();
    let engine = with_bucket(folder.path()).await;
    let app = &engine.app;
    let items = json!([{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}, {"n": 5}]);
    // The last group fails: two, then one of two items is too many of one.
    let choice = json!({"Type": "Choice", "Choices": [{"Variable": "$.Items[0].n", "NumericEquals": 5, "Next": "Bad"}], "Default": "Good"});
    for (name, batch, tolerated, groups, failed) in [
        (
            "by-count",
            json!({"MaxItemsPerBatch": 2}),
            json!({"ToleratedFailureCount": 1}),
            vec![2, 2, 1],
            false,
        ),
        (
            "by-bytes",
            json!({"MaxInputBytesPerBatch": 20}),
            json!({"ToleratedFailureCount": 1}),
            vec![2, 2, 1],
            false,
        ),
        (
            "by-both",
            json!({"MaxItemsPerBatch": 3, "MaxInputBytesPerBatch": 20}),
            json!({"ToleratedFailurePercentage": 20}),
            vec![2, 2, 1],
            false,
        ),
        (
            "share",
            json!({"MaxItemsPerBatch": 4}),
            json!({"ToleratedFailurePercentage": 19.5}),
            vec![4, 1],
            true,
        ),
        (
            "both",
            json!({"MaxItemsPerBatch": 4}),
            json!({"ToleratedFailureCount": 5, "ToleratedFailurePercentage": 10}),
            vec![4, 1],
            true,
        ),
        (
            "none",
            json!({"MaxItemsPerBatch": 4}),
            json!({}),
            vec![4, 1],
            true,
        ),
    ] {
        let mut more = tolerated.clone();
        more["ItemBatcher"] = batch;
        more["ItemBatcher"]["BatchInput"] = json!({"for": "all"});
        let mut definition = map(&choice, more);
        let states = &mut definition["States"]["M"]["ItemProcessor"]["States"];
        states["Good"] = json!({"Type": "Succeed"});
        states["Bad"] = json!({"Type": "Fail"});
        let machine = machine(app, name, &definition).await;
        let execution = begin(app, &machine, items.clone()).await;
        let described = end(app, &execution).await;
        assert_eq!(
            described["status"] == "FAILED",
            failed,
            "{name}: {described}"
        );
        let runs = ok(app, "ListMapRuns", json!({"executionArn": execution})).await;
        let run = &runs["mapRuns"][0]["mapRunArn"];
        let seen = ok(app, "DescribeMapRun", json!({"mapRunArn": run})).await;
        let (of, executions) = (&seen["itemCounts"], &seen["executionCounts"]);
        assert_eq!(
            (&of["total"], &of["succeeded"], &of["failed"]),
            (&json!(5), &json!(4), &json!(1)),
            "{name}: {seen}"
        );
        assert_eq!(executions["total"], groups.len(), "{name}: {seen}");
        assert_eq!(executions["failed"], 1, "{name}: {seen}");
        let children = ok(app, "ListExecutions", json!({"mapRunArn": run})).await;
        let mut sizes: Vec<u64> = children["executions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["itemCount"].as_u64().unwrap())
            .collect();
        sizes.reverse();
        assert_eq!(sizes, groups, "{name}: {children}");
        let child = &children["executions"][0]["executionArn"];
        let child = ok(app, "DescribeExecution", json!({"executionArn": child})).await;
        assert_eq!(
            child["input"], r#"{"BatchInput":{"for":"all"},"Items":[{"n":5}]}"#,
            "{name}"
        );
    }
    // One group of two failed items is more than one item.
    let two = json!({"ItemBatcher": {"MaxItemsPerBatch": 2}, "ToleratedFailureCount": 1});
    let machine = machine(app, "two", &map(&json!({"Type": "Fail"}), two)).await;
    let execution = begin(app, &machine, json!([1, 2])).await;
    assert_eq!(
        end(app, &execution).await["error"],
        "States.ExceedToleratedFailureThreshold"
    );
    engine.shut_down().await;
}
