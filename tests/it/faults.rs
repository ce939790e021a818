//! The example with one fault between its functions and AWS: one outcome of every action, in time.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use harness::{
    example::Example,
    faults::{Fault, Proxy, Rule},
    process::{finish, shown},
    workspace::stagewright,
};
use serde_json::Value;

/// Longer than the example and every retry of a function take, and shorter than any timeout of an action.
const DEADLINE: Duration = Duration::from_secs(30);
/// Runs at a time.
const ABREAST: usize = 3;

const FUNCTIONS: [&str; 5] = [
    "action-http-check",
    "action-publish-site",
    "approval-notify",
    "approval-respond",
    "approval-sweep",
];

/// Calls that must survive each of the faults, and which they survive.
fn cases() -> Vec<Rule> {
    use Fault::{Broken, CutAnswer, LostAnswer, LostRequest, Slow, Throttled};
    let slow = Slow(Duration::from_millis(1_500));
    let rule = |what, fault, times| Rule { what, fault, times };
    vec![
        rule("PutJobSuccessResult", LostAnswer, 1),
        rule("PutJobSuccessResult", LostAnswer, 2),
        rule("PutJobSuccessResult", LostRequest, 1),
        rule("PutJobSuccessResult", Broken, 1),
        rule("PutJobSuccessResult", Throttled, 2),
        rule("PutJobSuccessResult", slow, 1),
        rule("PutJobSuccessResult", CutAnswer, 1),
        rule("GET /site-release-artifacts/", CutAnswer, 1),
        rule("GET /site-release-artifacts/", Throttled, 2),
        rule("GET /site-release-artifacts/", slow, 1),
        rule("PUT /corner-bakery-live/", LostAnswer, 1),
        rule("PUT /corner-bakery-live/", Broken, 1),
        rule("PutApprovalResult", LostAnswer, 1),
        rule("PutApprovalResult", Broken, 1),
        rule("PutApprovalResult", Throttled, 2),
        rule("DynamoDB_20120810.TransactWriteItems", LostAnswer, 1),
        rule("DynamoDB_20120810.TransactWriteItems", Throttled, 2),
        rule("DynamoDB_20120810.PutItem", LostAnswer, 1),
        rule("DynamoDB_20120810.", Broken, 1),
        rule("TrentService.Sign", LostAnswer, 1),
        rule("CodePipeline_20150709.", Broken, 1),
        rule("/v2/email/", Broken, 1),
    ]
}

/// A port that is free now; the engine takes it a moment later.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// Puts the proxy between every function and the engine.
fn wire(example: &Example, proxy: &Proxy) {
    let path = example.config();
    let mut config = fs::read_to_string(&path).expect("the example's configuration");
    for name in FUNCTIONS {
        let table = format!("[function.{name}]\n");
        if !config.contains(&table) {
            config += &format!("\n{table}url = true\ntimeout_seconds = 30\n");
        }
        let environment = format!("environment = {{ AWS_ENDPOINT_URL = {:?} }}\n", proxy.url);
        config = config.replace(&table, &(table.clone() + &environment));
    }
    fs::write(path, config).expect("written");
}

fn check(rule: Rule) {
    let told = format!("{rule:?}");
    let proxy = run(&Example::new(), rule, &told);
    assert!(!proxy.fired().is_empty(), "nothing met the fault: {told}");
}

/// Runs the example with the rule in force; it must end with one outcome of every action, one mail, and in time.
fn run(example: &Example, rule: Rule, told: &str) -> Proxy {
    let address = free();
    let proxy = Proxy::start(address, rule);
    wire(example, &proxy);
    let listen = address.to_string();
    let begun = Instant::now();
    let arguments = example.run_arguments(&["--output", "json", "--listen", &listen]);
    let output = finish(Command::new(stagewright()).args(arguments));
    let took = begun.elapsed();
    let told = format!(
        "{told}, {took:?}, met {:?}\n{}",
        proxy.fired(),
        shown(&output)
    );
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(took < DEADLINE, "{told}");
    let mut ends: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        let text = |k: &str| event["detail"][k].as_str().unwrap_or_default().to_owned();
        if event["detail-type"] == "CodePipeline Action Execution State Change" {
            ends.entry(text("action")).or_default().push(text("state"));
        }
    }
    assert_eq!(ends.len(), 7, "{told}");
    for (action, states) in ends {
        assert_eq!(states, ["STARTED", "SUCCEEDED"], "{action}: {told}");
    }
    let mails = fs::read_dir(example.state().join("mail"))
        .expect("mails")
        .flatten()
        .filter(|e| e.path().extension().is_some_and(|x| x == "eml"))
        .filter(|e| fs::read_to_string(e.path()).is_ok_and(|mail| asks(&mail)))
        .count();
    assert_eq!(mails, 1, "mails that ask one approver: {told}");
    proxy
}

/// How it ended is told in a mail of its own, when the run lasts long enough.
fn asks(mail: &str) -> bool {
    mail.contains("Subject: [Approve] Approve ")
}

#[test]
fn one_fault_between_function_and_aws_changes_no_outcome() {
    let cases = cases();
    thread::scope(|scope| {
        for share in 0..ABREAST {
            let mine: Vec<Rule> = cases.iter().skip(share).step_by(ABREAST).cloned().collect();
            scope.spawn(move || mine.into_iter().for_each(check));
        }
    });
}

#[test]
fn a_message_delivered_twice_asks_once() {
    let example = Example::new();
    let config = fs::read_to_string(example.config()).expect("the example's configuration");
    let once = "{ protocol = \"lambda\", endpoint = \"approval-notify\" }";
    let again = "{ protocol = \"lambda\", endpoint = \"arn:aws:lambda:eu-west-1:123456789012:function:approval-notify\" }";
    assert!(config.contains(once), "{config}");
    let twice = config.replace(once, &format!("{once}, {again}"));
    fs::write(example.config(), twice).expect("written");
    let nothing = Rule {
        what: "",
        fault: Fault::Broken,
        times: 0,
    };
    let proxy = run(&example, nothing, "two subscriptions of approval-notify");
    // Each delivery is tied to its execution before anything is written.
    let deliveries = proxy.seen("ListActionExecutions");
    assert!(deliveries >= 2, "{deliveries}");
}
