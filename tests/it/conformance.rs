//! The specification row by row: the cases of `tests/conformance` in this process and over the wire.

use harness::{
    conformance::{
        Case, Templates, cases, matrix, play,
        way::{InProcess, Way, Wire},
    },
    http,
};

/// Only these, for work on them: a piece of `SECTION TITLE [FILE]`.
const ONLY: &str = "STAGEWRIGHT_TEST_CASES";

fn chosen(fast: bool) -> (Vec<Case>, Templates) {
    let templates = Templates::load();
    let only = std::env::var(ONLY).unwrap_or_default();
    let named = |case: &Case| format!("{} {} [{}]", case.section, case.title, case.file);
    let cases = cases(&templates).into_iter();
    let cases = cases.filter(|case| case.fast == fast && named(case).contains(&only));
    (cases.collect(), templates)
}

fn check(fast: bool, way: &dyn Way) {
    let (cases, templates) = chosen(fast);
    let failed = play(&cases, &templates, way);
    assert!(
        failed.is_empty(),
        "{} of {} cases failed\n\n{}\n",
        failed.len(),
        cases.len(),
        failed.join("\n\n")
    );
    eprintln!("{} cases", cases.len());
}

#[test]
fn conformance_in_process() {
    check(false, &InProcess::start(false));
}

#[test]
fn conformance_over_the_wire() {
    let state = tempfile::tempdir().expect("a folder");
    check(false, &Wire::start(state.path(), false));
}

#[test]
fn conformance_of_time_in_process() {
    check(true, &InProcess::start(true));
}

#[test]
fn conformance_of_time_over_the_wire() {
    let state = tempfile::tempdir().expect("a folder");
    check(true, &Wire::start(state.path(), true));
}

/// Exceptions that say that a request is none.
const UNREADABLE: [&str; 2] = ["SerializationException", "ValidationException"];

#[test]
fn every_member_of_every_operation_is_held_to_the_model() {
    let model = Templates::load().model;
    let way = InProcess::start(false);
    let (mut failed, mut sent) = (Vec::new(), 0);
    for operation in model.operations() {
        let before = way.accepted();
        for bad in matrix::bad(&model, operation) {
            let body = bad.request.to_string();
            let (status, reply) = way.call(operation, body.as_bytes()).expect("an answer");
            if reply["__type"] == "NotImplementedException" {
                break;
            }
            sent += 1;
            let says = reply["message"].as_str().unwrap_or_default();
            if status != 400 || reply["__type"] != bad.exception || !says.contains(&bad.says) {
                failed.push(format!(
                    "{operation} {}\n  expected {}: {}\n  got      {status} {reply}",
                    bad.title, bad.exception, bad.says
                ));
            }
        }
        assert_eq!(
            way.accepted(),
            before,
            "{operation}: a bad request changed something"
        );
    }
    assert!(
        failed.is_empty(),
        "{} of {sent} requests\n\n{}\n",
        failed.len(),
        failed.join("\n\n")
    );
    eprintln!("{sent} bad requests");
}

#[test]
fn garbage_is_refused_by_every_operation_and_changes_nothing() {
    let model = Templates::load().model;
    let way = InProcess::start(false);
    let before = way.accepted();
    for operation in model.operations() {
        for body in matrix::garbage() {
            let (status, reply) = way.call(operation, &body).expect("an answer");
            let kind = reply["__type"].as_str().unwrap_or_default();
            let built = kind != "NotImplementedException";
            assert!(
                !built || (status == 400 && UNREADABLE.contains(&kind)),
                "{operation} {:?}: {status} {reply}",
                String::from_utf8_lossy(&body[..body.len().min(80)])
            );
        }
    }
    assert_eq!(way.accepted(), before);
}

#[test]
fn requests_with_every_member_are_read() {
    let model = Templates::load().model;
    let way = InProcess::start(false);
    for operation in model.operations() {
        let body = matrix::good(&model, operation).to_string();
        let (status, reply) = way.call(operation, body.as_bytes()).expect("an answer");
        let says = reply["message"].as_str().unwrap_or_default();
        assert!(
            reply["__type"] != "SerializationException" && !says.contains("failed to satisfy"),
            "{operation} {body}: {status} {reply}"
        );
        let problem = model.judge(operation, status, &reply);
        assert_eq!(problem, None, "{operation}");
    }
}

#[test]
fn a_body_that_is_too_large_is_refused_over_the_wire() {
    let state = tempfile::tempdir().expect("a folder");
    let way = Wire::start(state.path(), false);
    let large = vec![b' '; 11 << 20];
    // the engine may close before it has read all
    if let Ok((status, reply)) = way.call("ListPipelines", &large) {
        assert_eq!(status, 413, "{reply}");
    }
    let (status, reply) = way.call("ListPipelines", b"{}").expect("an answer");
    assert_eq!(status, 200, "{reply}");
}

#[test]
fn the_protocol_that_no_sdk_sends_by_default_is_refused_in_its_own_terms() {
    let state = tempfile::tempdir().expect("a folder");
    let way = Wire::start(state.path(), false);
    let headers = [
        ("content-type", "application/cbor"),
        ("smithy-protocol", "rpc-v2-cbor"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/codepipeline/aws4_request, SignedHeaders=host, Signature=0",
        ),
    ];
    let path = "/service/CodePipeline_20150709/operation/ListPipelines";
    let answer = http::request(&way.url(), "POST", path, &headers, b"\xa0").expect("an answer");
    assert_eq!(answer.status, 400);
    assert_eq!(&answer.body[..10], b"\xa2\x79\x00\x06__type");
    assert!(answer.text().contains("awsJson1_1"), "{}", answer.text());
}
