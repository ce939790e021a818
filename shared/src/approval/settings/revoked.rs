//! Links that hold no longer: the emergency switch.

use std::{collections::BTreeSet, str::FromStr};

use jiff::Timestamp;

use super::Address;
use crate::approval::{id::ApprovalId, link::Claims, request::Recipient};

/// Which links open nothing although they are signed and in time. A whole key is revoked by taking it out of
/// `STAGEWRIGHT_LINK_KEYS`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    approvals: BTreeSet<ApprovalId>,
    /// Short names and addresses, as links' recipients are matched.
    people: BTreeSet<String>,
    /// All links made before.
    before: Option<Timestamp>,
}

/// One entry of the setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// `approval:ID`.
    Approval(ApprovalId),
    /// `person:dana` or `person:dana@example.com`.
    Person(String),
    /// `before:2026-11-24T16:00:00Z`.
    Before(Timestamp),
}

impl FromStr for Revocation {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "write approval:ID, person:NAME or before:2026-11-24T16:00:00Z";
        let (kind, value) = text.split_once(':').ok_or(wrong)?;
        match kind {
            "approval" => value
                .parse()
                .map(Self::Approval)
                .map_err(|_| wrong.to_owned()),
            "person" if !value.is_empty() => Ok(Self::Person(normal(value))),
            "before" => value
                .parse()
                .map(Self::Before)
                .map_err(|_| wrong.to_owned()),
            _ => Err(wrong.to_owned()),
        }
    }
}

impl FromIterator<Revocation> for Revoked {
    fn from_iter<I: IntoIterator<Item = Revocation>>(entries: I) -> Self {
        let mut revoked = Self::default();
        for entry in entries {
            match entry {
                Revocation::Approval(id) => {
                    revoked.approvals.insert(id);
                }
                Revocation::Person(name) => {
                    revoked.people.insert(name);
                }
                Revocation::Before(at) => revoked.before = revoked.before.max(Some(at)),
            }
        }
        revoked
    }
}

impl Revoked {
    /// Whether a link is revoked by what it says itself: nothing has to be read.
    pub fn link(&self, claims: &Claims) -> bool {
        self.approvals.contains(&claims.approval)
            || self.before.is_some_and(|before| claims.issued_at < before)
    }

    /// Whether everything of a recipient is.
    pub fn recipient(&self, recipient: &Recipient) -> bool {
        self.people.contains(&normal(recipient.person.as_str()))
            || self.people.contains(&normal(&recipient.address))
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
        ] {
            assert!(bad.parse::<Revocation>().is_err(), "{bad}");
        }
        let two: Revoked = ["before:2026-01-01T00:00:00Z", "before:2026-01-02T00:00:00Z"]
            .map(|text| text.parse().unwrap())
            .into_iter()
            .collect();
        assert_eq!(two.before, "2026-01-02T00:00:00Z".parse().ok());
    }
}
