//! How a record is written down: versioned JSON, apart from the types that decide.

mod history;
mod review;
mod room;
mod state;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    approval::{
        asker::Asker,
        chat::{ChatPlace, room::Room},
        code::CodeHash,
        facts::Mode,
        history::History,
        request::{
            Artifact, Facts, IssuedLink, Made, Recipient, Record, Request, Revision, State, Target,
            Vote,
        },
        rules::{PersonId, Rule, RuleSet},
        trail::Entry,
    },
    id::IdError,
    secret::Secret,
};
use history::{StoredArtifact, StoredHistory, StoredRevision};
use review::StoredReview;
use room::StoredRoom;
use state::{StoredActor, StoredEntry, StoredMachine, StoredState, StoredVote};

/// Written into every record; a reader refuses what it does not know.
const FORMAT: u8 = 1;

/// Why a stored record cannot be read. Values are not in it.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// Not our JSON.
    #[error("the stored approval is not readable")]
    Json(#[source] serde_json::Error),
    /// Written by a newer version.
    #[error("the stored approval has format {0}, this version reads format {FORMAT}")]
    Format(u8),
    /// A part of it is broken.
    #[error("the stored approval has a bad part")]
    Part(#[source] IdError),
}

/// The record as text. Holds secrets: for the table only.
pub fn encode(record: &Record) -> Secret {
    let text = serde_json::to_string(&Stored::from(record))
        .expect("strings, numbers and times always serialize");
    Secret::new(text)
}

/// Reads [`encode`]'s text.
pub fn decode(text: &str) -> Result<Record, StoredError> {
    #[derive(Deserialize)]
    struct Head {
        format: u8,
    }
    let head: Head = serde_json::from_str(text).map_err(StoredError::Json)?;
    if head.format != FORMAT {
        return Err(StoredError::Format(head.format));
    }
    let stored: Stored = serde_json::from_str(text).map_err(StoredError::Json)?;
    stored.try_into().map_err(StoredError::Part)
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u8,
    version: u64,
    id: String,
    /// Absent: a pipeline asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    machine: Option<StoredMachine>,
    pipeline: String,
    stage: String,
    action: String,
    execution: String,
    action_execution: String,
    token: String,
    asked_at: Timestamp,
    expires_at: Timestamp,
    region: String,
    account: String,
    custom_data: Option<String>,
    external_link: Option<String>,
    started_by: Option<String>,
    revisions: Vec<StoredRevision>,
    #[serde(default, skip_serializing_if = "StoredActor::is_unknown")]
    trigger: StoredActor,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    authors: Vec<StoredActor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    artifacts: Vec<StoredArtifact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<StoredHistory>,
    needed: u32,
    /// Absent: the simple rule of `needed` of the recipients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    recipients: Vec<StoredRecipient>,
    votes: Vec<StoredVote>,
    state: StoredState,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rooms: Vec<StoredRoom>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    review: Option<StoredReview>,
    #[serde(default, skip_serializing_if = "is_zero")]
    escalated: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trail: Vec<StoredEntry>,
}

#[derive(Serialize, Deserialize)]
struct StoredRecipient {
    id: String,
    /// Absent: the address stands for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    address: String,
    form_key: String,
    links: Vec<StoredLink>,
    mailing_until: Option<Timestamp>,
    mailed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_zero")]
    reminders: u8,
    #[serde(default, skip_serializing_if = "is_zero")]
    review_mails: u8,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lock_told: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_zero")]
    renewals: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link_opened_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    viewed_at: Option<Timestamp>,
    /// Channel and time of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chat: Option<(String, String)>,
    wrong_codes: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quarantined_at: Option<Timestamp>,
    spent: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredLink {
    id: String,
    salt: String,
    tag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
}

impl From<&Record> for Stored {
    fn from(record: &Record) -> Self {
        let r = &record.request;
        Self {
            format: FORMAT,
            version: record.version,
            id: r.id.to_string(),
            machine: r.asker.machine().map(StoredMachine::from),
            pipeline: r.target.pipeline.to_string(),
            stage: r.target.stage.to_string(),
            action: r.target.action.to_string(),
            execution: r.execution.to_string(),
            action_execution: r.action_execution.to_string(),
            token: r.token.reveal().clone(),
            asked_at: r.asked_at,
            expires_at: r.expires_at,
            region: r.region.clone(),
            account: r.account.clone(),
            custom_data: r.custom_data.clone(),
            external_link: r.external_link.clone(),
            started_by: r.facts.started_by.clone(),
            revisions: r.facts.revisions.iter().map(StoredRevision::from).collect(),
            trigger: (&r.facts.trigger).into(),
            authors: r.facts.authors.iter().map(StoredActor::from).collect(),
            mode: r.facts.mode.map(|mode| mode.as_str().to_owned()),
            attempt: r.facts.attempt,
            artifacts: r.facts.artifacts.iter().map(StoredArtifact::from).collect(),
            history: history::of(&r.facts.history),
            needed: record.rule.needed(),
            rule: (!record.rule.is_simple()).then(|| record.rule.source().to_owned()),
            recipients: record
                .recipients
                .iter()
                .map(StoredRecipient::from)
                .collect(),
            votes: record.votes.iter().map(StoredVote::from).collect(),
            state: StoredState::from(&record.state),
            rooms: record.rooms.iter().map(StoredRoom::from).collect(),
            review: record.review.as_ref().map(StoredReview::from),
            escalated: record.escalated,
            trail: record.trail.iter().map(StoredEntry::from).collect(),
        }
    }
}

impl TryFrom<Stored> for Record {
    type Error = IdError;
    fn try_from(s: Stored) -> Result<Self, IdError> {
        let rule = rule(&s)?;
        Ok(Self {
            request: Request {
                id: s.id.parse()?,
                asker: match s.machine {
                    Some(machine) => Asker::Machine(machine.try_into()?),
                    None => Asker::Pipeline,
                },
                target: Target {
                    pipeline: s.pipeline.parse()?,
                    stage: s.stage.parse()?,
                    action: s.action.parse()?,
                },
                execution: s.execution.parse()?,
                action_execution: s.action_execution.parse()?,
                token: Secret::new(s.token),
                asked_at: s.asked_at,
                expires_at: s.expires_at,
                region: s.region,
                account: s.account,
                custom_data: s.custom_data,
                external_link: s.external_link,
                facts: Facts {
                    started_by: s.started_by,
                    revisions: s.revisions.into_iter().map(Revision::from).collect(),
                    trigger: s.trigger.into(),
                    authors: s.authors.into_iter().map(Into::into).collect(),
                    mode: s.mode.as_deref().and_then(Mode::read),
                    attempt: s.attempt,
                    artifacts: s.artifacts.into_iter().map(Artifact::from).collect(),
                    history: s
                        .history
                        .map(History::try_from)
                        .transpose()?
                        .unwrap_or_default(),
                },
            },
            rule,
            recipients: s
                .recipients
                .into_iter()
                .map(Recipient::try_from)
                .collect::<Result<_, _>>()?,
            votes: s
                .votes
                .into_iter()
                .map(Vote::try_from)
                .collect::<Result<_, _>>()?,
            state: State::try_from(s.state)?,
            rooms: s
                .rooms
                .into_iter()
                .map(Room::try_from)
                .collect::<Result<_, _>>()?,
            review: s.review.map(Into::into),
            escalated: s.escalated,
            trail: s
                .trail
                .into_iter()
                .map(Entry::try_from)
                .collect::<Result<_, _>>()?,
            version: s.version,
        })
    }
}

impl From<&Recipient> for StoredRecipient {
    fn from(r: &Recipient) -> Self {
        let link = |l: &IssuedLink| StoredLink {
            id: l.id.to_string(),
            salt: URL_SAFE_NO_PAD.encode(l.code.salt),
            tag: URL_SAFE_NO_PAD.encode(l.code.tag),
            at: l.made.as_ref().map(|made| made.at),
            kid: l.made.as_ref().map(|made| made.key.to_string()),
        };
        Self {
            id: r.id.to_string(),
            person: (r.person.as_str() != r.address).then(|| r.person.to_string()),
            address: r.address.clone(),
            form_key: URL_SAFE_NO_PAD.encode(r.form_key.reveal()),
            links: r.links.iter().map(link).collect(),
            mailing_until: r.mailing_until,
            mailed_at: r.mailed_at,
            reminders: r.reminders,
            review_mails: r.review_mails,
            lock_told: r.lock_told,
            told_at: r.told_at,
            renewals: r.renewals,
            link_opened_at: r.link_opened_at,
            viewed_at: r.viewed_at,
            chat: r.chat.clone().map(|place| (place.channel, place.at)),
            wrong_codes: r.wrong_codes,
            quarantined_at: r.quarantined_at,
            spent: r.spent.clone(),
        }
    }
}

impl TryFrom<StoredRecipient> for Recipient {
    type Error = IdError;
    fn try_from(r: StoredRecipient) -> Result<Self, IdError> {
        let link = |l: StoredLink| {
            Ok(IssuedLink {
                id: l.id.parse()?,
                code: CodeHash {
                    salt: array(&l.salt)?,
                    tag: array(&l.tag)?,
                },
                made: l
                    .at
                    .zip(l.kid.and_then(|kid| kid.parse().ok()))
                    .map(|(at, key)| Made { at, key }),
            })
        };
        Ok(Self {
            id: r.id.parse()?,
            person: PersonId::stored(r.person.unwrap_or_else(|| r.address.clone())),
            address: r.address,
            form_key: Secret::new(array(&r.form_key)?),
            links: r
                .links
                .into_iter()
                .map(link)
                .collect::<Result<_, IdError>>()?,
            mailing_until: r.mailing_until,
            mailed_at: r.mailed_at,
            reminders: r.reminders,
            review_mails: r.review_mails,
            lock_told: r.lock_told,
            told_at: r.told_at,
            renewals: r.renewals,
            link_opened_at: r.link_opened_at,
            viewed_at: r.viewed_at,
            chat: r.chat.map(|(channel, at)| ChatPlace { channel, at }),
            wrong_codes: r.wrong_codes,
            quarantined_at: r.quarantined_at,
            spent: r.spent,
        })
    }
}

/// Serde asks for a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u8) -> bool {
    *number == 0
}

fn rule(s: &Stored) -> Result<Rule, IdError> {
    let set = match &s.rule {
        Some(text) => RuleSet::parse(text),
        None => RuleSet::simple(s.recipients.iter().map(|r| r.address.as_str()), s.needed),
    };
    // The text may hold names and addresses: which part is wrong stays out.
    set.and_then(RuleSet::into_only).map_err(|_| IdError {
        what: "stored rule",
        problem: "is not one that this version reads".to_owned(),
    })
}

fn array<const N: usize>(text: &str) -> Result<[u8; N], IdError> {
    URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| IdError {
            what: "stored key",
            problem: format!("is not base64url of {N} bytes"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::request::Verdict;

    const GOLDEN: &str = include_str!("stored.golden.json");

    #[test]
    fn what_is_stored_today_is_read_for_ever() {
        let record = decode(GOLDEN).unwrap();
        assert_eq!(encode(&record).reveal(), GOLDEN);
        for state in [
            State::Open,
            State::Elsewhere {
                at: record.request.asked_at,
                verdict: Some(Verdict::Approve),
                by: Some("arn:aws:iam::123456789012:user/kim".to_owned()),
            },
            State::Superseded {
                at: record.request.asked_at,
            },
            State::Expired {
                at: record.request.asked_at,
            },
        ] {
            let record = Record {
                state,
                ..record.clone()
            };
            assert_eq!(decode(encode(&record).reveal()).unwrap(), record);
        }
    }

    #[test]
    fn a_record_keeps_what_was_made_and_the_how_manyeth_time_it_is_asked() {
        let mut record = decode(GOLDEN).unwrap();
        let unmade = record.snapshot_digest();
        record.request.facts.attempt = Some(2);
        record.request.facts.artifacts = vec![Artifact {
            name: "Image".to_owned(),
            location: None,
            digest: Some("sha256:8c1f".to_owned()),
        }];
        let read = decode(encode(&record).reveal()).unwrap();
        assert_eq!(read, record);
        assert_ne!(
            read.snapshot_digest(),
            unmade,
            "what was made is signed too"
        );
    }

    #[test]
    fn a_record_keeps_the_machine_that_asks() {
        let mut record = decode(GOLDEN).unwrap();
        let machine = r#"{"execution":"arn:aws:states:r:a:execution:m:n","subject":"s"}"#;
        let machine: StoredMachine = serde_json::from_str(machine).unwrap();
        record.request.asker = Asker::Machine(machine.try_into().unwrap());
        assert_eq!(decode(encode(&record).reveal()).unwrap(), record);
    }

    #[test]
    fn a_record_keeps_the_channels_that_were_told() {
        let mut record = decode(GOLDEN).unwrap();
        let mut room = Room::new("C012AB3CD".parse().unwrap());
        record.rooms = vec![room.clone()];
        room.place = Some(ChatPlace {
            channel: "C012AB3CD".to_owned(),
            at: "1.2".to_owned(),
        });
        room.held_until = Some(record.request.asked_at);
        (room.failures, room.reminders, room.escalated) = (1, 2, 3);
        (room.asked, room.shown) = (true, Some("digest".to_owned()));
        room.told = true;
        room.channel = "C987ZY6XW".parse().unwrap();
        record.rooms.push(room);
        record.recipients[0].lock_told = true;
        assert_eq!(decode(encode(&record).reveal()).unwrap(), record);
    }

    #[test]
    fn a_record_keeps_the_pipelines_past() {
        let golden = include_str!("stored.history.golden.json");
        let record = decode(golden).unwrap();
        assert_eq!(encode(&record).reveal(), golden);
        let history = &record.request.facts.history;
        assert_eq!(history.between.len(), 1);
        assert_eq!(history.newer.len(), 1);
        assert!(history.current.is_some() && history.last.is_some());
        assert_eq!(history.deploys.len(), 1);
    }

    #[test]
    fn a_record_keeps_its_mode_and_what_it_gave_way_to() {
        use crate::approval::request::Decision;
        let mut record = decode(GOLDEN).unwrap();
        record.request.facts.mode = Some(Mode::Parallel);
        let decision = Decision {
            id: "CAgICAgICAgICAgI".parse().unwrap(),
            verdict: Verdict::Reject,
            at: record.request.asked_at,
            newer: Some(record.request.execution.clone()),
        };
        record.state = State::Decided {
            decision,
            delivered_at: record.request.asked_at,
        };
        assert_eq!(decode(encode(&record).reveal()).unwrap(), record);
    }

    #[test]
    fn a_record_under_a_rules_file_keeps_its_rule_and_who_did_what() {
        let golden = include_str!("stored.ruled.golden.json");
        let record = decode(golden).unwrap();
        assert_eq!(encode(&record).reveal(), golden);
        assert_eq!(
            (record.rule.name.as_str(), record.rule.needed()),
            ("strict", 2)
        );
        assert_eq!(record.request.facts.authors.len(), 2);
        let broken = golden.replace("dana@example.com\\\"", "planted\\\"");
        assert_ne!(broken, golden);
        let error = decode(&broken).unwrap_err();
        assert!(!format!("{error:?}").contains("planted"), "{error:?}");
    }

    #[test]
    fn what_is_not_ours_is_refused_without_its_values() {
        let newer = GOLDEN.replace("\"format\":1", "\"format\":2");
        assert!(matches!(decode(&newer), Err(StoredError::Format(2))));
        let broken = GOLDEN.replace("BwcHBwcHBwcHBwcHBwcHBw", "planted");
        let error = decode(&broken).unwrap_err();
        assert!(!format!("{error:?}").contains("planted"), "{error:?}");
    }
}
