//! The one place where an SDK error becomes a `PortError`.

use std::{error::Error, future::Future};

use aws_smithy_runtime_api::{
    client::{orchestrator::HttpResponse, result::SdkError},
    http::StatusCode,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;
use shared::port::PortError;

use crate::sdk::Aws;

impl Aws {
    /// Sends a request, bounded by the invocation's deadline. `what` names the call in errors, as `PutObject site/index.html`.
    pub(crate) async fn call<T, E>(
        &self,
        what: &str,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, PortError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        self.within(what, send)
            .await?
            .map_err(|error| port_error(what, &error))
    }

    /// Runs any future until the invocation's deadline.
    pub(crate) async fn within<T>(
        &self,
        what: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, PortError> {
        match self.deadline().left(Timestamp::now()) {
            None => Ok(work.await),
            Some(left) => tokio::time::timeout(left, work)
                .await
                .map_err(|_| unavailable(what, "the invocation's deadline came first")),
        }
    }
}

/// An `Unavailable` with a text behind it.
pub(crate) fn unavailable(what: &str, why: impl Into<String>) -> PortError {
    PortError::Unavailable {
        what: what.to_owned(),
        source: Some(why.into().into()),
    }
}

/// Sorts an SDK error by what a decision needs to know. Only texts are kept of it, never the response.
pub(crate) fn port_error<E>(what: &str, error: &SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let meta = context.err();
            by_answer(
                what,
                context.raw().status(),
                meta.code().unwrap_or_default(),
                meta.message().unwrap_or_default(),
            )
        }
        SdkError::ConstructionFailure(_) => PortError::Invalid {
            what: what.to_owned(),
            message: chain(error),
        },
        _ => unavailable(what, chain(error)),
    }
}

/// Sorts a service's error answer by its code, else by its HTTP status.
pub(crate) fn by_answer(what: &str, status: StatusCode, code: &str, message: &str) -> PortError {
    PortError::of_answer(what, status.as_u16(), code, message)
}

/// The texts of an error and what is behind it, without `Debug`: that would print whole responses.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let part = source.to_string();
        if !text.ends_with(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = source.source();
    }
    text
}
