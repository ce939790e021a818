//! One approver of one request, and the links they got.

use jiff::Timestamp;

use super::{CODE_TRIES, Record};
use crate::{
    approval::{
        chat::ChatPlace,
        code::CodeHash,
        id::{LinkId, RecipientId},
        rules::{PersonId, Rule},
        settings::KeyId,
    },
    secret::Secret,
};

/// One approver of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Stands in links.
    pub id: RecipientId,
    /// Who it is in the rule.
    pub person: PersonId,
    /// Mail address, from the settings only.
    pub address: String,
    /// Keys the form nonces of this recipient; known only to the table.
    pub form_key: Secret<[u8; 32]>,
    /// Links issued: more than one only where a delivery was repeated after a crash.
    pub links: Vec<IssuedLink>,
    /// Until when one delivery has the sole right to mail this recipient.
    pub mailing_until: Option<Timestamp>,
    /// When the mail was handed over.
    pub mailed_at: Option<Timestamp>,
    /// How many of the reminders are behind.
    pub reminders: u8,
    /// How many mails about a review they got.
    pub review_mails: u8,
    /// They were told that their links are locked.
    pub lock_told: bool,
    /// When they were told how it ended.
    pub told_at: Option<Timestamp>,
    /// How often their links were revoked and new ones mailed.
    pub renewals: u8,
    /// When a note of their link's opening was left last.
    pub link_opened_at: Option<Timestamp>,
    /// The same of their own view, signed in.
    pub viewed_at: Option<Timestamp>,
    /// Where the question stands in their chat.
    pub chat: Option<ChatPlace>,
    /// Wrong codes typed.
    pub wrong_codes: u8,
    /// When links of this recipient said opposite things at once; nothing of theirs counts any more.
    pub quarantined_at: Option<Timestamp>,
    /// Digests of nonces already used.
    pub spent: Vec<String>,
}

/// A link that was signed, and the hash of the code mailed with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedLink {
    /// The link's `jti`.
    pub id: LinkId,
    /// Of the code beside it in the mail.
    pub code: CodeHash,
    /// How it was made; `None`: by a version that did not write that down.
    pub made: Option<Made>,
}

/// How a link was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// When; to the second, as the link says it.
    pub at: Timestamp,
    /// Signed by which key.
    pub key: KeyId,
}

impl Made {
    /// Now, by this key.
    pub fn now(now: Timestamp, key: KeyId) -> Self {
        let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self { at, key }
    }
}

impl IssuedLink {
    /// When it was made, at the earliest.
    pub fn made_at(&self, record: &Record) -> Timestamp {
        let made = self.made.as_ref().map(|made| made.at);
        made.unwrap_or(record.request.asked_at)
    }
}

impl Recipient {
    /// Somebody with an address whom nobody has mailed yet. `fresh` makes id and form key.
    pub(in crate::approval) fn of(
        rule: &Rule,
        person: PersonId,
        fresh: &mut impl FnMut() -> (RecipientId, [u8; 32]),
    ) -> Option<Self> {
        let address = rule.people.get(&person)?.mail.as_ref()?.to_string();
        let (id, form_key) = fresh();
        Some(Self {
            id,
            person,
            address,
            form_key: form_key.into(),
            links: Vec::new(),
            mailing_until: None,
            mailed_at: None,
            reminders: 0,
            review_mails: 0,
            lock_told: false,
            told_at: None,
            renewals: 0,
            link_opened_at: None,
            viewed_at: None,
            chat: None,
            wrong_codes: 0,
            quarantined_at: None,
            spent: Vec::new(),
        })
    }

    /// Whether they had a mail, even if its link is revoked by now.
    pub const fn was_mailed(&self) -> bool {
        self.mailed_at.is_some() || self.renewals > 0
    }

    /// Too many wrong codes, or opposite answers at once.
    pub const fn locked(&self) -> bool {
        self.wrong_codes >= CODE_TRIES || self.quarantined_at.is_some()
    }
}
