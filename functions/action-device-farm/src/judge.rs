//! What uploads and runs mean.

use std::collections::BTreeMap;

use serde_json::Value;
use shared::fault::{Fault, FaultKind};

use crate::wire::{Counters, Run, Upload};

/// What an upload means.
#[derive(Debug)]
pub enum Readiness {
    /// It can be used.
    Ready,
    /// Not yet.
    Waiting,
    /// Never.
    Refused(Fault),
}

/// What a run means.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on.
    Going {
        /// For people.
        summary: String,
        /// Of devices.
        percent: Option<u8>,
    },
    /// It is good.
    Good(String),
    /// It is not.
    Bad(Fault),
}

/// Of a message of the vendor's.
const LONGEST_WORDS: usize = 1_000;

/// Judges an upload of this parameter.
pub fn readiness(part: &str, upload: &Upload) -> Readiness {
    match upload.status.as_str() {
        "SUCCEEDED" => Readiness::Ready,
        "FAILED" => {
            let why = words(upload);
            let text = format!(
                "Device Farm refused the upload of {part}{why}: check the file and appType or testType"
            );
            Readiness::Refused(Fault::new(FaultKind::Configuration, text))
        }
        // INITIALIZED, PROCESSING, and what a later API may add.
        _ => Readiness::Waiting,
    }
}

fn words(upload: &Upload) -> String {
    let metadata = upload.metadata.as_deref().unwrap_or_default();
    let parsed = serde_json::from_str::<Value>(metadata).unwrap_or_default();
    let said = [
        parsed["errorMessage"].as_str(),
        upload.message.as_deref(),
        parsed["errorCode"].as_str(),
    ];
    let said = said.into_iter().flatten().find(|text| !text.is_empty());
    said.map_or_else(String::new, |text| format!(" ({})", cut(text)))
}

/// Judges a run.
pub fn judge(run: &Run, accept_warned: bool) -> Verdict {
    if run.status != "COMPLETED" {
        let (total, ready) = (run.total_jobs.unwrap_or(0), run.completed_jobs.unwrap_or(0));
        let devices = match total {
            0 => String::new(),
            total => format!(": {ready} of {total} devices"),
        };
        let status = if run.status.is_empty() {
            "UNKNOWN"
        } else {
            &run.status
        };
        return Verdict::Going {
            summary: format!("the run is {status}{devices}"),
            percent: (ready * 100)
                .checked_div(total)
                .and_then(|n| u8::try_from(n).ok()),
        };
    }
    let counts = counts(run.counters.unwrap_or_default());
    let said = run.message.as_deref().filter(|text| !text.is_empty());
    let said = said.map_or_else(String::new, |text| format!(" ({})", cut(text)));
    let bad = |how: String| Verdict::Bad(Fault::new(FaultKind::Failed, format!("{how}{said}")));
    let contradicts = run
        .counters
        .is_some_and(|counters| counters.failed + counters.errored > 0);
    match run.result.as_str() {
        "PASSED" if contradicts => bad(format!(
            "Device Farm contradicts itself: the run passed, and {counts}"
        )),
        "PASSED" => Verdict::Good(format!("the run passed: {counts}")),
        "WARNED" if accept_warned => {
            Verdict::Good(format!("the run passed with warnings: {counts}"))
        }
        "WARNED" => bad(format!(
            "the run has warnings, which acceptWarned refuses: {counts}"
        )),
        "FAILED" => bad(format!("the run failed: {counts}")),
        "ERRORED" => bad(format!("the run broke off with an error: {counts}")),
        "STOPPED" => bad("the run was stopped by somebody before its end".to_owned()),
        "SKIPPED" => bad(match run.result_code.as_deref() {
            Some("PARSING_FAILED") => {
                "the run was skipped: Device Farm could not read the tests in testPackage"
                    .to_owned()
            }
            Some("VPC_ENDPOINT_SETUP_FAILED") => {
                "the run was skipped: the VPC endpoint could not be set up".to_owned()
            }
            Some(code) => format!("the run was skipped: {code}"),
            None => "the run was skipped".to_owned(),
        }),
        result => bad(format!(
            "the run ended with the result {result:?}, which is not known here: {counts}"
        )),
    }
}

fn counts(counters: Counters) -> String {
    let all = [
        ("failed", counters.failed),
        ("errored", counters.errored),
        ("warned", counters.warned),
        ("stopped", counters.stopped),
        ("skipped", counters.skipped),
    ];
    let bad = all.iter().filter(|(_, count)| *count > 0);
    let bad: Vec<String> = bad.map(|(name, count)| format!("{count} {name}")).collect();
    let (passed, total) = (counters.passed, counters.total);
    match bad.is_empty() {
        true => format!("{passed} of {total} tests passed"),
        false => format!("{passed} of {total} tests passed, {}", bad.join(", ")),
    }
}

/// The output variables of a run.
pub fn variables(run: &Run) -> BTreeMap<String, String> {
    let counters = run.counters.unwrap_or_default();
    let minutes = run.device_minutes.unwrap_or_default().total;
    let all = [
        ("RunArn", Some(run.arn.clone())),
        ("Result", Some(run.result.clone())),
        ("Total", Some(counters.total.to_string())),
        ("Passed", Some(counters.passed.to_string())),
        ("Failed", Some(counters.failed.to_string())),
        ("Warned", Some(counters.warned.to_string())),
        ("Errored", Some(counters.errored.to_string())),
        ("Stopped", Some(counters.stopped.to_string())),
        ("Skipped", Some(counters.skipped.to_string())),
        ("Devices", run.total_jobs.map(|jobs| jobs.to_string())),
        ("DeviceMinutes", Some(format!("{minutes:.2}"))),
        ("WebUrl", run.web_url.clone()),
    ];
    let all = all.into_iter();
    all.filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(result: &str, code: Option<&str>, counters: Counters) -> Run {
        Run {
            status: "COMPLETED".into(),
            result: result.into(),
            result_code: code.map(str::to_owned),
            message: Some("m".into()),
            counters: Some(counters),
            ..Run::default()
        }
    }

    #[test]
    fn every_result_has_its_meaning() {
        let mixed = Counters {
            total: 9,
            passed: 5,
            failed: 3,
            errored: 1,
            ..Counters::default()
        };
        let clean = Counters {
            total: 2,
            passed: 2,
            ..Counters::default()
        };
        for (run, accept, want) in [
            (
                run("PASSED", None, clean),
                false,
                Ok("the run passed: 2 of 2 tests passed"),
            ),
            (run("WARNED", None, clean), true, Ok("with warnings")),
            (
                run("WARNED", None, clean),
                false,
                Err("which acceptWarned refuses"),
            ),
            (
                run("FAILED", None, mixed),
                true,
                Err("the run failed: 5 of 9 tests passed, 3 failed, 1 errored (m)"),
            ),
            (run("PASSED", None, mixed), true, Err("contradicts itself")),
            (
                run("ERRORED", None, mixed),
                true,
                Err("broke off with an error"),
            ),
            (
                run("STOPPED", None, mixed),
                true,
                Err("stopped by somebody"),
            ),
            (
                run("SKIPPED", Some("PARSING_FAILED"), clean),
                true,
                Err("could not read the tests"),
            ),
            (
                run("SKIPPED", Some("VPC_ENDPOINT_SETUP_FAILED"), clean),
                true,
                Err("VPC endpoint"),
            ),
            (
                run("SKIPPED", Some("NEW"), clean),
                true,
                Err("was skipped: NEW"),
            ),
            (
                run("SKIPPED", None, clean),
                true,
                Err("the run was skipped (m)"),
            ),
            (
                run("PENDING", None, clean),
                true,
                Err("\"PENDING\", which is not known here"),
            ),
        ] {
            match (judge(&run, accept), want) {
                (Verdict::Good(text), Ok(want)) => assert!(text.contains(want), "{text}"),
                (Verdict::Bad(fault), Err(want)) => assert!(fault.public.contains(want), "{fault}"),
                (verdict, want) => unreachable!("{verdict:?}, {want:?}"),
            }
        }
    }

    #[test]
    fn a_run_that_goes_on_says_how_far_it_is() {
        let going = |status: &str, jobs: Option<(u64, u64)>| {
            let run = Run {
                status: status.into(),
                total_jobs: jobs.map(|jobs| jobs.1),
                completed_jobs: jobs.map(|jobs| jobs.0),
                ..Run::default()
            };
            match judge(&run, true) {
                Verdict::Going { summary, percent } => (summary, percent),
                verdict => unreachable!("{verdict:?}"),
            }
        };
        let text = |text: &str| text.to_owned();
        assert_eq!(
            going("RUNNING", Some((1, 4))),
            (text("the run is RUNNING: 1 of 4 devices"), Some(25))
        );
        assert_eq!(
            going("PENDING_DEVICE", None),
            (text("the run is PENDING_DEVICE"), None)
        );
        assert_eq!(going("", Some((0, 0))), (text("the run is UNKNOWN"), None));
    }

    #[test]
    fn an_upload_says_why_it_was_refused() {
        let upload = |status: &str, metadata: Option<&str>, message: Option<&str>| Upload {
            arn: "a".into(),
            status: status.into(),
            url: None,
            message: message.map(str::to_owned),
            metadata: metadata.map(str::to_owned),
        };
        let error = r#"{"errorMessage":"We could not open your APK.","errorCode":"ANDROID_APP_UNZIP_FAILED"}"#;
        for (upload, want) in [
            (
                upload("FAILED", Some(error), None),
                "upload of app (We could not open your APK.): check",
            ),
            (
                upload("FAILED", Some("{}"), Some("no")),
                "upload of app (no): check",
            ),
            (
                upload("FAILED", None, None),
                "upload of app: check the file",
            ),
        ] {
            let Readiness::Refused(fault) = readiness("app", &upload) else {
                unreachable!("{want}");
            };
            assert!(fault.public.contains(want), "{fault}");
        }
        assert!(matches!(
            readiness("app", &upload("SUCCEEDED", None, None)),
            Readiness::Ready
        ));
        for status in ["INITIALIZED", "PROCESSING", "NEW"] {
            assert!(matches!(
                readiness("app", &upload(status, None, None)),
                Readiness::Waiting
            ));
        }
    }
}
