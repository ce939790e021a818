//! Beside the mail: messages in Slack and Teams.

use serde_json::{Value, json};
use shared::approval::{
    chat::send::{Chats, Post},
    request::State,
};
use shared_testkit::{memory::MemorySecrets, time::VirtualTime};
use stagewright_standins::{
    InMemory, Stage, Trick,
    slack::{Slack, TOKEN as SLACK_TOKEN},
};

use super::*;

pub(super) const DANA: &str = "U0000DANA";
const WEBHOOK: &str = "https://flows.example.com/workflows/planted-webhook";

pub(super) type Chatting = Post<ApprovalWorld, Chats<InMemory<Slack, VirtualTime>, MemorySecrets>>;

/// Dana is in Slack, Lee in Teams.
fn rules_at(level: &str) -> RuleSet {
    let file = format!(
        r#"{{"version":1,"people":{{
        "dana":{{"mail":"dana@example.com","slack":"{DANA}"}},
        "lee":{{"mail":"lee@example.com","teams":"ssm:teams-lee"}}}},
        "groups":{{"makers":["dana","lee"]}},
        "rules":[{{"name":"all","needs":[{{"group":"makers","approvals":1}}],"level":"{level}",
            "fourEyes":{{"trigger":false,"authors":false}}}}]}}"#
    );
    RuleSet::parse(&file).unwrap()
}

pub(super) fn chatting(
    world: &ApprovalWorld,
    clock: &FixedClock,
    stage: &Stage<Slack>,
    level: &str,
) -> Notify<ApprovalWorld, ApprovalWorld, ApprovalWorld, Chatting, FixedClock, ApprovalWorld> {
    let secrets = MemorySecrets::default();
    secrets.set("ssm:slack", SLACK_TOKEN);
    secrets.set("ssm:teams-lee", WEBHOOK);
    let plain = function(world, clock);
    let mut settings = plain.settings;
    settings.rules = rules_at(level);
    Notify {
        store: plain.store,
        pipelines: plain.pipelines,
        signer: plain.signer,
        mailer: Post {
            mail: world.clone(),
            chat: Chats {
                http: stage.http(VirtualTime::begin()),
                secrets,
                slack_token: Some("ssm:slack".parse().unwrap()),
                slack_secret: None,
                slack_api: "https://slack.com/api".to_owned(),
            },
        },
        clock: plain.clock,
        entropy: plain.entropy,
        settings,
    }
}

fn workspace() -> Stage<Slack> {
    Stage::new(Slack::with(&[DANA]))
}

/// What was posted to Teams.
fn cards(stage: &Stage<Slack>) -> Vec<Value> {
    let records = stage.records();
    let cards = records
        .iter()
        .filter(|r| r.asked.path == "/workflows/planted-webhook");
    cards.map(|record| record.asked.json()).collect()
}

#[tokio::test(start_paused = true)]
async fn threat_05_a_chat_message_makes_no_preview_and_holds_no_code() {
    let (world, clock, stage) = (world(), FixedClock::default(), workspace());
    let notify = chatting(&world, &clock, &stage, "L2");
    notify
        .handle(&[delivery("x <!channel> *b* <https://evil.example|click>")])
        .await
        .unwrap();
    let message = stage.with(|slack| slack.message(DANA));
    assert_eq!(
        (&message["unfurl_links"], &message["unfurl_media"]),
        (&json!(false), &json!(false))
    );
    let mails = world.mails();
    let (_, code) = read(&world, &mails[0], BEGINNING);
    let (link, _) = mails[0]
        .text
        .reveal()
        .split_once("/a/")
        .map(|(_, rest)| rest.split_once('\n').unwrap())
        .unwrap();
    let text = message.to_string();
    assert!(text.contains(link), "the page of the mail: {text}");
    assert!(!text.contains(&code) && !text.contains(TOKEN), "{text}");
    assert!(
        text.contains("Show opening hours")
            && text.contains("The page asks for the code in your mail")
    );
    // Foreign words stay words: nowhere markup, and escaped where Slack would look for it.
    assert!(!text.contains("mrkdwn"), "{text}");
    assert!(!message["text"].as_str().unwrap().contains('<'));
    let card = &cards(&stage)[0];
    let content = &card["attachments"][0]["content"];
    assert_eq!(
        (&card["type"], &content["actions"][0]["type"]),
        (&json!("message"), &json!("Action.OpenUrl"))
    );
    let url = content["actions"][0]["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{BASE}/a/v4.public.")), "{url}");
    let (_, lees) = read(&world, &mails[1], BEGINNING);
    assert!(!card.to_string().contains(&lees));
}

#[tokio::test(start_paused = true)]
async fn at_the_lowest_level_buttons_decide_and_no_link_goes_into_a_chat() {
    let (world, clock, stage) = (world(), FixedClock::default(), workspace());
    let notify = chatting(&world, &clock, &stage, "L1");
    notify.handle(&[delivery("x")]).await.unwrap();
    let text = stage.with(|slack| slack.message(DANA)).to_string();
    assert!(
        text.contains("stagewright-approve") && text.contains("stagewright-reject"),
        "{text}"
    );
    assert!(
        !text.contains("v4.public") && !text.contains("/a/"),
        "{text}"
    );
    assert_eq!(
        cards(&stage),
        Vec::<Value>::new(),
        "a link that decides is for the mail alone"
    );
}

#[tokio::test(start_paused = true)]
async fn the_message_is_rewritten_once_it_is_decided() {
    let (world, clock, stage) = (world(), FixedClock::default(), workspace());
    let notify = chatting(&world, &clock, &stage, "L2");
    notify
        .handle(&[delivery("x"), delivery("x")])
        .await
        .unwrap();
    let record = world.records().remove(0);
    assert!(record.recipients[0].chat.is_some() && record.recipients[1].chat.is_none());
    let mut ended = record.clone();
    ended.version += 1;
    ended.state = State::Superseded { at: BEGINNING };
    world.replace(&ended).await.unwrap();
    notify.send_due(&record.request.id).await.unwrap();
    let message = stage.with(|slack| slack.message(DANA)).to_string();
    assert!(
        message.contains("No longer waiting") && !message.contains("actions"),
        "{message}"
    );
    assert_eq!(
        stage.count("POST", "/api/chat.postMessage"),
        1,
        "asked once"
    );
    assert_eq!(stage.count("POST", "/api/chat.update"), 1);
}

/// A chat that fails keeps nobody's mail back, and is not asked again.
#[tokio::test(start_paused = true)]
async fn a_chat_that_fails_leaves_the_mail() {
    for trick in [
        Trick::Hang,
        Trick::status(500),
        Trick::throttled(Some("30")),
        Trick::html(),
        Trick::NeverArrives,
    ] {
        let (world, clock, stage) = (world(), FixedClock::default(), workspace());
        stage.always("POST", "/", trick);
        let notify = chatting(&world, &clock, &stage, "L2");
        notify.handle(&[delivery("x")]).await.unwrap();
        assert_eq!(world.mails().len(), 2);
        assert!(
            world.records()[0]
                .recipients
                .iter()
                .all(|r| r.mailed_at.is_some())
        );
    }
}

/// What Teams takes of a Workflows webhook: a message with one Adaptive Card of version 1.4 or below and at most 28 KB.
/// The properties are those of the schema at adaptivecards.io; foreign texts stand in text runs, which hold no markup.
fn valid_card(message: &Value) {
    let only = |value: &Value, names: &[&str]| {
        let object = value
            .as_object()
            .unwrap_or_else(|| panic!("no object: {value}"));
        for name in object.keys() {
            assert!(names.contains(&name.as_str()), "{name}: {value}");
        }
    };
    let text = |value: &Value| {
        assert!(
            value.as_str().is_some_and(|text| !text.is_empty()),
            "{value}"
        )
    };
    assert!(message.to_string().len() < 28 * 1024);
    only(message, &["type", "attachments"]);
    assert_eq!(message["type"], "message");
    let [attachment] = &message["attachments"].as_array().unwrap()[..] else {
        panic!("{message}");
    };
    only(attachment, &["contentType", "contentUrl", "content"]);
    assert_eq!(
        attachment["contentType"],
        "application/vnd.microsoft.card.adaptive"
    );
    assert!(attachment["contentUrl"].is_null());
    let card = &attachment["content"];
    only(
        card,
        &[
            "$schema",
            "type",
            "version",
            "fallbackText",
            "body",
            "actions",
        ],
    );
    assert_eq!(
        card["$schema"],
        "http://adaptivecards.io/schemas/adaptive-card.json"
    );
    assert_eq!(
        (&card["type"], &card["version"]),
        (&json!("AdaptiveCard"), &json!("1.4"))
    );
    text(&card["fallbackText"]);
    let body = card["body"].as_array().unwrap();
    assert!(!body.is_empty());
    for block in body {
        only(block, &["type", "inlines"]);
        assert_eq!(block["type"], "RichTextBlock");
        let inlines = block["inlines"].as_array().unwrap();
        assert!(!inlines.is_empty());
        for run in inlines {
            only(run, &["type", "text", "weight", "size", "isSubtle"]);
            assert_eq!(run["type"], "TextRun");
            text(&run["text"]);
            for (name, known) in [
                ("weight", &["Lighter", "Default", "Bolder"][..]),
                (
                    "size",
                    &["Small", "Default", "Medium", "Large", "ExtraLarge"][..],
                ),
            ] {
                let value = &run[name];
                assert!(value.is_null() || known.iter().any(|k| value == k), "{run}");
            }
            assert!(run["isSubtle"].is_null() || run["isSubtle"].is_boolean());
        }
    }
    let [action] = &card["actions"].as_array().unwrap()[..] else {
        panic!("{card}");
    };
    only(action, &["type", "title", "url"]);
    assert_eq!(action["type"], "Action.OpenUrl");
    text(&action["title"]);
    assert!(action["url"].as_str().unwrap().starts_with("https://"));
}

#[tokio::test(start_paused = true)]
async fn a_card_of_teams_is_valid_tells_the_facts_and_comes_again_with_the_reminder() {
    let (world, clock, stage) = (world(), FixedClock::default(), workspace());
    let notify = chatting(&world, &clock, &stage, "L2");
    notify
        .handle(&[delivery(&"# *note* [x](https://evil.example) ".repeat(60))])
        .await
        .unwrap();
    clock.step(Duration::from_secs(12 * 3600));
    let id = world.records()[0].request.id.clone();
    notify.send_due(&id).await.unwrap();
    notify.send_due(&id).await.unwrap();
    let cards = cards(&stage);
    assert_eq!(cards.len(), 2, "asked and reminded");
    for card in &cards {
        valid_card(card);
        let text = card.to_string();
        for fact in [
            "Show opening hours",
            "eu-west-1 in account 123456789012",
            "all: 1 of makers",
            "Started by a webhook of the source",
            "The pipeline goes on.",
        ] {
            assert!(text.contains(fact), "{fact}: {text}");
        }
    }
    let title =
        |card: &Value| card["attachments"][0]["content"]["body"][0]["inlines"][0]["text"].clone();
    assert_eq!(title(&cards[0]), "Approve site-release?");
    assert_eq!(title(&cards[1]), "Reminder: Approve site-release?");
}

/// The link of the first message is dead: the message gets the new one.
#[tokio::test(start_paused = true)]
async fn a_revoked_link_is_replaced_in_the_chat_too() {
    let (world, clock, stage) = (world(), FixedClock::default(), workspace());
    let notify = chatting(&world, &clock, &stage, "L2");
    notify.handle(&[delivery("x")]).await.unwrap();
    let old = stage.with(|slack| slack.message(DANA)).to_string();
    clock.step(Duration::from_secs(60));
    let entry: shared::approval::settings::Revocation =
        "person:dana@example.com@2026-01-02T03:05:00Z"
            .parse()
            .unwrap();
    let record = world.records().remove(0);
    let revoked = std::iter::once(entry).collect();
    let next = shared::approval::renew::renewed(&record, &revoked, clock.now()).unwrap();
    world.keep(&next);
    notify.send_due(&next.request.id).await.unwrap();
    let new = stage.with(|slack| slack.message(DANA)).to_string();
    let mail = &world.mails()[2];
    let token = mail.text.reveal().split("/a/").nth(1).unwrap();
    let token = token.split_whitespace().next().unwrap();
    assert!(new.contains(token) && !old.contains(token), "{new}");
    assert_eq!(stage.count("POST", "/api/chat.postMessage"), 1);
}
