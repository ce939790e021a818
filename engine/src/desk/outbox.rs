//! What leaves with a batch: numbered, journaled with the batch's inputs, let go after the commit.

use engine_events::route::Delivery;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use super::Outgoing;
use crate::{
    bus::Bus,
    clock::Clock,
    journal::{Journal, JournalError, OutboxChange},
};

/// Version of an entry's text.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Entry<D> {
    v: u32,
    delivery: D,
}

/// The writer's side of the outbox.
pub(super) struct Outbox {
    next: i64,
    change: OutboxChange,
    leaving: Vec<(i64, Delivery)>,
    to: mpsc::UnboundedSender<Outgoing>,
}

impl Outbox {
    /// Lets go what an earlier run left. An entry that cannot be read stays where it is, and is told.
    pub(super) fn open(
        journal: &Journal,
        clock: &Clock,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Outgoing>), JournalError> {
        let (to, deliveries) = mpsc::unbounded_channel();
        let mut outbox = Self {
            next: 1,
            change: OutboxChange::default(),
            leaving: Vec::new(),
            to,
        };
        for (number, text) in journal.outbox()? {
            outbox.next = number + 1;
            match serde_json::from_str::<Entry<Delivery>>(&text) {
                Ok(Entry {
                    v: VERSION,
                    delivery,
                }) => outbox.leaving.push((number, delivery)),
                Ok(Entry { v, .. }) => {
                    tracing::error!(number, v, "an event of a newer version was not delivered");
                }
                Err(error) => {
                    tracing::error!(number, %error, "an event in the outbox cannot be read");
                }
            }
        }
        outbox.let_go(clock);
        Ok((outbox, deliveries))
    }

    /// Notes who wants an event.
    pub(super) fn add(&mut self, bus: &Bus, event_bus: &str, event: &Value) {
        for delivery in bus.wanted(event_bus, event) {
            let entry = Entry {
                v: VERSION,
                delivery: &delivery,
            };
            match serde_json::to_string(&entry) {
                Ok(text) => {
                    self.change.added.push((self.next, text));
                    self.leaving.push((self.next, delivery));
                    self.next += 1;
                }
                Err(error) => tracing::error!(%error, "an event cannot be written down"),
            }
        }
    }

    pub(super) fn done(&mut self, number: i64) {
        self.change.done.push(number);
    }

    /// What the batch's transaction has to write.
    pub(super) fn take(&mut self) -> OutboxChange {
        std::mem::take(&mut self.change)
    }

    /// After the commit.
    pub(super) fn let_go(&mut self, clock: &Clock) {
        for (number, delivery) in self.leaving.drain(..) {
            let busy = clock.busy();
            let outgoing = Outgoing {
                number,
                delivery,
                busy,
            };
            self.to.send(outgoing).ok();
        }
    }
}
