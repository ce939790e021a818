//! The whole function against the in-memory world: mails, duplicates, strangers, crashes.

use std::time::Duration;

use jiff::Timestamp;
use shared::{
    approval::{
        decide,
        facts::ExecutionFacts,
        link::{self, Claims, Purpose},
        port::Mail,
        request::Revision,
        rules::{RuleSet, evaluate::Actor},
    },
    wire::sns::SnsDelivery,
};
use shared_testkit::{
    FixedClock,
    approval::{ApprovalWorld, KID},
    time::BEGINNING,
};

use super::*;

mod chats;
mod crashes;
mod deliveries;
mod facts;
mod heads;
mod letters;
mod renewals;
mod retold;
mod rooms;
mod tasks;

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:approvals";
const TOKEN: &str = "1a2b3c4d-573f-4ea7-a67e-000000000000";
const BASE: &str = "https://approve.example.com";

type Function =
    Notify<ApprovalWorld, ApprovalWorld, ApprovalWorld, ApprovalWorld, FixedClock, ApprovalWorld>;

fn function(world: &ApprovalWorld, clock: &FixedClock) -> Function {
    Notify {
        store: world.clone(),
        pipelines: world.clone(),
        signer: world.clone(),
        mailer: world.clone(),
        clock: clock.clone(),
        entropy: world.clone(),
        settings: NotifySettings {
            table: "unused".to_owned(),
            rules: RuleSet::simple(["dana@example.com", "lee@example.com"], 1).unwrap(),
            mailing: shared::approval::settings::Mailing::Ses {
                from: "pipelines@example.com".parse().unwrap(),
            },
            base: BASE.parse().unwrap(),
            key: "unused".to_owned(),
            kid: KID.parse().unwrap(),
            topics: vec![TOPIC.to_owned()],
            zone: shared::approval::settings::Zone::default(),
            slack_token: None,
            slack_api: "https://slack.com/api".to_owned(),
            audit_mail: Vec::new(),
        },
    }
}

fn run_with(token: &str) -> Waiting {
    Waiting {
        stage: "Release".parse().unwrap(),
        action: "Approve".parse().unwrap(),
        execution: "8f0c3a52-6a0e-4b8c-9a55-0f3f2b1c7d10".parse().unwrap(),
        action_execution: "5d2b7c1e-0c84-4f7a-8f0e-3e9d1a6b4c22".parse().unwrap(),
        token: Secret::new(token.to_owned()),
    }
}

fn delivery(custom_data: &str) -> SnsDelivery {
    let message = serde_json::json!({
        "region": "eu-west-1",
        "consoleLink": "https://console.example.com/",
        "approval": {
            "pipelineName": "site-release", "stageName": "Release", "actionName": "Approve",
            "token": TOKEN, "expires": "2026-01-03T03:04Z",
            "externalEntityLink": "https://staging.example.com/", "approvalReviewLink": "https://console.example.com/",
            "customData": custom_data,
        },
    });
    SnsDelivery {
        topic_arn: TOPIC.to_owned(),
        message_id: "95df01b4-ee98-5cb9-9903-4c221d41eb5e".to_owned(),
        message: Secret::new(message.to_string()),
    }
}

fn outputs(message: &str, author: &str) -> SourceOutput {
    SourceOutput {
        action: "Fetch".to_owned(),
        artifacts: vec!["Site".to_owned()],
        variables: [
            ("CommitId", "4be2f8c09d1a7b3355d0e9aa1c7f6b2240d8e1f3"),
            ("CommitMessage", message),
            ("AuthorDisplayName", author),
            ("BranchName", "main"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
    }
}

/// An execution that waits, with a commit.
fn world_with(message: &str, author: &str) -> ApprovalWorld {
    let world = ApprovalWorld::new(1);
    world.wait_in_state(run_with(TOKEN));
    let execution = ExecutionFacts {
        mode: None,
        trigger: Some("Webhook".to_owned()),
        revisions: vec![Revision {
            name: "Site".to_owned(),
            id: "4be2f8c09d1a7b3355d0e9aa1c7f6b2240d8e1f3".to_owned(),
            url: Some("https://git.example.com/site/commit/4be2f8c0".to_owned()),
            ..Revision::default()
        }],
        ..ExecutionFacts::default()
    };
    world.carries(execution, vec![outputs(message, author)]);
    world
}

fn world() -> ApprovalWorld {
    world_with(
        "Show opening hours on the start page\n\nThe shop asked for it.",
        "Dana",
    )
}

/// What a person finds in a mail: the link's claims and the code.
fn read(world: &ApprovalWorld, mail: &Mail, now: Timestamp) -> (Claims, String) {
    let text = mail.text.reveal();
    let token = text
        .lines()
        .find_map(|l| l.strip_prefix("https://approve.example.com/a/"))
        .unwrap();
    let code = text.lines().find_map(|l| l.strip_prefix("Code: ")).unwrap();
    let html = mail.html.reveal();
    assert!(html.contains(&format!("href=\"{BASE}/a/{token}\"")) && html.contains(code));
    assert!(!token.contains(code));
    let claims = link::open(token, &world.ring(), &BASE.parse().unwrap(), now).unwrap();
    (claims, code.to_owned())
}

#[tokio::test]
async fn each_approver_gets_one_mail_with_a_working_link_and_code() {
    let (world, clock) = (world(), FixedClock::default());
    function(&world, &clock)
        .handle(&[delivery("Check the staging site.")])
        .await
        .unwrap();
    let (mails, records) = (world.mails(), world.records());
    assert_eq!((mails.len(), records.len()), (2, 1));
    for (mail, recipient) in mails.iter().zip(&records[0].recipients) {
        assert_eq!(mail.to, recipient.address);
        assert_eq!(
            mail.subject,
            "[Release] Approve site-release? \"Show opening hours on the start page\" by Dana, until Sat 03:04 UTC"
        );
        assert!(
            mail.headers
                .contains(&("Auto-Submitted", "auto-generated".to_owned()))
        );
        let (claims, code) = read(&world, mail, BEGINNING);
        decide::admit(&records[0], &claims.recipient, &claims.link, &claims.digest).unwrap();
        assert!(recipient.links[0].code.matches(&claims.link, &code));
        for part in [mail.text.reveal(), mail.html.reveal()] {
            for fact in [
                "site-release",
                "Release",
                "Show opening hours",
                "Dana",
                "4be2f8c0",
                "Check the staging site.",
                "https://staging.example.com/",
                "a webhook of the source",
                "Sat 3 Jan 2026, 03:04 UTC",
                "eu-west-1 in account 123456789012",
                "Any one of 2 approvers",
            ] {
                assert!(part.contains(fact), "{fact}: {part}");
            }
            assert!(!part.contains(TOKEN));
        }
        assert!(mail.html.reveal().len() < 90_000);
        assert!(!format!("{mail:?}").contains(&code));
    }
}

/// A file whose one rule holds for stages called like this.
fn rules(stage: &str) -> RuleSet {
    let file = format!(
        r#"{{"version":1,"people":{{
        "dana":{{"mail":"dana@example.com","mayDelegateTo":["kim","sam"],"away":[
            {{"from":"2026-01-01T00:00:00Z","until":"2026-01-03T00:00:00Z","delegate":"kim"}},
            {{"from":"2026-02-01T00:00:00Z","until":"2026-02-03T00:00:00Z","delegate":"sam"}}]}},
        "kim":{{"mail":"kim@example.com"}},"lee":{{"mail":"lee@example.com"}},"sam":{{"mail":"sam@example.com"}}}},
        "groups":{{"makers":["dana","lee"]}},
        "rules":[{{"name":"strict","for":{{"stage":"{stage}"}},"needs":[{{"group":"makers","approvals":2}}]}}]}}"#
    );
    RuleSet::parse(&file).unwrap()
}

#[tokio::test]
async fn whom_the_rule_asks_and_their_delegates_are_mailed() {
    let (world, clock) = (world(), FixedClock::default());
    let mut function = function(&world, &clock);
    function.settings.rules = rules("Rel*");
    function.handle(&[delivery("x")]).await.unwrap();
    let mails = world.mails();
    let to: Vec<&str> = mails.iter().map(|m| m.to.as_str()).collect();
    assert_eq!(
        to,
        ["dana@example.com", "kim@example.com", "lee@example.com"]
    );
    let told = "strict: 2 of makers; nobody who started or wrote it; one rejection decides";
    assert!(
        mails[0].text.reveal().contains(told),
        "{}",
        mails[0].text.reveal()
    );
    let facts = &world.records()[0].request.facts;
    assert_eq!(facts.trigger, Actor::Machine);
    assert_eq!(facts.authors, [Actor::Named(vec!["Dana".to_owned()])]);
}

#[tokio::test]
async fn without_a_rule_that_holds_nobody_is_asked() {
    let (world, clock) = (world(), FixedClock::default());
    let mut function = function(&world, &clock);
    function.settings.rules = rules("Prod*");
    let error = function.handle(&[delivery("x")]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no rule holds for site-release/Release/Approve: nobody may approve it. Add a rule whose \"for\" matches it"
    );
    assert_eq!((world.mails().len(), world.records().len()), (0, 0));
}

#[tokio::test]
async fn parallel_executions_are_tied_by_their_external_id() {
    let (world, clock) = (ApprovalWorld::new(2), FixedClock::default());
    world.wait_in_state(run_with("another"));
    world.wait_in_history(run_with(TOKEN));
    function(&world, &clock)
        .handle(&[delivery("x")])
        .await
        .unwrap();
    assert_eq!(world.mails().len(), 2);
}

#[tokio::test]
async fn after_the_deadline_nobody_is_mailed() {
    let (world, clock) = (world(), FixedClock::default());
    clock.step(Duration::from_hours(24));
    function(&world, &clock)
        .handle(&[delivery("x")])
        .await
        .unwrap();
    assert_eq!((world.mails().len(), world.records().len()), (0, 0));
}
