//! The local side of AWS services: one listener, routed by SigV4 scope or target header.

use std::{io, net::SocketAddr, time::Duration};

use axum::{Router, serve::ListenerExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::App;

pub mod call;
pub mod calls;
pub mod cloudwatch;
pub mod codepipeline;
mod constraint;
pub mod dynamodb;
pub mod events;
mod front;
pub mod kms;
pub mod lambda;
pub mod route;
pub mod s3;
pub mod ses;
pub mod sns;
pub mod states;
pub mod sts;
pub mod upstream;

pub use call::{Call, Caller, Fault, JsonAnswer, XmlAnswer};

/// How long requests may take to end once the engine stops.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Serves all faces and pages on one listener until `shutdown` is cancelled; open requests then get two seconds.
///
/// # Errors
/// The listener fails.
pub async fn serve(app: App, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    let router = router(app);
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let stop = shutdown.clone();
    // Webhooks ask for the sender's address.
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .into_future();
    let too_late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(LAST_REQUESTS).await;
    };
    tokio::select! {
        served = serving => served,
        () = too_late => Ok(()),
    }
}

/// The whole listener as a router: what [`serve`] serves.
pub fn router(app: App) -> Router {
    let pages = Router::new()
        .merge(crate::console::routes())
        .merge(s3::site::routes())
        .merge(crate::mail::routes())
        .merge(sns::routes())
        .merge(crate::connection::routes())
        .merge(crate::registry::routes())
        .merge(crate::webhook::routes())
        .merge(crate::lambda::url::routes())
        .with_state(app.clone());
    front::router(app, pages)
}

#[cfg(test)]
mod tests;
