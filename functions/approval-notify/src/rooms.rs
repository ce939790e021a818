//! Tells channels what is due there: beside the mails, which are there whatever becomes of this.

use shared::{
    approval::{
        chat::room::{self, Due, Notice, Room, Said},
        port::{ApprovalStore, Chat, Entropy, LinkSigner, Mailer, PipelineReader},
        request::Record,
    },
    port::{Clock, PortError},
};

use crate::Notify;

/// Messages in one go; the rest is for the next.
const MESSAGES: usize = 20;

impl<S, P, K, M, C, E> Notify<S, P, K, M, C, E>
where
    S: ApprovalStore,
    P: PipelineReader,
    K: LinkSigner,
    M: Mailer + Chat,
    C: Clock,
    E: Entropy,
{
    /// Tells every channel to which something is due. What fails is logged, and tried again with the next sweep.
    pub(crate) async fn tell_rooms(&self, record: &mut Record) {
        for _ in 0..MESSAGES {
            match self.tell_one(record).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(approval = %record.request.id, error = %error, cause, "what a channel was told is not recorded");
                    return;
                }
            }
        }
    }

    /// `false`: nothing is due, or another delivery is at it.
    async fn tell_one(&self, record: &mut Record) -> Result<bool, PortError> {
        let now = self.clock.now();
        let Some((room, due)) = room::due(record, now) else {
            return Ok(false);
        };
        let next = room::taken(record, (&room, due), now);
        match self.store.replace(&next).await {
            Ok(()) => *record = next,
            Err(PortError::Conflict { .. }) => {
                self.reload(record).await?;
                return Ok(true);
            }
            Err(error) => return Err(error),
        }
        self.tell_room(record, &room, due).await?;
        Ok(true)
    }

    async fn tell_room(&self, record: &mut Record, room: &Room, due: Due) -> Result<(), PortError> {
        let shown = record.clone();
        let notice = Notice {
            record: &shown,
            room,
            due,
            zone: &self.settings.zone.0,
            now: self.clock.now(),
        };
        let untold = |error: &PortError| {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(approval = %shown.request.id, channel = %room.channel, error = %error, cause, "a channel was not told");
        };
        let place = match self.mailer.tell(&notice).await {
            Ok(Said::At(place)) => Some(place),
            Ok(Said::Nowhere) => None,
            Ok(Said::Unsure(error)) => {
                untold(&error);
                let unsure = |record: &Record, now| room::failed(record, room, true, now);
                return self.write(record, unsure).await;
            }
            Err(error) => {
                untold(&error);
                let failed = |record: &Record, now| room::failed(record, room, false, now);
                return self.write(record, failed).await;
            }
        };
        self.write(record, |record, now| {
            room::told(record, (room, due), &shown, place.clone(), now)
        })
        .await
    }
}
