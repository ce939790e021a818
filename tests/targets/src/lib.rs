//! Every parser of something that comes from outside, as a function of bytes, as far as no function is needed: what
//! `fuzz/` and `tests/it/garbage.rs` call. Those of the functions are in `tests/harness/targets.rs`.
//!
//! A target may refuse its bytes; it must not panic, and not take long.

use std::{collections::BTreeMap, io::Cursor, sync::OnceLock};

use bytes::Bytes;
use engine::{
    app::App,
    assemble::{self, Engine, Options},
    cli::load::{self, Choice},
    config::Config,
    face::{self, Call, Caller, s3::chunked::ChunkDecoder},
    provider::{
        codebuild::{buildspec, reports},
        codedeploy::appspec::AppSpec,
        ecs::document,
    },
};
use engine_plan::check::{self, Surroundings};
use engine_states::{
    definition::{self, Type},
    machine::Identity,
    step,
};
use jiff::Timestamp;
use shared::{
    approval::{
        chat::press,
        link::{self, KeyRing},
    },
    archive::{self, Limits, Symlinks},
    drive::decide,
    event::StateChange,
    wire::{approval_message::ApprovalMessage, approval_task, eventbridge::Event},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// One target.
pub type Target = fn(&[u8]);

/// The targets; each has a folder of seeds under `fuzz/seeds` and a file under `fuzz/fuzz_targets`.
pub const ALL: [(&str, Target); 17] = [
    ("job_event", job_event),
    ("state_change", state_change),
    ("approval_message", approval_message),
    ("approval_task", approval_task),
    ("slack_press", slack_press),
    ("link_token", link_token),
    ("definition", definition),
    ("definition_file", definition_file),
    ("buildspec", buildspec_file),
    ("build_report", build_report),
    ("appspec", appspec_file),
    ("image_file", image_file),
    ("archive", unpack),
    ("aws_chunked", aws_chunked),
    ("codepipeline_call", codepipeline_call),
    ("states_definition", states_definition),
    ("states_payload", states_payload),
];

/// The bytes as JSON, if they are.
pub fn json(bytes: &[u8]) -> Option<serde_json::Value> {
    serde_json::from_slice(bytes).ok()
}

/// The bytes as text, whatever they are.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The event of an invoke action.
pub fn job_event(bytes: &[u8]) {
    if let Some(event) = json(bytes) {
        let _ = shared::wire::job_event::job_id(&event);
        let _ = decide::job(event)
            .and_then(|job| decide::open(job, Timestamp::UNIX_EPOCH))
            .map_err(|fault| fault.to_string());
    }
}

/// EventBridge's events of pipelines.
pub fn state_change(bytes: &[u8]) {
    if let Some(event) = json(bytes).map(Event::try_from) {
        let _ = event.and_then(StateChange::try_from);
    }
}

/// What CodePipeline publishes for an approval.
pub fn approval_message(bytes: &[u8]) {
    let _ = ApprovalMessage::parse(&text(bytes)).map_err(|error| error.to_string());
}

/// What a state machine asks approval-notify.
pub fn approval_task(bytes: &[u8]) {
    if let Some(event) = json(bytes) {
        let _ = approval_task::asked(&event).map_err(|error| error.to_string());
    }
}

/// What Slack posts when a button is pressed; the first line stands for the signature too.
pub fn slack_press(bytes: &[u8]) {
    let (secret, time) = ("planted".to_owned().into(), "0");
    let line = text(bytes.split(|b| *b == b'\n').next().unwrap_or_default());
    let _ = press::verify(&secret, time, &line, bytes, Timestamp::UNIX_EPOCH);
    let _ = press::verify(&secret, &line, "v0=", bytes, Timestamp::UNIX_EPOCH);
    if let Some(pressed) = press::read(bytes) {
        assert!(!format!("{pressed:?}").contains("planted-reply"));
    }
}

/// The token of an approval link.
pub fn link_token(bytes: &[u8]) {
    let Ok(base) = "https://approve.example.com".parse() else {
        return;
    };
    // RFC 8032, section 7.1, test 1.
    let key = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07,
        0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07,
        0x51, 0x1a,
    ];
    let ring = "k1"
        .parse()
        .ok()
        .and_then(|kid| KeyRing::new([(kid, key.to_vec())]).ok());
    let ring = ring.expect("a key ring");
    let opened = link::open(&text(bytes), &ring, &base, Timestamp::UNIX_EPOCH);
    assert!(opened.is_err(), "nobody signed this");
}

fn judge(parsed: engine_plan::definition::PipelineDeclaration) {
    let surroundings = Surroundings {
        known: &[],
        region: "eu-west-1",
    };
    for finding in check::check(&parsed, surroundings) {
        assert!(
            !finding.refusal.message.is_empty(),
            "a finding says something"
        );
    }
}

/// The structure of CreatePipeline.
pub fn definition(bytes: &[u8]) {
    if let Some(Ok(parsed)) = json(bytes).map(check::parse) {
        judge(parsed);
    }
}

/// A file given to `run` or `check`: JSON, YAML or a template.
pub fn definition_file(bytes: &[u8]) {
    let choice = Choice {
        logical_id: None,
        parameters: BTreeMap::new(),
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
    };
    match load::from_text("file", &text(bytes), &choice) {
        Ok(parsed) => judge(parsed),
        Err(error) => assert!(!error.to_string().is_empty(), "an error says something"),
    }
}

/// A repository's buildspec.
pub fn buildspec_file(bytes: &[u8]) {
    let _ = buildspec::parse("buildspec.yml", &text(bytes)).map_err(|error| error.to_string());
}

/// A test report of a build, in each format.
pub fn build_report(bytes: &[u8]) {
    for format in ["JUNITXML", "CUCUMBERJSON", "VISUALSTUDIOTRX"] {
        let format = reports::Format::parse(Some(format)).expect("a format that is read");
        let _ = reports::parse(format, &text(bytes));
    }
}

/// The AppSpec of a deployment, to servers and to ECS.
pub fn appspec_file(bytes: &[u8]) {
    let text = text(bytes);
    let _ = AppSpec::parse("appspec.yml", &text).map_err(|error| error.to_string());
    let _ = document::app_spec("appspec.yaml", &text, "arn").map_err(|error| error.message);
}

/// What deployments to ECS read beside it.
pub fn image_file(bytes: &[u8]) {
    let text = text(bytes);
    let images = [("WEB".to_owned(), "repo@sha256:1".to_owned())];
    let _ = document::images("imagedefinitions.json", &text).map_err(|error| error.message);
    let _ = document::image_uri("imageDetail.json", &text).map_err(|error| error.message);
    let _ = document::task_definition("taskdef.json", &text, &images).map_err(|e| e.message);
}

/// An artifact.
pub fn unpack(bytes: &[u8]) {
    let limits = Limits {
        entries: 100,
        bytes: 1 << 20,
        ratio: 50,
        name: 256,
        symlinks: Symlinks::KeepInside,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("inner");
    let _ = archive::names(Cursor::new(bytes), &limits);
    let _ = archive::read_one(Cursor::new(bytes), "index.html", 1 << 16);
    let _ = archive::extract(Cursor::new(bytes), &to, &limits);
    let beside = std::fs::read_dir(folder.path())
        .expect("a folder")
        .flatten();
    assert!(
        beside.map(|e| e.file_name()).all(|name| name == "inner"),
        "nothing is written outside"
    );
}

/// An upload in signed chunks, in pieces as a network makes them.
pub fn aws_chunked(bytes: &[u8]) {
    let size = bytes.first().map_or(1, |b| usize::from(*b) + 1);
    let mut decoder = ChunkDecoder::default();
    let mut out = 0;
    for piece in bytes.chunks(size) {
        match decoder.push(Bytes::copy_from_slice(piece)) {
            Ok(payload) => out += payload.iter().map(Bytes::len).sum::<usize>(),
            Err(_) => return,
        }
    }
    assert!(out <= bytes.len(), "no byte is invented");
    let _ = decoder.finish();
}

/// `Operation BODY` for the CodePipeline face of an engine that performs nothing.
pub fn codepipeline_call(bytes: &[u8]) {
    static GROUND: OnceLock<(Runtime, Engine, TempDir)> = OnceLock::new();
    let (runtime, engine, _) = GROUND.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = Runtime::new().expect("a runtime");
        let options = Options::new(Config::default(), folder.path());
        let started = runtime.block_on(assemble::start(options));
        let Ok((engine, _)) = started else {
            panic!("an engine starts");
        };
        (runtime, engine, folder)
    });
    let space = bytes.iter().position(|b| *b == b' ').unwrap_or(bytes.len());
    let call = Call {
        service: "codepipeline".to_owned(),
        operation: text(&bytes[..space]),
        caller: Caller {
            access_key: "any".to_owned(),
            arn: "arn:aws:iam::123456789012:user/any".to_owned(),
        },
        method: http::Method::POST,
        uri: http::Uri::from_static("/"),
        headers: http::HeaderMap::new(),
        body: Bytes::copy_from_slice(bytes.get(space + 1..).unwrap_or_default()),
        request_id: String::new(),
    };
    let app: &App = &engine.app;
    let answer = runtime.block_on(face::codepipeline::call(app, &call));
    if let Err(fault) = answer {
        assert!(fault.status < 500, "{} {}", fault.status, fault.message);
    }
}

/// A state machine's definition; one that is taken is begun.
pub fn states_definition(bytes: &[u8]) {
    let text = text(bytes);
    for kind in [Type::Standard, Type::Express] {
        begin(&text, kind, serde_json::json!({"a": [1, {"b": "c"}]}));
    }
}

/// What a machine reads while it runs: bytes to the first line end are a path, a call or a query, the rest is the input.
pub fn states_payload(bytes: &[u8]) {
    let text = text(bytes);
    let (expression, input) = text.split_once('\n').unwrap_or((&text, "{}"));
    let Ok(input) = serde_json::from_str::<serde_json::Value>(input) else {
        return;
    };
    let states = [
        serde_json::json!({"Type": "Pass", "Parameters": {"x.$": expression}, "End": true}),
        serde_json::json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": format!("{{%{expression}%}}"), "End": true}),
        serde_json::json!({"Type": "Pass", "ResultPath": expression, "End": true}),
    ];
    for state in states {
        let machine = serde_json::json!({"StartAt": "S", "States": {"S": state}});
        begin(&machine.to_string(), Type::Express, input.clone());
    }
}

fn begin(text: &str, kind: Type, input: serde_json::Value) {
    let Ok(definition) = definition::parse(text, kind) else {
        return;
    };
    let identity = Identity {
        arn: "arn:aws:states:us-east-1:123456789012:execution:fuzz:one".to_owned(),
        name: "one".to_owned(),
        machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:fuzz".to_owned(),
        machine_name: "fuzz".to_owned(),
        role_arn: String::new(),
    };
    let _ = step::start(&definition, kind, identity, input, Timestamp::UNIX_EPOCH, 1);
}
