//! When a verb must end: the system or the person asks, or the journal cannot be written.

use anyhow::anyhow;
use tokio::signal::unix::{SignalKind, signal};

use super::{Stop, failed};
use crate::desk::Desk;

/// Ends when the system or the person asks the program to end.
///
/// # Errors
/// When the journal could not be written any more.
pub async fn until_stopped(desk: Desk) -> Result<(), Stop> {
    let ended = |mut it: tokio::signal::unix::Signal| async move {
        it.recv().await;
    };
    let terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        () = ended(terminate) => Ok(()),
        () = ended(interrupt) => Ok(()),
        () = desk.ended() => Err(failed(anyhow!("the journal cannot be written: the engine stopped"))),
    }
}
