//! Buttons pressed in Slack: whose they are, what is believed, and within which time.

use serde_json::{Value, json};
use shared::{
    approval::{
        chat::{
            Question,
            send::Chats,
            slack::{APPROVE, REJECT, in_channel, question},
        },
        http::{Body, HttpAnswer, HttpRequest},
        means::Channel,
        port::ApprovalStore,
        request::Verdict,
    },
    port::Clock,
    secret::Secret,
};
use shared_testkit::{memory::MemorySecrets, time::VirtualTime};
use stagewright_standins::{
    InMemory, Stage, Trick,
    slack::{Pressed, SECRET, Slack as Workspace, signed},
};

use super::{
    super::slack::{Slack, is_slack},
    events,
    scene::{BASE, Scene, scene_by},
};

const L1: &str = r#""needs":[{"group":"makers","approvals":2}],"veto":["security"],"fourEyes":{"trigger":false,"authors":false},"level":"L1""#;
const DANA: &str = "U0000DANA";
const KIM: &str = "U00000KIM";
const REPLY: &str = "https://hooks.slack.com/actions/T111/1/planted-reply";

struct Desk {
    scene: Scene,
    stage: Stage<Workspace>,
    chats: Chats<InMemory<Workspace, VirtualTime>, MemorySecrets>,
}

fn desk(rule: &str) -> Desk {
    let stage = Stage::new(Workspace::with(&[DANA, KIM]));
    let secrets = MemorySecrets::default();
    secrets.set("ssm:slack-secret", SECRET);
    Desk {
        scene: scene_by(rule),
        chats: Chats {
            http: stage.http(VirtualTime::begin()),
            secrets,
            slack_token: None,
            slack_secret: Some("ssm:slack-secret".parse().unwrap()),
            slack_api: "https://slack.com/api".to_owned(),
        },
        stage,
    }
}

impl Desk {
    /// The message as Slack keeps it, to whoever was invited at this place.
    fn message(&self, at: usize) -> Value {
        let record = self.scene.world.records().remove(0);
        let recipient = record
            .recipient(&self.scene.invitations[at].recipient)
            .unwrap();
        let page = Secret::new(format!("{BASE}/a/planted-link"));
        let asked = Question {
            record: &record,
            recipient,
            again: false,
            link: &recipient.links[0].id,
            page: (record.rule.level.name() != "L1").then_some(&page),
            zone: &jiff::tz::TimeZone::UTC,
            now: self.scene.clock.now(),
        };
        let message = question(&asked);
        json!({"ts": "1.1", "text": message.text, "blocks": message.blocks})
    }

    fn press(&self, user: &str, at: usize, action: &str) -> Pressed {
        let message = self.message(at);
        let now = self.scene.clock.now();
        self.stage
            .with(|slack| slack.press(user, &message, action, REPLY, now))
    }

    /// Somebody presses a button of the channel's message.
    fn press_in_channel(&self, user: &str, action: &str) -> Pressed {
        let record = self.scene.world.records().remove(0);
        let now = self.scene.clock.now();
        let message = in_channel(&record, &jiff::tz::TimeZone::UTC, now);
        let message = json!({"ts": "1.1", "text": message.text, "blocks": message.blocks});
        self.stage
            .with(|slack| slack.press(user, &message, action, REPLY, now))
    }

    /// Through both kinds of event that Lambda may be called with: forms come in base64.
    async fn send(&self, pressed: &Pressed) -> HttpAnswer {
        let request = HttpRequest {
            method: "POST".to_owned(),
            path: "/slack".to_owned(),
            headers: pressed.headers.clone(),
            body: Body::Text(pressed.body.clone()),
            ..HttpRequest::default()
        };
        self.ask(&events::through(&request)).await
    }

    async fn ask(&self, request: &HttpRequest) -> HttpAnswer {
        assert!(is_slack(request, &BASE.parse().unwrap()));
        let desk = Slack {
            respond: &*self.scene.page,
            press: &self.chats,
        };
        let answer = desk.handle(request).await;
        assert_eq!(
            (answer.body.as_str(), answer.header("Cache-Control")),
            ("", Some("no-store"))
        );
        answer
    }

    fn votes(&self) -> Vec<(Verdict, Channel)> {
        let record = self.scene.world.records().remove(0);
        let votes = record.votes.iter();
        votes
            .map(|vote| (vote.verdict, vote.means.channel))
            .collect()
    }

    fn replies(&self) -> Vec<Value> {
        self.stage.with(|slack| slack.replies.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn threat_39_a_button_of_a_revoked_link_decides_nothing() {
    let request = desk(L1).scene.world.records().remove(0).request;
    for entry in [
        format!("approval:{}", request.id),
        "before:2026-01-02T03:04:06Z".to_owned(),
        "person:dana@example.com@2026-01-02T03:04:06Z".to_owned(),
    ] {
        let mut desk = desk(L1);
        let pressed = desk.press(DANA, 0, APPROVE);
        let page = std::sync::Arc::get_mut(&mut desk.scene.page).unwrap();
        let revocation: shared::approval::settings::Revocation = entry.parse().unwrap();
        page.settings.revoked = std::iter::once(revocation).collect();
        assert_eq!(desk.send(&pressed).await.status, 403, "{entry}");
        assert_eq!(desk.votes(), [], "{entry}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_press_votes_once_and_the_message_says_so() {
    let desk = desk(L1);
    let pressed = desk.press(DANA, 0, APPROVE);
    assert_eq!(desk.send(&pressed).await.status, 200);
    assert_eq!(desk.votes(), [(Verdict::Approve, Channel::Slack)]);
    let reply = &desk.replies()[0];
    assert_eq!(
        (&reply["replace_original"], &reply["text"]),
        (&json!(true), &json!("Approved: site-release"))
    );
    assert_eq!(reply["unfurl_links"], false);
    // Kim's veto decides, and the hold of the lowest level keeps it for a while.
    let veto = desk.press(KIM, 1, REJECT);
    assert_eq!(desk.send(&veto).await.status, 200);
    assert_eq!(desk.votes().len(), 2);
    assert_eq!(desk.scene.world.results(), []);
}

#[tokio::test(start_paused = true)]
async fn threat_45_whoever_is_not_asked_decides_nothing_and_is_told_alone() {
    let desk = desk(L1);
    for (user, at) in [
        // A colleague, a stranger, and a person whom the rules file knows without an id in Slack.
        (KIM, 0),
        ("U000OTHER", 0),
        (DANA, 1),
        ("U000OTHER", 2),
        ("", 2),
    ] {
        let answer = desk.send(&desk.press(user, at, APPROVE)).await;
        assert_eq!(answer.status, 403, "{user} for {at}");
    }
    assert_eq!(desk.votes(), []);
    for reply in desk.replies() {
        assert_eq!(
            (&reply["response_type"], &reply["replace_original"]),
            (&json!("ephemeral"), &json!(false))
        );
    }
    assert_eq!(desk.replies().len(), 5);
    // A value of one's own making names nobody else's question.
    let mut message = desk.message(0);
    let other = desk.message(1)["blocks"].clone();
    let value = |blocks: &Value| {
        let actions = blocks
            .as_array()
            .unwrap()
            .iter()
            .find(|b| b["type"] == "actions");
        actions.unwrap()["elements"][0]["value"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (mine, theirs) = (value(&message["blocks"]), value(&other));
    let parts = |text: &str, at: usize| text.split('.').nth(at).unwrap().to_owned();
    let mixed = format!(
        "{}.{}.{}.{}",
        parts(&mine, 0),
        parts(&mine, 1),
        parts(&theirs, 2),
        parts(&mine, 3)
    );
    let text = message["blocks"].to_string().replace(&mine, &mixed);
    message["blocks"] = serde_json::from_str(&text).unwrap();
    let now = desk.scene.clock.now();
    let forged = desk
        .stage
        .with(|slack| slack.press(DANA, &message, APPROVE, REPLY, now));
    assert_eq!(desk.send(&forged).await.status, 403);
    assert_eq!(desk.votes(), []);
}

#[tokio::test(start_paused = true)]
async fn a_press_in_a_channel_counts_for_whoever_pressed() {
    let desk = desk(L1);
    let pressed = desk.press_in_channel(DANA, APPROVE);
    assert_eq!(desk.send(&pressed).await.status, 200);
    assert_eq!(desk.votes(), [(Verdict::Approve, Channel::Slack)]);
    let record = desk.scene.world.records().remove(0);
    let voter = record.recipient(&record.votes[0].recipient).unwrap();
    assert_eq!(voter.person.as_str(), "dana");
    // The others still have their buttons, and see who answered.
    let reply = &desk.replies()[0];
    assert_eq!(
        (&reply["replace_original"], &reply["response_type"]),
        (&json!(true), &json!("in_channel"))
    );
    let text = reply.to_string();
    assert!(
        text.contains("So far: Dana approved") && text.contains(APPROVE),
        "{text}"
    );
    let again = desk.press_in_channel(DANA, APPROVE);
    assert_eq!(desk.send(&again).await.status, 200);
    assert_eq!(desk.votes().len(), 1);
    assert_eq!(desk.replies()[1]["response_type"], "ephemeral");
    let veto = desk.press_in_channel(KIM, REJECT);
    assert_eq!(desk.send(&veto).await.status, 200);
    let text = desk.replies()[2].to_string();
    assert!(
        text.contains("Rejected: site-release") && !text.contains(APPROVE),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn threat_45_being_in_a_channel_is_no_right_to_decide() {
    let desk = desk(L1);
    // A stranger in the channel, nobody, and Lee, whom the rules file knows without an id in Slack.
    for user in ["U000OTHER", "", "U00000LEE"] {
        let pressed = desk.press_in_channel(user, APPROVE);
        assert_eq!(desk.send(&pressed).await.status, 403, "{user}");
    }
    for reply in desk.replies() {
        assert_eq!(
            (&reply["response_type"], &reply["replace_original"]),
            (&json!("ephemeral"), &json!(false))
        );
    }
    // A button of the lowest level, pressed where the rule asks for more.
    let value = |desk: &Desk| {
        let record = desk.scene.world.records().remove(0);
        format!("{}.channel.{}", record.request.id, record.snapshot_digest())
    };
    assert_eq!(desk.votes(), []);
    let above = super::slack::desk(&L1.replace("L1", "L2"));
    let blocks =
        json!([{"type": "actions", "elements": [{"action_id": APPROVE, "value": value(&above)}]}]);
    let (message, now) = (
        json!({"ts": "1.1", "blocks": blocks}),
        above.scene.clock.now(),
    );
    let pressed = above
        .stage
        .with(|slack| slack.press(DANA, &message, APPROVE, REPLY, now));
    assert_eq!(above.send(&pressed).await.status, 403);
    assert_eq!(above.votes(), []);
    // Dana has no mail yet, and so no link.
    let mut record = desk.scene.world.records().remove(0);
    record.version += 1;
    record.recipients.iter_mut().for_each(|r| r.links.clear());
    desk.scene.world.replace(&record).await.unwrap();
    let early = desk.press_in_channel(DANA, APPROVE);
    assert_eq!(desk.send(&early).await.status, 409);
    assert_eq!(desk.votes(), []);
    let told = desk
        .stage
        .with(|slack| slack.replies.last().unwrap().to_string());
    assert!(
        told.contains("Your own mail is on its way") && told.contains("ephemeral"),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn threat_46_forged_stale_and_repeated_calls_have_no_effect() {
    let desk = desk(L1);
    let good = desk.press(DANA, 0, APPROVE);
    let reads = || {
        let calls = desk.scene.world.plan.calls();
        calls.iter().filter(|call| **call == "store load").count()
    };
    let before = reads();
    for at in [0, 10, good.body.len() / 2, good.body.len() - 1] {
        let mut altered = good.clone();
        let mut bytes = altered.body.into_bytes();
        bytes[at] ^= 1;
        altered.body = String::from_utf8(bytes).unwrap();
        assert_eq!(desk.send(&altered).await.status, 401, "byte {at}");
    }
    // The same JSON, written again: signed is what came over the wire.
    let mut again = good.clone();
    again.body = good.body.replace("%2C", ",");
    assert_ne!(again.body, good.body);
    assert_eq!(desk.send(&again).await.status, 401);
    for name in ["x-slack-signature", "x-slack-request-timestamp"] {
        let mut bare = good.clone();
        bare.headers.retain(|(known, _)| known != name);
        assert_eq!(desk.send(&bare).await.status, 401, "{name}");
    }
    let now = desk.scene.clock.now();
    for seconds in [-301, 301] {
        let stale = signed(&good.body, now + jiff::SignedDuration::from_secs(seconds));
        assert_eq!(desk.send(&stale).await.status, 401, "{seconds}");
    }
    assert_eq!(
        (desk.votes(), reads()),
        (vec![], before),
        "nothing is read for them"
    );
    for _ in 0..3 {
        assert_eq!(desk.send(&good).await.status, 200);
        assert_eq!(desk.votes().len(), 1);
    }
    assert_eq!(desk.replies()[1]["response_type"], "ephemeral");
}

#[tokio::test(start_paused = true)]
async fn above_the_lowest_level_a_button_only_opens_the_page() {
    let desk = desk(&L1.replace("L1", "L2"));
    let opened = desk.press(DANA, 0, "stagewright-open");
    assert_eq!(desk.send(&opened).await.status, 200);
    // As if the message had the other buttons.
    let record = desk.scene.world.records().remove(0);
    let who = record
        .recipient(&desk.scene.invitations[0].recipient)
        .unwrap();
    let value = format!(
        "{}.{}.{}.{}",
        record.request.id,
        who.id,
        who.links[0].id,
        record.snapshot_digest()
    );
    let blocks = json!([{"type": "actions", "elements": [{"action_id": APPROVE, "value": value}]}]);
    let message = json!({"ts": "1.1", "blocks": blocks});
    let now = desk.scene.clock.now();
    let pressed = desk
        .stage
        .with(|slack| slack.press(DANA, &message, APPROVE, REPLY, now));
    assert_eq!(desk.send(&pressed).await.status, 403);
    assert_eq!(desk.votes(), []);
}

#[tokio::test(start_paused = true)]
async fn slack_has_its_answer_within_three_seconds_whatever_its_own_side_does() {
    for trick in [Trick::Hang, Trick::status(500), Trick::LostAnswer] {
        let desk = desk(L1);
        desk.stage.trick("POST", "/actions/", 1, trick);
        let pressed = desk.press(DANA, 0, APPROVE);
        let begin = tokio::time::Instant::now();
        assert_eq!(desk.send(&pressed).await.status, 200);
        assert!(begin.elapsed() < std::time::Duration::from_secs(3));
        assert_eq!(desk.votes().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn odd_calls_end_at_the_door() {
    let mut desk = desk(L1);
    let get = HttpRequest {
        method: "GET".to_owned(),
        path: "/slack".to_owned(),
        ..HttpRequest::default()
    };
    assert_eq!(desk.ask(&get).await.status, 405);
    let now = desk.scene.clock.now();
    let large = signed(&"x".repeat(70_000), now);
    assert_eq!(desk.send(&large).await.status, 413);
    assert_eq!(desk.send(&signed("payload=%7B%7D", now)).await.status, 400);
    let elsewhere = desk.stage.with(|slack| {
        slack.press(
            DANA,
            &desk_message(),
            "stagewright-open",
            "https://evil.example/",
            now,
        )
    });
    assert_eq!(desk.send(&elsewhere).await.status, 200);
    assert_eq!(desk.replies().len(), 0);
    desk.chats.slack_secret = None;
    let pressed = desk.press(DANA, 0, APPROVE);
    assert_eq!(desk.send(&pressed).await.status, 404);
}

fn desk_message() -> Value {
    json!({"ts": "1.1", "blocks": [{"elements": [{"action_id": "stagewright-open"}]}]})
}

#[tokio::test(start_paused = true)]
async fn replies_go_to_slack_only() {
    let desk = desk(L1);
    let message = desk.message(0);
    let now = desk.scene.clock.now();
    for to in [
        "https://evil.example/actions/1",
        "https://hooks.slack.com.evil.example/",
        "http://127.0.0.1:1/actions",
    ] {
        let pressed = desk
            .stage
            .with(|slack| slack.press(KIM, &message, APPROVE, to, now));
        assert_eq!(desk.send(&pressed).await.status, 403);
    }
    assert_eq!(desk.replies(), Vec::<Value>::new());
}
