//! Links that hold no longer: the emergency switch.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use jiff::Timestamp;

use super::{Address, KeyId, REVOKED};
use crate::{
    approval::{
        id::ApprovalId,
        link::Claims,
        request::{Recipient, Record},
    },
    config::{self, ConfigError, Source},
};

/// Which links open nothing although they are signed and in time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    approvals: BTreeMap<ApprovalId, Until>,
    /// By short names and addresses, as links' recipients are matched.
    people: BTreeMap<String, Until>,
    /// Everything that they signed.
    keys: BTreeSet<KeyId>,
    /// All links made before.
    before: Option<Timestamp>,
}

/// Which links of something are revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// Those made before; later ones hold.
    Made(Timestamp),
    /// All, and there are no new ones.
    Ever,
}

/// One entry of the setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// `approval:ID` or `approval:ID@2026-11-24T16:00:00Z`.
    Approval(ApprovalId, Until),
    /// `person:dana`, `person:dana@example.com` or either with `@2026-11-24T16:00:00Z` behind it.
    Person(String, Until),
    /// `key:KID`.
    Key(KeyId),
    /// `before:2026-11-24T16:00:00Z`.
    Before(Timestamp),
}

pub(super) fn read(source: &impl Source) -> Result<Revoked, ConfigError> {
    Ok(config::list::<Revocation>(source, &REVOKED)?
        .into_iter()
        .collect())
}

impl FromStr for Revocation {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "write approval:ID, person:NAME, key:KID or before:2026-11-24T16:00:00Z; behind approval and person @ and a time may follow".to_owned()
        };
        let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
        let (name, until) = match value.rsplit_once('@') {
            Some((name, time)) if time.starts_with(|c: char| c.is_ascii_digit()) => {
                match time.parse() {
                    Ok(time) => (name, Until::Made(time)),
                    Err(_) if time.contains('T') => return Err(wrong()),
                    Err(_) => (value, Until::Ever),
                }
            }
            _ => (value, Until::Ever),
        };
        let bad = |_| wrong();
        match kind {
            "approval" => {
                let id = name.parse().map_err(|_| wrong())?;
                Ok(Self::Approval(id, until))
            }
            "person" if !name.is_empty() => Ok(Self::Person(normal(name), until)),
            "key" => value.parse().map(Self::Key).map_err(bad),
            "before" => value.parse().map(Self::Before).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl FromIterator<Revocation> for Revoked {
    fn from_iter<I: IntoIterator<Item = Revocation>>(entries: I) -> Self {
        let mut revoked = Self::default();
        for entry in entries {
            match entry {
                Revocation::Approval(id, until) => {
                    let held = revoked.approvals.entry(id).or_insert(until);
                    *held = (*held).max(until);
                }
                Revocation::Person(name, until) => {
                    let held = revoked.people.entry(name).or_insert(until);
                    *held = (*held).max(until);
                }
                Revocation::Key(kid) => {
                    revoked.keys.insert(kid);
                }
                Revocation::Before(at) => revoked.before = revoked.before.max(Some(at)),
            }
        }
        revoked
    }
}

impl Until {
    fn holds(self, made_at: Timestamp) -> bool {
        match self {
            Self::Made(before) => made_at < before,
            Self::Ever => true,
        }
    }
}

impl Revoked {
    /// Whether a link is revoked by what it says itself: nothing has to be read.
    pub fn link(&self, claims: &Claims) -> bool {
        self.made(&claims.approval, claims.issued_at)
    }

    /// The same of a link of this request that was made then.
    pub fn made(&self, approval: &ApprovalId, at: Timestamp) -> bool {
        let of_request = self.approvals.get(approval);
        of_request.is_some_and(|until| until.holds(at))
            || self.before.is_some_and(|before| at < before)
    }

    /// Whether a recipient's links made then are.
    pub fn recipient(&self, recipient: &Recipient, at: Timestamp) -> bool {
        self.person(recipient).any(|until| until.holds(at))
    }

    /// Whether everything that this key signed is.
    pub fn key(&self, kid: &KeyId) -> bool {
        self.keys.contains(kid)
    }

    /// Whether the recipient's newest link is revoked and they may have another by now.
    pub fn renews(&self, record: &Record, who: &Recipient, now: Timestamp) -> bool {
        let approval = &record.request.id;
        let Some(link) = who.links.last() else {
            return false;
        };
        let at = link.made_at(record);
        let dead = self.made(approval, at)
            || self.recipient(who, at)
            || link.made.as_ref().is_some_and(|made| self.key(&made.key));
        dead && !self.made(approval, now) && !self.recipient(who, now)
    }

    fn person<'a>(&'a self, who: &'a Recipient) -> impl Iterator<Item = Until> + 'a {
        let names = [who.person.as_str(), &who.address];
        names
            .into_iter()
            .filter_map(|name| self.people.get(&normal(name)).copied())
    }
}

fn normal(name: &str) -> String {
    match name.parse::<Address>() {
        Ok(address) => address.person(),
        Err(_) => name.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_means_nothing_is_refused() {
        for bad in [
            "",
            "dana",
            "person:",
            "approval:x",
            "before:yesterday",
            "all:1",
            "key:",
            "key:k 1",
            "person:dana@2026-13-01T00:00:00Z",
            "approval:AAAAAAAAAAAAAAAAAAAAAA@soon",
        ] {
            assert!(bad.parse::<Revocation>().is_err(), "{bad}");
        }
        let two: Revoked = ["before:2026-01-01T00:00:00Z", "before:2026-01-02T00:00:00Z"]
            .map(|text| text.parse().unwrap())
            .into_iter()
            .collect();
        assert_eq!(two.before, "2026-01-02T00:00:00Z".parse().ok());
        let person = |text: &str| match text.parse() {
            Ok(Revocation::Person(name, until)) => (name, until),
            other => panic!("{other:?}"),
        };
        let at = Until::Made("2026-01-02T00:00:00Z".parse().unwrap());
        for (text, name, until) in [
            ("person:dana", "dana", Until::Ever),
            ("person:Dana@2026-01-02T00:00:00Z", "dana", at),
            ("person:dana@example.com", "dana@example.com", Until::Ever),
            (
                "person:dana@example.com@2026-01-02T00:00:00Z",
                "dana@example.com",
                at,
            ),
            ("person:dana@3com.example", "dana@3com.example", Until::Ever),
        ] {
            assert_eq!(person(text), (name.to_owned(), until), "{text}");
        }
        let both: Revoked = ["person:dana", "person:dana@2026-01-02T00:00:00Z"]
            .map(|text| text.parse().unwrap())
            .into_iter()
            .collect();
        assert_eq!(both.people["dana"], Until::Ever, "for good is more");
    }
}
