//! Beside the mail: messages in the channels of groups, reminders and escalations under them.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use shared::approval::{
    id::DecisionId,
    means::Means,
    request::{Decision, State, Verdict, Vote},
};
use stagewright_standins::{Stage, Trick, slack::Slack};

use super::{
    chats::{Chatting, DANA, chatting},
    *,
};

pub(super) const MAKERS: &str = "C0MAKERS01";
const BOSSES: &str = "C00BOSSES1";

pub(super) type Asking =
    Notify<ApprovalWorld, ApprovalWorld, ApprovalWorld, Chatting, FixedClock, ApprovalWorld>;

pub(super) struct Place {
    pub(super) world: ApprovalWorld,
    pub(super) clock: FixedClock,
    pub(super) stage: Stage<Slack>,
    notify: Asking,
}

/// Dana, who is in Slack, and Lee, who is not, are asked; Kim when time runs out.
pub(super) fn place(level: &str) -> Place {
    let (world, clock) = (world(), FixedClock::default());
    let stage = Stage::new(Slack::with(&[DANA, MAKERS, BOSSES]));
    let mut notify = chatting(&world, &clock, &stage, level);
    let file = format!(
        r#"{{"version":1,"people":{{
        "dana":{{"name":"Dana","mail":"dana@example.com","slack":"{DANA}"}},
        "lee":{{"name":"Lee","mail":"lee@example.com"}},"kim":{{"name":"Kim","mail":"kim@example.com"}}}},
        "groups":{{"makers":["dana","lee"],"bosses":["kim"]}},
        "channels":{{"makers":{{"slack":"{MAKERS}"}},"bosses":{{"slack":"{BOSSES}"}}}},
        "rules":[{{"name":"all","needs":[{{"group":"makers","approvals":2}}],"escalateTo":["bosses"],"level":"{level}",
            "fourEyes":{{"trigger":false,"authors":false}}}}]}}"#
    );
    notify.settings.rules = RuleSet::parse(&file).unwrap();
    Place {
        world,
        clock,
        stage,
        notify,
    }
}

impl Place {
    /// The function once more, where calls fail as planned.
    pub(super) fn under(&self, plan: &shared_testkit::Plan) -> Asking {
        let world = self.world.under(plan);
        let mut notify = chatting(&world, &self.clock, &self.stage, "L1");
        notify.settings.rules = self.notify.settings.rules.clone();
        notify
    }

    /// How many questions came to a user or channel.
    pub(super) fn posts(&self, to: &str) -> usize {
        let records = self.stage.records();
        let posts = records
            .iter()
            .filter(|r| r.asked.path == "/api/chat.postMessage")
            .map(|r| r.asked.json());
        posts
            .filter(|body| body["channel"] == to && body["thread_ts"].is_null())
            .count()
    }

    pub(super) async fn asked(&self) {
        self.notify.handle(&[delivery("x")]).await.unwrap();
    }

    pub(super) async fn due(&self) {
        let id = self.world.records()[0].request.id.clone();
        self.notify.send_due(&id).await.unwrap();
    }

    pub(super) fn message(&self, channel: &str) -> String {
        self.stage.with(|slack| slack.message(channel)).to_string()
    }

    /// What was written under messages, with the channel.
    fn threads(&self) -> Vec<(String, String)> {
        let threads = self.stage.with(|slack| slack.threads.clone());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        threads
            .iter()
            .map(|message| {
                assert_eq!(message["reply_broadcast"], true);
                assert_eq!(message["unfurl_links"], false);
                (text(&message["channel"]), message.to_string())
            })
            .collect()
    }

    /// Writes as somebody else does.
    pub(super) async fn change(&self, change: impl FnOnce(&mut Record)) {
        let mut record = self.world.records().remove(0);
        record.version += 1;
        change(&mut record);
        self.world.replace(&record).await.unwrap();
    }
}

fn approval(record: &Record, at: usize) -> Vote {
    Vote {
        recipient: record.recipients[at].id.clone(),
        verdict: Verdict::Approve,
        alone: false,
        comment: String::new(),
        at: BEGINNING,
        attempt: DecisionId::from_random([7; 12]),
        means: Means::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_is_asked_once_and_names_who_is_asked() {
    let place = place("L1");
    place.asked().await;
    place.asked().await;
    let message = place.message(MAKERS);
    assert!(message.contains("Approve site-release?") && message.contains("Show opening hours"));
    assert!(
        message.contains(&format!(r#"{{"type":"user","user_id":"{DANA}"}}"#))
            && message.contains("Lee")
            && !message.contains("Kim"),
        "{message}"
    );
    assert!(message.contains("stagewright-approve") && message.contains("stagewright-reject"));
    assert_eq!(
        place.stage.count("POST", "/api/chat.postMessage"),
        2,
        "Dana and the channel"
    );
    let records = place.world.records();
    let told: Vec<_> = records[0]
        .trail
        .iter()
        .map(|entry| entry.kind.as_str())
        .collect();
    assert!(told.contains(&"asked-in-channel"), "{told:?}");
}

/// What a channel reads, everybody in it reads: nothing there opens a page or decides for those who hold it.
#[tokio::test(start_paused = true)]
async fn threat_45_a_channel_holds_no_link_no_code_and_above_l1_no_button() {
    for level in ["L1", "L2"] {
        let place = place(level);
        place.asked().await;
        let message = place.message(MAKERS);
        for mail in place.world.mails() {
            let code = mail
                .text
                .reveal()
                .lines()
                .find_map(|l| l.strip_prefix("Code: "));
            assert!(code.is_none_or(|code| !message.contains(code)), "{message}");
        }
        assert!(
            !message.contains("/a/") && !message.contains(TOKEN),
            "{message}"
        );
        assert!(!message.contains("mrkdwn"), "{message}");
        let record = place.world.records().remove(0);
        for who in &record.recipients {
            assert!(!message.contains(who.id.as_str()), "{message}");
            for link in &who.links {
                assert!(!message.contains(link.id.as_str()), "{message}");
            }
        }
        assert_eq!(message.contains("\"actions\""), level == "L1", "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn reminders_and_escalations_are_written_under_the_question() {
    let place = place("L2");
    place.asked().await;
    place
        .change(|record| record.votes.push(approval(record, 0)))
        .await;
    place.due().await;
    let message = place.message(MAKERS);
    assert!(message.contains("So far: Dana approved"), "{message}");
    // The sample of SNS waits for 24 hours.
    place.clock.step(Duration::from_secs(12 * 3600));
    place.due().await;
    place.due().await;
    let threads = place.threads();
    let [(channel, reminder)] = &threads[..] else {
        panic!("{threads:?}");
    };
    assert_eq!(
        channel, MAKERS,
        "Dana answered, so her own chat is left alone"
    );
    assert!(
        reminder.contains("Reminder: site-release still waits")
            && reminder.contains("Lee")
            && !reminder.contains(DANA),
        "{reminder}"
    );
    place.clock.step(Duration::from_secs(10 * 3600));
    let kim = {
        let record = place.world.records().remove(0);
        let mut other = Record::opened(record.request, record.rule, || {
            (RecipientId::from_random([9; 8]), [9; 32])
        });
        let mut kim = other.recipients.remove(0);
        kim.person = other.rule.person_named("kim").unwrap().clone();
        "kim@example.com".clone_into(&mut kim.address);
        kim
    };
    place
        .change(|record| {
            record.escalated = 1;
            record.recipients.push(kim);
        })
        .await;
    place.due().await;
    let said: BTreeSet<String> = place.threads()[1..]
        .iter()
        .map(|(_, text)| text.clone())
        .collect();
    assert!(
        said.iter()
            .any(|text| text.contains("bosses may answer too")),
        "{said:?}"
    );
    let mails = place.world.mails();
    let kims = mails.iter().find(|m| m.to == "kim@example.com").unwrap();
    assert!(
        kims.subject.starts_with("Time runs out: ")
            && kims.html.reveal().contains("you are asked too"),
        "{}",
        kims.subject
    );
    let bosses = place.message(BOSSES);
    assert!(
        bosses.contains("Approve site-release?") && bosses.contains("Kim"),
        "{bosses}"
    );
}

#[tokio::test(start_paused = true)]
async fn somebody_who_did_not_answer_is_reminded_in_their_chat() {
    let place = place("L2");
    place.asked().await;
    place.clock.step(Duration::from_secs(12 * 3600));
    place.due().await;
    let to: Vec<String> = place
        .threads()
        .into_iter()
        .map(|(channel, _)| channel)
        .collect();
    assert_eq!(to, ["D0000DANA", MAKERS]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_says_how_it_ended_and_has_no_buttons_then() {
    let place = place("L1");
    place.asked().await;
    place
        .change(|record| {
            record.votes.push(approval(record, 1));
            record.state = State::Decided {
                decision: Decision {
                    id: DecisionId::from_random([7; 12]),
                    verdict: Verdict::Approve,
                    at: BEGINNING,
                    newer: None,
                },
                delivered_at: BEGINNING,
            };
        })
        .await;
    place.due().await;
    let message = place.message(MAKERS);
    assert!(
        message.contains("Approved: site-release") && message.contains("Lee approved"),
        "{message}"
    );
    assert!(!message.contains("\"actions\""), "{message}");
    let before = place.stage.count("POST", "/api/");
    place.due().await;
    assert_eq!(place.stage.count("POST", "/api/"), before, "told once");
}

/// Everybody has a mail: a channel that fails keeps none back, is tried again, and not for ever.
#[tokio::test(start_paused = true)]
async fn a_channel_that_fails_is_tried_three_times() {
    let place = place("L2");
    place.stage.always("POST", "/api/", Trick::throttled(None));
    place.asked().await;
    assert_eq!(place.world.mails().len(), 2);
    let tries = || place.stage.count("POST", "/api/chat.postMessage");
    assert_eq!(tries(), 2, "Dana, and the channel");
    for expected in [3, 4, 4] {
        place.due().await;
        assert!(
            tries() < expected + usize::from(expected == 4),
            "not before its time"
        );
        place.clock.step(Duration::from_secs(60));
        place.due().await;
        assert_eq!(tries(), expected);
    }
}
