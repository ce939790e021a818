//! What channels were told, as stored.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::is_zero;
use crate::{
    approval::chat::{ChatPlace, room::Room},
    id::IdError,
};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredRoom {
    channel: String,
    /// Channel and time of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_zero")]
    failures: u8,
    #[serde(default, skip_serializing_if = "is_zero")]
    reminders: u8,
    #[serde(default, skip_serializing_if = "is_zero")]
    escalated: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shown: Option<String>,
    #[serde(default)]
    asked: bool,
    #[serde(default)]
    told: bool,
}

impl From<&Room> for StoredRoom {
    fn from(room: &Room) -> Self {
        Self {
            channel: room.channel.to_string(),
            place: room.place.clone().map(|place| (place.channel, place.at)),
            held_until: room.held_until,
            failures: room.failures,
            reminders: room.reminders,
            escalated: room.escalated,
            shown: room.shown.clone(),
            asked: room.asked,
            told: room.told,
        }
    }
}

impl TryFrom<StoredRoom> for Room {
    type Error = IdError;
    fn try_from(s: StoredRoom) -> Result<Self, IdError> {
        let channel = s.channel.parse().map_err(|problem| IdError {
            what: "stored channel",
            problem,
        })?;
        Ok(Self {
            channel,
            asked: s.asked || s.place.is_some(),
            place: s.place.map(|(channel, at)| ChatPlace { channel, at }),
            held_until: s.held_until,
            failures: s.failures,
            reminders: s.reminders,
            escalated: s.escalated,
            shown: s.shown,
            told: s.told,
        })
    }
}
