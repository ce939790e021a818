//! State machines that ask people: `approval-notify` by a task with a token, the link of the mail, the machine resumed.

use harness::{
    engine::Engine,
    http::{self, Answer, request},
    process::wait,
};
use serde_json::{Value, json};
use stagewright_standins::{
    Stage,
    secrets::Secrets,
    slack::{self, Slack},
};

const CONFIG: &str = r#"
[approval]
approvers = ["dana@example.com", "lee@example.com"]
needed = 2
[topic.approvals]
subscriptions = [{ protocol = "lambda", endpoint = "approval-notify" }]
[function.approval-notify]
timeout_seconds = 60
environment = { STAGEWRIGHT_LOG = "trace" }
[function.approval-respond]
timeout_seconds = 60
environment = { STAGEWRIGHT_LOG = "trace" }
"#;

/// The example of `docs/approval-tasks.md`, as it stands there.
fn definition() -> Value {
    let page = include_str!("../../docs/approval-tasks.md");
    let example = page
        .split("```json\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    serde_json::from_str(example.expect("the page has an example")).expect("JSON")
}

fn states(engine: &Engine, operation: &str, input: &Value) -> Value {
    let target = format!("AWSStepFunctions.{operation}");
    let answer = http::json(&engine.server.url, "states", &target, input).expect("an answer");
    assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
    answer.json()
}

fn machine(engine: &Engine) -> String {
    let input = json!({
        "name": "shop-release", "roleArn": "arn:aws:iam::123456789012:role/states",
        "definition": definition().to_string(),
    });
    let made = states(engine, "CreateStateMachine", &input);
    made["stateMachineArn"].as_str().expect("an ARN").to_owned()
}

fn start(engine: &Engine, machine: &str, name: &str) -> String {
    let input = json!({"stateMachineArn": machine, "name": name, "input": r#"{"version":"42"}"#});
    let started = states(engine, "StartExecution", &input);
    started["executionArn"].as_str().expect("an ARN").to_owned()
}

fn ended(engine: &Engine, execution: &str) -> Value {
    wait("the machine's end", || {
        let input = json!({"executionArn": execution});
        let now = states(engine, "DescribeExecution", &input);
        (now["status"] != "RUNNING").then_some(now)
    })
}

fn get(engine: &Engine, path: &str) -> Answer {
    let headers = [("sec-fetch-site", "none")];
    request(&engine.server.url, "GET", path, &headers, b"").expect("an answer")
}

/// Path of the link and the code, of the mail about this execution to this person.
fn mail(engine: &Engine, to: &str, execution: &str) -> (String, String) {
    wait("a mail", || {
        let list = get(engine, "/_stagewright/mail.json").json();
        let ids = list["mails"].as_array().cloned().unwrap_or_default();
        ids.iter().find_map(|mail| {
            let id = mail["id"].as_str()?;
            let mail = get(engine, &format!("/_stagewright/mail/{id}.json")).json();
            let text = mail["text"].as_str()?;
            let about = text.contains(&format!("Execution:  {execution}\n"));
            if mail["to"][0] != to || !about {
                return None;
            }
            let line = |start: &str| text.lines().find(|line| line.starts_with(start));
            let link = line(&engine.server.url)?.strip_prefix(&engine.server.url)?;
            Some((
                link.to_owned(),
                line("Code: ")?.strip_prefix("Code: ")?.to_owned(),
            ))
        })
    })
}

fn hidden(page: &str, name: &str) -> String {
    let at = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
    let value = at.and_then(|rest| rest.split('"').next());
    value
        .unwrap_or_else(|| panic!("no {name}: {page}"))
        .to_owned()
}

/// What a person does with the mail.
fn answer(engine: &Engine, (link, code): &(String, String), verdict: &str) {
    let shown = get(engine, link);
    let page = shown.text();
    assert_eq!(shown.status, 200, "{page}");
    assert!(page.contains("Release version 42 of the shop"), "{page}");
    let cookie = shown.header("set-cookie").expect("a cookie");
    let cookie = cookie.split(';').next().unwrap_or_default();
    let body = format!(
        "intent=decide&verdict={verdict}&code={code}&comment=as+agreed&nonce={}&seen={}",
        hidden(&page, "nonce"),
        hidden(&page, "seen"),
    );
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
        ("cookie", cookie),
    ];
    let sent = request(&engine.server.url, "POST", link, &headers, body.as_bytes());
    let sent = sent.expect("an answer");
    assert_eq!(sent.status, 303, "{}", sent.text());
}

#[test]
fn a_state_machine_asks_people_and_is_resumed_by_what_they_decide() {
    let engine = Engine::start(CONFIG);
    let machine = machine(&engine);

    let good = start(&engine, &machine, "good");
    let dana = mail(&engine, "dana@example.com", "good");
    let lee = mail(&engine, "lee@example.com", "good");
    answer(&engine, &dana, "approve");
    let input = json!({"executionArn": good});
    let now = states(&engine, "DescribeExecution", &input);
    assert_eq!(now["status"], "RUNNING", "one of two has approved: {now}");
    answer(&engine, &lee, "approve");
    let end = ended(&engine, &good);
    assert_eq!(end["status"], "SUCCEEDED", "{end}");
    let output: Value =
        serde_json::from_str(end["output"].as_str().unwrap_or_default()).expect("JSON");
    assert_eq!(output["decision"], "Approved", "{output}");
    let votes: Vec<&str> = output["votes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|vote| vote["address"].as_str())
        .collect();
    assert_eq!(votes, ["dana@example.com", "lee@example.com"]);
    assert!(
        output["summary"]
            .as_str()
            .is_some_and(|s| s.contains("2 of 2 needed")),
        "{output}"
    );

    let bad = start(&engine, &machine, "bad");
    answer(&engine, &mail(&engine, "lee@example.com", "bad"), "reject");
    let end = ended(&engine, &bad);
    assert_eq!(
        (&end["status"], &end["error"]),
        (&json!("FAILED"), &json!("ApprovalRejected")),
        "{end}"
    );
    let cause: Value =
        serde_json::from_str(end["cause"].as_str().unwrap_or_default()).expect("JSON");
    assert_eq!(cause["votes"][0]["comment"], "as agreed", "{cause}");

    // A machine that is stopped waits no more; the sweep closes its request, which the page then says.
    let gone = start(&engine, &machine, "gone");
    let (link, _) = mail(&engine, "dana@example.com", "gone");
    states(&engine, "StopExecution", &json!({"executionArn": gone}));
    engine.invoke("approval-sweep", &json!({}));
    let page = get(&engine, &link).text();
    assert!(page.contains("No longer waiting"), "{page}");

    // The tokens are in the machines' history and nowhere in what the functions say or send.
    let history = states(&engine, "GetExecutionHistory", &input).to_string();
    let mut tokens = history.split("taskToken\\\":\\\"").skip(1);
    let token = tokens
        .next()
        .and_then(|rest| rest.split("\\\"").next())
        .expect("the token");
    for path in engine.files_with(&[token]) {
        let text = path.display().to_string();
        assert!(!text.contains("logs") && !text.contains("mail"), "{text}");
    }
}

#[test]
fn a_question_that_no_rule_answers_fails_its_state_by_name() {
    let engine = Engine::start(CONFIG);
    let mut definition = definition();
    definition["States"]["Ask"]["Arguments"]["Payload"]["approval"] = json!({"stage": "a b"});
    let input = json!({
        "name": "wrong", "roleArn": "arn:aws:iam::123456789012:role/states", "definition": definition.to_string(),
    });
    let made = states(&engine, "CreateStateMachine", &input);
    let execution = start(
        &engine,
        made["stateMachineArn"].as_str().expect("an ARN"),
        "wrong",
    );
    let end = ended(&engine, &execution);
    assert_eq!(
        (&end["status"], &end["error"]),
        (&json!("FAILED"), &json!("ApprovalInput")),
        "{end}"
    );
}

/// `CONFIG` with these lines of environment for the two functions, and what comes after.
fn with(notify: &str, respond: &str, more: &str) -> String {
    let mut parts = CONFIG.split("STAGEWRIGHT_LOG = \"trace\"");
    let mut next = || parts.next().expect("two functions").to_owned();
    let (head, middle, end) = (next(), next(), next());
    format!("{head}{notify}{middle}{respond}{end}{more}")
}

#[test]
fn a_press_in_slack_resumes_the_machine_and_the_message_says_how_it_ended() {
    const DANA: &str = "U0000DANA";
    let slack = Stage::new(Slack::with(&[DANA])).serve();
    let secrets = Stage::new(Secrets::of(&[
        ("token", slack::TOKEN),
        ("signing", slack::SECRET),
    ]))
    .serve();
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.json");
    let text = json!({
        "version": 1, "people": {"dana": {"mail": "dana@example.com", "slack": DANA}}, "groups": {"all": ["dana"]},
        "rules": [{"name": "quick", "needs": [{"group": "all", "approvals": 1}], "level": "L1",
            "fourEyes": {"trigger": false, "authors": false}}],
    });
    std::fs::write(&rules, text.to_string()).expect("written");
    let shared = format!(
        "STAGEWRIGHT_LOG = \"trace\", STAGEWRIGHT_SLACK_API = \"{}/api\", AWS_ENDPOINT_URL_SSM = \"{}\"",
        slack.url, secrets.url
    );
    let config = with(
        &format!("{shared}, STAGEWRIGHT_SLACK_TOKEN = \"ssm:token\""),
        &format!("{shared}, STAGEWRIGHT_SLACK_SIGNING_SECRET = \"ssm:signing\""),
        "",
    );
    let approvers = "approvers = [\"dana@example.com\", \"lee@example.com\"]\nneeded = 2";
    let engine = Engine::start(&config.replace(
        approvers,
        &format!("rules = {:?}", rules.display().to_string()),
    ));
    let execution = start(&engine, &machine(&engine), "slack");
    let message = wait("a message", || {
        slack
            .stage
            .with(|slack| (slack.messages.len() == 1).then(|| slack.message(DANA)))
    });
    let reply = format!("{}/actions/T111/1/planted", slack.url);
    let press = |user: &str| {
        let now = jiff::Timestamp::now();
        let pressed = slack
            .stage
            .with(|s| s.press(user, &message, slack::APPROVE, &reply, now));
        let headers: Vec<(&str, &str)> = pressed
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let begin = std::time::Instant::now();
        let path = "/_stagewright/function/approval-respond/slack";
        let sent = request(
            &engine.server.url,
            "POST",
            path,
            &headers,
            pressed.body.as_bytes(),
        );
        let status = sent.expect("an answer").status;
        assert!(
            begin.elapsed() < std::time::Duration::from_secs(3),
            "Slack waits for three seconds"
        );
        status
    };
    assert_eq!(press("U000OTHER"), 403);
    assert_eq!(press(DANA), 200);
    assert_eq!(press(DANA), 200, "a second press changes nothing");
    // A decision of the lowest level is held for ten seconds.
    let end = wait("the machine's end", || {
        engine.invoke("approval-sweep", &json!({}));
        let now = states(
            &engine,
            "DescribeExecution",
            &json!({"executionArn": execution}),
        );
        (now["status"] != "RUNNING").then_some(now)
    });
    assert_eq!(end["status"], "SUCCEEDED", "{end}");
    wait("the message's end", || {
        engine.invoke("approval-sweep", &json!({}));
        let now = slack.stage.with(|slack| slack.message(DANA)).to_string();
        (now.contains("Approved: shop-release") && !now.contains("actions")).then_some(())
    });
    let replies = slack.stage.with(|slack| slack.replies.clone());
    let kinds: Vec<&str> = replies
        .iter()
        .filter_map(|reply| reply["response_type"].as_str())
        .collect();
    assert_eq!(kinds, ["ephemeral", "in_channel", "ephemeral"]);
    for planted in [
        slack::TOKEN,
        slack::SECRET,
        "planted-trigger",
        "/actions/T111",
    ] {
        let found = engine.files_with(&[planted]);
        assert!(found.is_empty(), "{planted} is in {found:?}");
    }
}

#[test]
fn without_ses_each_approvers_own_subscription_gets_their_mail_alone() {
    let topic = "arn:aws:sns:eu-west-1:123456789012:approval-mails";
    let engine = Engine::start(&with(
        &format!("STAGEWRIGHT_LOG = \"trace\", STAGEWRIGHT_APPROVAL_MAIL_TOPIC = \"{topic}\""),
        "STAGEWRIGHT_LOG = \"trace\"",
        "[topic.approval-mails]\n",
    ));
    for to in ["dana@example.com", "lee@example.com"] {
        let policy = json!({"recipient": [to]}).to_string();
        let fields = [
            ("Action", "Subscribe"),
            ("Version", "2010-03-31"),
            ("TopicArn", topic),
            ("Protocol", "email"),
            ("Endpoint", to),
            ("Attributes.entry.1.key", "FilterPolicy"),
            ("Attributes.entry.1.value", &policy),
            ("Attributes.entry.2.key", "FilterPolicyScope"),
            ("Attributes.entry.2.value", "MessageAttributes"),
        ];
        let own = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let answer = http::form(&engine.server.url, "sns", &shared::provider::form(&own));
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        // They confirm, as with every subscription by mail.
        let link = wait("the mail that asks to confirm", || {
            let list = get(&engine, "/_stagewright/mail.json").json();
            let ids = list["mails"].as_array().cloned().unwrap_or_default();
            ids.iter().find_map(|mail| {
                let id = mail["id"].as_str()?;
                let mail = get(&engine, &format!("/_stagewright/mail/{id}.json")).json();
                let text = mail["text"].as_str().filter(|_| mail["to"][0] == to)?;
                let (_, rest) = text.split_once(&engine.server.url)?;
                Some(rest.split_whitespace().next()?.to_owned())
            })
        });
        assert_eq!(get(&engine, &link).status, 200);
    }
    let execution = start(&engine, &machine(&engine), "by-sns");
    let dana = mail(&engine, "dana@example.com", "by-sns");
    let lee = mail(&engine, "lee@example.com", "by-sns");
    assert_ne!(dana, lee);
    let list = get(&engine, "/_stagewright/mail.json").json();
    let mails = list["mails"].as_array().cloned().unwrap_or_default();
    assert_eq!(
        mails.len(),
        4,
        "two to confirm, one question each: {mails:#?}"
    );
    answer(&engine, &dana, "approve");
    answer(&engine, &lee, "approve");
    assert_eq!(ended(&engine, &execution)["status"], "SUCCEEDED");
}
