//! Asking in chats beside the mail: Slack, with buttons at level L1, and Teams, with a link.
//!
//! Reading order: [`lines`] (what is told), [`slack`] and [`teams`] (messages), [`room`] (what is due in a channel), [`press`] (what Slack says of a
//! button), [`send`] (over HTTP).

pub mod lines;
pub mod press;
pub mod room;
pub mod send;
pub mod slack;
pub mod teams;

use std::str::FromStr;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    approval::{
        id::{ApprovalId, LinkId, RecipientId},
        request::{Recipient, Record},
    },
    id::IdError,
    port::PortError,
    secret::Secret,
};

/// A question to one person, as chats put it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What is asked.
    pub record: &'a Record,
    /// Whom, and where an earlier question stands in their chat.
    pub recipient: &'a Recipient,
    /// Whether they were asked before by links that still open.
    pub again: bool,
    /// The link of the mail.
    pub link: &'a LinkId,
    /// Its address, which opens the page and decides nothing alone; none at level L1.
    pub page: Option<&'a Secret>,
    /// Where people are.
    pub zone: &'a TimeZone,
    /// Now.
    pub now: Timestamp,
}

/// What became of a question.
#[derive(Debug, Default)]
pub struct Asked {
    /// Where it stands, if it can be rewritten.
    pub place: Option<ChatPlace>,
    /// A chat that could not be told.
    pub failed: Option<PortError>,
}

/// Where a message stands that can be rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatPlace {
    /// Slack's channel.
    pub channel: String,
    /// Slack's time of the message, which is its id.
    pub at: String,
}

/// A person's id in Slack, as `U012AB3CD`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlackUser(String);

/// What a button of ours carries: which request, to whom, and what was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// The request.
    pub approval: ApprovalId,
    /// Whose it is.
    pub to: Addressee,
    /// Digest of what was shown.
    pub seen: String,
}

/// Whose a button is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee {
    /// One person's.
    Person {
        /// Whom it was sent to.
        recipient: RecipientId,
        /// The link of the mail beside it.
        link: LinkId,
    },
    /// A channel's: of everybody who is asked.
    Channel,
}

/// In a button's value, where a person's button has recipient and link.
const CHANNEL: &str = "channel";

/// What is asked, in one line.
fn title(record: &Record) -> String {
    format!("Approve {}?", record.request.target.pipeline)
}

impl Question<'_> {
    fn title(&self) -> String {
        let before = if self.again { "Reminder: " } else { "" };
        format!("{before}{}", title(self.record))
    }
}

impl SlackUser {
    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SlackUser {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let begins = text.starts_with(['U', 'W']);
        if begins && (9..=20).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(
                "a Slack user's id is written U012AB3CD: \"Copy member ID\" in the profile"
                    .to_owned(),
            )
        }
    }
}

impl Button {
    /// As the button's value: opaque, and no authority by itself.
    pub fn value(&self) -> String {
        let Self { approval, to, seen } = self;
        match to {
            Addressee::Person { recipient, link } => {
                format!("{approval}.{recipient}.{link}.{seen}")
            }
            Addressee::Channel => format!("{approval}.{CHANNEL}.{seen}"),
        }
    }
}

impl FromStr for Button {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let parts: Vec<&str> = text.split('.').collect();
        match parts[..] {
            [approval, recipient, link, seen] => Ok(Self {
                approval: approval.parse()?,
                to: Addressee::Person {
                    recipient: recipient.parse()?,
                    link: link.parse()?,
                },
                seen: seen.to_owned(),
            }),
            [approval, CHANNEL, seen] => Ok(Self {
                approval: approval.parse()?,
                to: Addressee::Channel,
                seen: seen.to_owned(),
            }),
            _ => Err(IdError {
                what: "button",
                problem: "is not one of ours".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_and_a_user_are_what_they_were() {
        let mut button = Button {
            approval: ApprovalId::from_random([1; 16]),
            to: Addressee::Channel,
            seen: "digest".to_owned(),
        };
        assert_eq!(button.value().parse(), Ok(button.clone()));
        button.to = Addressee::Person {
            recipient: RecipientId::from_random([2; 8]),
            link: LinkId::from_random([3; 12]),
        };
        assert_eq!(button.value().parse(), Ok(button.clone()));
        for wrong in ["", "a.b.c.d", &button.value()[1..], "x.x", "x.channel.x"] {
            assert!(wrong.parse::<Button>().is_err(), "{wrong}");
        }
        assert!("U012AB3CD".parse::<SlackUser>().is_ok());
        for wrong in ["", "dana", "u012ab3cd", "C012AB3CD", "U012AB3CD/.."] {
            assert!(wrong.parse::<SlackUser>().is_err(), "{wrong}");
        }
    }
}
