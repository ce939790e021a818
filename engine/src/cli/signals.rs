//! When a verb must end: the system or the person asks, or the journal cannot be written.

use anyhow::anyhow;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Stop, failed};
use crate::desk::Desk;

/// SIGTERM and Ctrl-C, caught from the moment this was made.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to catch them.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn listen() -> Result<Self, Stop> {
        let catch = |kind| signal(kind).map_err(failed);
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
        })
    }

    /// Ends when the system or the person asks the program to end.
    ///
    /// # Errors
    /// When the journal could not be written any more.
    pub async fn until_stopped(mut self, desk: Desk) -> Result<(), Stop> {
        tokio::select! {
            _ = self.terminate.recv() => Ok(()),
            _ = self.interrupt.recv() => Ok(()),
            () = desk.ended() => Err(failed(anyhow!("the journal cannot be written: the engine stopped"))),
        }
    }
}
