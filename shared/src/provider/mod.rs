//! Third-party services over HTTP: one call, one answer, and the client that repeats what may be repeated.
//!
//! A connector builds [`Call`]s and asks them through a [`Provider`], which retries where that is safe, obeys
//! `Retry-After`, and sorts what came back. What goes over the wire is the port [`Http`]: real in `shared-aws`, in
//! memory over a vendor's stand-in in tests.

mod answer;
mod call;
mod client;
mod error;
mod judge;
mod text;

use std::{error::Error, future::Future, time::Duration};

pub use answer::Answer;
pub use call::{Call, Method, Payload};
pub use client::Provider;
pub use error::{ProviderError, Trouble};
pub use judge::{LONGEST_WAIT, retry_after};
pub use text::{decoded, form, pairs, query, segment};

/// Sends one request over HTTP. Redirects are answers, never followed.
pub trait Http: Send + Sync {
    /// Sends the call once and reads the answer up to the call's limit, all within `timeout`.
    fn send(
        &self,
        call: &Call,
        timeout: Duration,
    ) -> impl Future<Output = Result<Answer, SendError>> + Send;
}

/// Why there is no answer. Texts and sources name neither address nor headers.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection: certainly nothing arrived.
    #[error("no connection")]
    NotSent(#[source] Box<dyn Error + Send + Sync>),
    /// The request went out, wholly or in part: it may have been carried out.
    #[error("no whole answer")]
    Lost(#[source] Box<dyn Error + Send + Sync>),
    /// The address or a header cannot be sent at all.
    #[error("no usable request")]
    Unusable(#[source] Box<dyn Error + Send + Sync>),
}
