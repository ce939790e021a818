//! AWS Device Farm, with the storage that takes uploads.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Refusal, operation, reply, required, seconds, text};
use crate::{Asked, Reply, StandIn};

/// The service, with one project.
#[derive(Debug, Clone)]
pub struct DeviceFarm {
    /// Where uploads go: scheme and host.
    pub storage: String,
    /// Uploads, in order.
    pub uploads: Vec<Uploaded>,
    /// Runs, in order.
    pub runs: Vec<Scheduled>,
    /// How long an upload is looked at.
    pub checks: Duration,
    /// How long a run waits for a device, and until it is completed.
    pub times: (Duration, Duration),
    /// What becomes of uploads of a type: the message of a failure.
    pub refused: Option<(&'static str, &'static str)>,
    /// How runs end.
    pub result: &'static str,
    /// Why a run is skipped.
    pub result_code: Option<&'static str>,
    /// Tests that failed.
    pub failed: u64,
    /// Runs on one page of a listing.
    pub page: usize,
}

/// An upload.
#[derive(Debug, Clone)]
pub struct Uploaded {
    /// Its type.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What came.
    pub bytes: Option<Vec<u8>>,
    content_type: String,
    created: Timestamp,
    put: Option<Timestamp>,
}

/// A run.
#[derive(Debug, Clone)]
pub struct Scheduled {
    /// The request it was started with.
    pub request: Value,
    /// When it was stopped.
    pub stopped: Option<Timestamp>,
    created: Timestamp,
}

/// The one project.
pub const PROJECT: &str =
    "arn:aws:devicefarm:us-west-2:123456789012:project:5e01a8c7-c861-4c0a-b1d5-12345EXAMPLE";
const PREFIX: &str = "arn:aws:devicefarm:us-west-2:123456789012:";
const IN_PROJECT: &str = "5e01a8c7-c861-4c0a-b1d5-12345EXAMPLE";

impl Default for DeviceFarm {
    fn default() -> Self {
        Self {
            storage: "https://prod-us-west-2-uploads.s3.example.com".to_owned(),
            uploads: Vec::new(),
            runs: Vec::new(),
            checks: Duration::from_secs(10),
            times: (Duration::from_secs(20), Duration::from_secs(90)),
            refused: None,
            result: "PASSED",
            result_code: None,
            failed: 0,
            page: 2,
        }
    }
}

impl StandIn for DeviceFarm {
    fn handle(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        if asked.method == "PUT" {
            return self.put(asked, now);
        }
        reply(operation(asked).and_then(|(service, operation, body)| {
            match (service.as_str(), operation.as_str()) {
                ("DeviceFarm_20150623", "CreateUpload") => self.create_upload(&body, now),
                ("DeviceFarm_20150623", "GetUpload") => self.get_upload(&body, now),
                ("DeviceFarm_20150623", "ScheduleRun") => self.schedule(&body, now),
                ("DeviceFarm_20150623", "GetRun") => {
                    let index = self.known_run(&body)?;
                    Ok(json!({"run": self.run(index, now)}))
                }
                ("DeviceFarm_20150623", "ListRuns") => self.list(&body, now),
                ("DeviceFarm_20150623", "StopRun") => self.stop(&body, now),
                ("DeviceFarm_20150623", "ListArtifacts") => self.artifacts(&body),
                _ => Err(Refusal::new("UnknownOperationException", operation)),
            }
        }))
    }
}

impl DeviceFarm {
    /// An upload that has been there for long.
    pub fn ready_upload(&mut self) {
        self.uploads.push(Uploaded {
            kind: "APPIUM_WEB_NODE_TEST_PACKAGE".to_owned(),
            name: "tests.zip".to_owned(),
            bytes: Some(Vec::new()),
            content_type: String::new(),
            created: Timestamp::UNIX_EPOCH,
            put: Some(Timestamp::UNIX_EPOCH),
        });
    }

    fn create_upload(&mut self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        project(body, "projectArn")?;
        let (name, kind) = (required(body, "name")?, required(body, "type")?);
        let ending = match kind {
            "ANDROID_APP" => ".apk",
            "IOS_APP" => ".ipa",
            _ => "",
        };
        if name.contains('/') || !name.ends_with(ending) {
            return Err(Refusal::new(
                "ArgumentException",
                format!("Invalid name {name}"),
            ));
        }
        self.uploads.push(Uploaded {
            kind: kind.to_owned(),
            name: name.to_owned(),
            bytes: None,
            content_type: text(body, "contentType").to_owned(),
            created: now,
            put: None,
        });
        let index = self.uploads.len() - 1;
        let mut upload = self.upload(index, now);
        let url = format!(
            "{}/uploads/{index}?X-Amz-Signature=planted-signature",
            self.storage
        );
        upload["url"] = url.into();
        Ok(json!({ "upload": upload }))
    }

    /// As S3 takes a pre-signed PUT: signature and content type must be those that were signed.
    fn put(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let signed = asked.param("X-Amz-Signature") == Some("planted-signature");
        let index = asked
            .segments()
            .pop()
            .and_then(|text| text.parse::<usize>().ok());
        let upload = index.and_then(|index| self.uploads.get_mut(index));
        match upload {
            Some(upload)
                if signed && asked.header("content-type") == Some(&upload.content_type) =>
            {
                upload.bytes = Some(asked.body.clone());
                upload.put = Some(now);
                Reply::empty(200)
            }
            _ => Reply::of_type(
                403,
                "application/xml",
                "<Error><Code>SignatureDoesNotMatch</Code></Error>",
            ),
        }
    }

    fn get_upload(&self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let index = index_of(required(body, "arn")?, "upload", self.uploads.len())?;
        Ok(json!({"upload": self.upload(index, now)}))
    }

    fn upload(&self, index: usize, now: Timestamp) -> Value {
        let upload = &self.uploads[index];
        let refused = self.refused.filter(|(kind, _)| *kind == upload.kind);
        let status = match (upload.put, refused) {
            (None, _) => "INITIALIZED",
            (Some(put), _) if put + self.checks > now => "PROCESSING",
            (Some(_), Some(_)) => "FAILED",
            (Some(_), None) => "SUCCEEDED",
        };
        let mut shown = json!({
            "arn": format!("{PREFIX}upload:{IN_PROJECT}/{index:08}"), "name": upload.name, "type": upload.kind,
            "created": seconds(upload.created), "status": status, "category": "PRIVATE",
            "contentType": upload.content_type
        });
        if let ("FAILED", Some((_, why))) = (status, refused) {
            let metadata = json!({"errorMessage": why, "errorCode": "UNZIP_FAILED"});
            shown["metadata"] = metadata.to_string().into();
        }
        shown
    }

    /// Takes runs of one name as often as they come: nothing here makes a start repeatable.
    fn schedule(&mut self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        project(body, "projectArn")?;
        let test = &body["test"];
        required(test, "type")?;
        for part in [
            &body["appArn"],
            &test["testPackageArn"],
            &test["testSpecArn"],
        ] {
            let Some(arn) = part.as_str() else {
                continue;
            };
            let index = index_of(arn, "upload", self.uploads.len())?;
            let status = self.upload(index, now)["status"].clone();
            if status != "SUCCEEDED" {
                return Err(Refusal::new(
                    "ArgumentException",
                    format!("Upload is {status}"),
                ));
            }
        }
        self.runs.push(Scheduled {
            request: body.clone(),
            stopped: None,
            created: now,
        });
        Ok(json!({"run": self.run(self.runs.len() - 1, now)}))
    }

    fn known_run(&self, body: &Value) -> Result<usize, Refusal> {
        index_of(required(body, "arn")?, "run", self.runs.len())
    }

    fn run(&self, index: usize, now: Timestamp) -> Value {
        let run = &self.runs[index];
        let age = Duration::try_from(now.duration_since(run.created)).unwrap_or_default();
        let (until_running, until_completed) = self.times;
        let (status, result, ready) = match run.stopped {
            Some(_) => ("COMPLETED", "STOPPED", 4),
            None if age >= until_completed => ("COMPLETED", self.result, 4),
            None if age >= until_running => ("RUNNING", "PENDING", 1),
            None => ("PENDING_DEVICE", "PENDING", 0),
        };
        let name = text(&run.request, "name");
        let arn = format!("{PREFIX}run:{IN_PROJECT}/{index:08}");
        let mut shown = json!({
            "arn": arn, "name": name, "type": run.request["test"]["type"], "platform": "ANDROID",
            "created": seconds(run.created), "status": status, "result": result, "totalJobs": 4, "completedJobs": ready,
            "billingMethod": "METERED", "jobTimeoutMinutes": 150,
            "webUrl": format!("https://us-west-2.console.aws.amazon.com/devicefarm/home?region=us-west-2#/mobile/projects/{IN_PROJECT}/runs/{index:08}")
        });
        if status == "COMPLETED" {
            let (failed, total) = (self.failed, 12);
            shown["counters"] = json!({
                "total": total, "passed": total - failed, "failed": failed, "warned": 0, "errored": 0, "stopped": 0,
                "skipped": 0
            });
            shown["deviceMinutes"] = json!({"total": 7.25, "metered": 7.25, "unmetered": 0.0});
            if let Some(code) = self.result_code {
                shown["resultCode"] = code.into();
                shown["parsingResultUrl"] = "https://uploads.example.com/?planted-parsing".into();
            }
        }
        shown
    }

    fn list(&self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        project(body, "arn")?;
        let from = text(body, "nextToken").trim_start_matches("page-");
        let from: usize = from.parse().unwrap_or_default();
        // The newest first.
        let all = (0..self.runs.len()).rev();
        let runs: Vec<Value> = all
            .skip(from)
            .take(self.page)
            .map(|index| self.run(index, now))
            .collect();
        let mut answer = json!({ "runs": runs });
        let next = from + self.page;
        if next < self.runs.len() {
            answer["nextToken"] = format!("page-{next}").into();
        }
        Ok(answer)
    }

    fn stop(&mut self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let index = self.known_run(body)?;
        if self.run(index, now)["status"] != "COMPLETED" {
            self.runs[index].stopped = Some(now);
        }
        Ok(json!({"run": self.run(index, now)}))
    }

    fn artifacts(&self, body: &Value) -> Result<Value, Refusal> {
        let index = self.known_run(body)?;
        let (name, kind, extension) = match required(body, "type")? {
            "FILE" => ("Video", "VIDEO", "mp4"),
            "LOG" => ("Logcat", "DEVICE_LOG", "logcat"),
            "SCREENSHOT" => ("Start", "SCREENSHOT", "png"),
            kind => return Err(Refusal::new("ArgumentException", kind)),
        };
        let arn = format!("{PREFIX}artifact:{IN_PROJECT}/{index:08}/{name}");
        let url = format!("{}/files/{name}?X-Amz-Signature=planted-link", self.storage);
        let one =
            json!({"arn": arn, "name": name, "type": kind, "extension": extension, "url": url});
        // Two pages of each kind.
        Ok(match text(body, "nextToken") {
            "" => json!({"artifacts": [one], "nextToken": "more"}),
            _ => json!({"artifacts": [one]}),
        })
    }
}

fn project(body: &Value, name: &str) -> Result<(), Refusal> {
    match required(body, name)? {
        PROJECT => Ok(()),
        arn => Err(Refusal::new(
            "NotFoundException",
            format!("No project {arn}"),
        )),
    }
}

fn index_of(arn: &str, kind: &str, known: usize) -> Result<usize, Refusal> {
    let prefix = format!("{PREFIX}{kind}:{IN_PROJECT}/");
    let number = arn
        .strip_prefix(&prefix)
        .and_then(|text| text.parse::<usize>().ok());
    number
        .filter(|number| *number < known)
        .ok_or_else(|| Refusal::new("NotFoundException", format!("No {kind} {arn}")))
}
