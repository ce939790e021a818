//! State machines: transitions a second in the interpreter alone, through the engine with its journal, and through other
//! engines in the same run where they are installed; memory of an execution that waits.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use engine_states::{
    definition::{Type, parse},
    effect::Effect,
    event::{Event, Input},
    machine::Identity,
    step,
};
use harness::{
    http,
    process::{Server, client, wait},
    workspace::root,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::median;

/// Executions that wait at once, for their memory.
const WAITING: usize = 2_000;
/// How long one figure is measured.
const FOR: Duration = Duration::from_secs(2);

/// One machine and what goes into it.
struct Work {
    name: &'static str,
    definition: Value,
    input: Value,
    /// States that one execution enters.
    entered: f64,
}

fn chain(states: usize) -> Value {
    let state = |i: usize| {
        let mut state = json!({"Type": "Pass"});
        if i + 1 < states {
            state["Next"] = format!("S{}", i + 1).into();
        } else {
            state["End"] = true.into();
        }
        (format!("S{i}"), state)
    };
    let states: Map<String, Value> = (0..states).map(state).collect();
    json!({"StartAt": "S0", "States": states})
}

fn works() -> [Work; 3] {
    let processor = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    let branches: Vec<Value> = (0..100)
        .map(|i| {
            let name = format!("B{i}");
            json!({"StartAt": name, "States": {name.clone(): {"Type": "Pass", "End": true}}})
        })
        .collect();
    [
        Work {
            name: "Pass chain of 1,000",
            definition: chain(1_000),
            input: json!({"a": 1}),
            entered: 1_000.0,
        },
        Work {
            name: "Map of 10,000",
            definition: json!({"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": true}}}),
            input: (0..10_000).collect(),
            entered: 10_001.0,
        },
        Work {
            name: "Parallel of 100",
            definition: json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": branches, "End": true}}}),
            input: json!({"a": 1}),
            entered: 101.0,
        },
    ]
}

/// Rows of figures.
pub fn measure() -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for work in works() {
        let rate = rate(&work, || alone(&work));
        rows.push((
            format!("{}: transitions a second, interpreter alone", work.name),
            format!("{rate:.0}/s"),
        ));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let others: Vec<Other> = [Other::moto(), Other::ministack()]
        .into_iter()
        .flatten()
        .collect();
    for (number, work) in works().iter().enumerate() {
        let ours = create(&server.url, &format!("express-{number}"), work, "EXPRESS");
        let express = rate(work, || sync(&server.url, &ours, &work.input));
        rows.push((
            format!("{}: express, journaled, over HTTP", work.name),
            format!("{express:.0}/s"),
        ));
        // A standard execution's history ends at 25,000 events, so both get the smaller Map here.
        let small = Work {
            input: if work.input.is_array() {
                (0..1_000).collect()
            } else {
                work.input.clone()
            },
            entered: work.entered.min(1_001.0),
            definition: work.definition.clone(),
            name: work.name,
        };
        let name = small.name.replace("10,000", "1,000");
        let machine = create(
            &server.url,
            &format!("standard-{number}"),
            &small,
            "STANDARD",
        );
        let standard = rate(&small, || polled(&server.url, &machine, &small.input));
        rows.push((
            format!("{name}: standard, polled"),
            format!("{standard:.0}/s"),
        ));
        for other in &others {
            let machine = create(
                &other.url,
                &format!("standard-{number}"),
                &small,
                "STANDARD",
            );
            let theirs = rate(&small, || polled(&other.url, &machine, &small.input));
            rows.push((
                format!("{name}: the same, {}, and ours to it", other.name),
                format!("{theirs:.0}/s, {:.0} times", standard / theirs),
            ));
        }
    }
    rows.extend(waiting());
    rows
}

/// Transitions a second: the middle of the executions.
fn rate(work: &Work, mut run: impl FnMut()) -> f64 {
    run();
    let until = Instant::now() + FOR;
    let mut seconds = Vec::new();
    while seconds.is_empty() || Instant::now() < until {
        let begin = Instant::now();
        run();
        seconds.push(begin.elapsed().as_secs_f64());
    }
    work.entered / median(seconds)
}

/// One execution in the interpreter, to its end.
fn alone(work: &Work) {
    let definition = parse(&work.definition.to_string(), Type::Express).expect("a definition");
    let identity = Identity {
        arn: "arn:aws:states:eu-west-1:123456789012:express:bench:one".to_owned(),
        name: "one".to_owned(),
        machine_arn: "arn:aws:states:eu-west-1:123456789012:stateMachine:bench".to_owned(),
        machine_name: "bench".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/bench".to_owned(),
    };
    let at = Timestamp::UNIX_EPOCH;
    let (mut machine, mut effects) = step::start(
        &definition,
        Type::Express,
        identity,
        work.input.clone(),
        at,
        1,
    );
    while !effects.iter().any(|e| matches!(e, Effect::Finished(_))) {
        let input = Input {
            at,
            seed: 2,
            event: Event::Continue,
        };
        effects = step::step(&mut machine, &definition, &input).expect("the machine asked for it");
    }
}

fn call(url: &str, operation: &str, input: &Value) -> Value {
    let target = format!("AWSStepFunctions.{operation}");
    let answer = http::json(url, "states", &target, input).expect("an answer");
    assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
    answer.json()
}

fn create(url: &str, name: &str, work: &Work, kind: &str) -> Value {
    let input = json!({"name": name, "definition": work.definition.to_string(), "type": kind,
        "roleArn": "arn:aws:iam::123456789012:role/bench"});
    call(url, "CreateStateMachine", &input)["stateMachineArn"].clone()
}

fn sync(url: &str, machine: &Value, input: &Value) {
    let answer = call(
        url,
        "StartSyncExecution",
        &json!({"stateMachineArn": machine, "input": input.to_string()}),
    );
    assert_eq!(answer["status"], "SUCCEEDED", "{answer}");
}

/// Started, then looked at until it has ended, as clients do; moto wants a name for each.
fn polled(url: &str, machine: &Value, input: &Value) {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    let name = format!("n{}", STARTED.fetch_add(1, Ordering::Relaxed));
    let started = call(
        url,
        "StartExecution",
        &json!({"stateMachineArn": machine, "name": name, "input": input.to_string()}),
    );
    let execution = json!({"executionArn": started["executionArn"]});
    loop {
        let described = call(url, "DescribeExecution", &execution);
        match described["status"].as_str() {
            Some("RUNNING") => {}
            Some("SUCCEEDED") => return,
            _ => panic!("{described}"),
        }
    }
}

/// What an execution that waits costs,
/// on a server of its own: one that has worked holds memory that the executions would get.
fn waiting() -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let definition =
        json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 36_000, "End": true}}});
    let work = Work {
        name: "a wait",
        definition,
        input: json!({}),
        entered: 1.0,
    };
    let machine = create(&server.url, "wait", &work, "STANDARD");
    let start = || {
        let input = json!({"stateMachineArn": machine, "input": "{}"});
        call(&server.url, "StartExecution", &input);
    };
    for _ in 0..100 {
        start();
    }
    let before = resident(server.id());
    for _ in 0..WAITING {
        start();
    }
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
    let each = resident(server.id()).saturating_sub(before) as f64 / WAITING as f64;
    vec![(
        format!("memory of an execution that waits, of {WAITING}"),
        format!("{each:.1} KiB"),
    )]
}

/// Resident memory in KiB.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

/// Another engine of state machines; ends with the value.
struct Other {
    name: &'static str,
    url: String,
    child: Child,
}

impl Other {
    /// moto's server, told to execute state machines.
    fn moto() -> Option<Self> {
        let program = client("moto_server")?;
        let moto = Self::start("moto", |port| {
            let mut command = Command::new(program);
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            command
        });
        let config = json!({"stepfunctions": {"execute_state_machine": true}}).to_string();
        wait("moto", || {
            let headers = [("content-type", "application/json")];
            let path = "/moto-api/config";
            let answer = http::request(&moto.url, "POST", path, &headers, config.as_bytes());
            answer.ok().filter(|a| a.status < 300)
        });
        Some(moto)
    }

    /// MiniStack, of an environment of its own: it wants another botocore than the clients.
    fn ministack() -> Option<Self> {
        let program = root().join("target/engines/bin/ministack");
        if !program.exists() {
            eprintln!(
                "SKIPPED: ministack is not installed under target/engines (`make bench` installs it where python3 is)"
            );
            return None;
        }
        let other = Self::start("MiniStack", |port| {
            let mut command = Command::new(program);
            command
                .env("BIND_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", port.to_string())
                .env("LOG_LEVEL", "ERROR");
            command
        });
        let target = "AWSStepFunctions.ListStateMachines";
        wait("MiniStack", || {
            let answer = http::json(&other.url, "states", target, &json!({}));
            answer.ok().filter(|a| a.status < 300)
        });
        Some(other)
    }

    fn start(name: &'static str, command: impl FnOnce(u16) -> Command) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let child = command(port)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let url = format!("http://127.0.0.1:{port}");
        Self { name, url, child }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
