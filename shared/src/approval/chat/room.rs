//! Channels where everybody who is asked is asked together: what is due there, once, whoever asks and however often.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use sha2::{Digest, Sha256};

use super::{ChatPlace, slack};
use crate::{
    approval::{
        post,
        request::{Record, State, digest_text},
        sheet::Sheet,
        trail::Kind,
    },
    port::PortError,
};

/// How long one delivery has a channel to itself; after a failure it is left alone for as long.
pub const LEASE: SignedDuration = SignedDuration::from_secs(55);
/// A channel that failed so often in a row is given up: everybody has a mail.
const TRIES: u8 = 3;

/// A channel's id in Slack, as `C012AB3CD`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlackChannel(String);

/// What a channel was told of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Which.
    pub channel: SlackChannel,
    /// The question was sent; where `place` is missing, nobody knows whether it came.
    pub asked: bool,
    /// Where the question stands.
    pub place: Option<ChatPlace>,
    /// Until when one delivery has it to itself, or it is left alone after a failure.
    pub held_until: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u8,
    /// How many of the reminders are behind.
    pub reminders: u8,
    /// How many groups were asked beside the rule's own when it was last told.
    pub escalated: u8,
    /// Digest of what the question shows.
    pub shown: Option<String>,
    /// It says how the request ended.
    pub told: bool,
}

/// What is due in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The question.
    Question,
    /// The question shows something else than it would now: other answers, other people, a newer run.
    Rewrite,
    /// Time runs out: so many of the reminders are then behind.
    Reminder(u8),
    /// So many groups are asked beside the rule's own.
    Escalation(u8),
    /// How it ended, in the question's place.
    Outcome,
}

/// What became of something that was to be said in a channel.
#[derive(Debug)]
pub enum Said {
    /// Nobody writes in channels here.
    Nowhere,
    /// Said; the question stands there.
    At(ChatPlace),
    /// It may have been said: the answer did not come.
    Unsure(PortError),
}

/// Something to be said in a channel.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// What it is about.
    pub record: &'a Record,
    /// Where.
    pub room: &'a Room,
    /// What.
    pub due: Due,
    /// Where people are.
    pub zone: &'a TimeZone,
    /// Now.
    pub now: Timestamp,
}

impl SlackChannel {
    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SlackChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SlackChannel {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let begins = text.starts_with(['C', 'G']);
        if begins && (9..=20).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a channel's id in Slack is written C012AB3CD: it stands at the end of the channel's \"About\"".to_owned())
        }
    }
}

impl Room {
    /// A channel that knows nothing yet.
    pub const fn new(channel: SlackChannel) -> Self {
        Self {
            channel,
            asked: false,
            place: None,
            held_until: None,
            failures: 0,
            reminders: 0,
            escalated: 0,
            shown: None,
            told: false,
        }
    }

    fn due(&self, record: &Record, now: Timestamp) -> Option<Due> {
        let held = self.held_until.is_some_and(|until| until > now);
        if held || self.failures >= TRIES {
            return None;
        }
        let open = record.state == State::Open && now < record.request.expires_at;
        let reminders = post::reminders_by(record, now);
        let time = reminders > self.reminders || record.escalated > self.escalated;
        match (&record.state, &self.place) {
            (State::Open, None) if open && (!self.asked || time) => Some(Due::Question),
            (State::Open, Some(_)) if open && record.escalated > self.escalated => {
                Some(Due::Escalation(record.escalated))
            }
            (State::Open, Some(_)) if open && time => Some(Due::Reminder(reminders)),
            (State::Open, Some(_)) if open && self.shown.as_ref() != Some(&shown(record, now)) => {
                Some(Due::Rewrite)
            }
            (State::Open | State::Deciding { .. }, _) | (_, None) => None,
            (_, Some(_)) => (!self.told && !post::too_late(record, now)).then_some(Due::Outcome),
        }
    }
}

/// The first channel to which something is due.
pub fn due(record: &Record, now: Timestamp) -> Option<(Room, Due)> {
    let known = |channel: &SlackChannel| record.rooms.iter().find(|r| r.channel == *channel);
    let mut channels: Vec<&SlackChannel> = record.rule.channels(record.escalated);
    channels.extend(record.rooms.iter().map(|room| &room.channel));
    channels.into_iter().find_map(|channel| {
        let room = known(channel).cloned();
        let room = room.unwrap_or_else(|| Room::new(channel.clone()));
        room.due(record, now).map(|due| (room, due))
    })
}

/// The record once one delivery has the channel to itself. What would stand there twice if it were said again counts as
/// said from here on: a crash then leaves it unsaid, until time runs out further.
pub fn taken(record: &Record, (room, due): (&Room, Due), now: Timestamp) -> Record {
    let (reminders, escalated) = (post::reminders_by(record, now), record.escalated);
    written(record, room, |room| {
        room.held_until = Some(now + LEASE);
        match due {
            Due::Question => {
                room.asked = true;
                room.reminders = reminders;
                room.escalated = escalated;
            }
            Due::Reminder(number) => room.reminders = number,
            Due::Escalation(groups) => room.escalated = groups,
            Due::Rewrite | Due::Outcome => {}
        }
    })
}

/// The record once the channel was told what was due when `room` was taken; `said_of` is the record that was told.
pub fn told(
    record: &Record,
    (room, due): (&Room, Due),
    said_of: &Record,
    place: Option<ChatPlace>,
    now: Timestamp,
) -> Record {
    let mut next = written(record, room, |room| {
        room.held_until = None;
        room.failures = 0;
        match due {
            Due::Question => {
                // Nobody to tell: not asked again.
                room.failures = if place.is_none() { TRIES } else { 0 };
                room.place = place;
                room.shown = Some(shown(said_of, now));
            }
            Due::Rewrite => room.shown = Some(shown(said_of, now)),
            Due::Reminder(_) | Due::Escalation(_) => {}
            Due::Outcome => room.told = true,
        }
    });
    let asked = next
        .rooms
        .iter()
        .any(|r| r.channel == room.channel && r.place.is_some());
    if due == Due::Question && asked {
        next.note(
            Kind::AskedInChannel,
            None,
            Some(room.channel.to_string()),
            now,
        );
    }
    next
}

/// The record once telling the channel failed: it is left alone for a while. `before` is the channel before it was taken.
pub fn failed(record: &Record, before: &Room, unsure: bool, now: Timestamp) -> Record {
    written(record, before, |room| {
        room.failures = room.failures.saturating_add(1);
        room.held_until = Some(now + LEASE);
        if !unsure {
            room.asked = before.asked;
            room.reminders = before.reminders;
            room.escalated = before.escalated;
        }
    })
}

fn written(record: &Record, room: &Room, change: impl FnOnce(&mut Room)) -> Record {
    let mut next = record.clone();
    next.version += 1;
    let at = next.rooms.iter().position(|r| r.channel == room.channel);
    let at = at.unwrap_or_else(|| {
        next.rooms.push(Room::new(room.channel.clone()));
        next.rooms.len() - 1
    });
    change(&mut next.rooms[at]);
    next
}

/// Digest of what the channel's message shows, but for the time of day.
fn shown(record: &Record, now: Timestamp) -> String {
    let message = slack::in_channel(record, &TimeZone::UTC, record.request.asked_at);
    let closed = Sheet::new(record, &TimeZone::UTC, now).closed.is_some();
    let mut hash = Sha256::new();
    hash.update([u8::from(closed)]);
    hash.update(message.blocks.to_string());
    digest_text(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_written_as_slack_writes_it() {
        for good in ["C012AB3CD", "G012AB3CD"] {
            assert_eq!(good.parse::<SlackChannel>().unwrap().as_str(), good);
        }
        for wrong in ["", "#releases", "U012AB3CD", "c012ab3cd", "C012AB3CD/.."] {
            assert!(wrong.parse::<SlackChannel>().is_err(), "{wrong}");
        }
    }
}
