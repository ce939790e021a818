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
