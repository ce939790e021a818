//! What the chain needs of the outside.

use std::future::Future;

use jiff::Timestamp;

use super::{Head, Line};
use crate::{approval::request::Record, port::PortError};

/// What is added in one transaction: all of it or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Append<'a> {
    /// The head it was decided on.
    pub before: Option<&'a Head>,
    /// The head that is then.
    pub after: &'a Head,
    /// New records, of `after.month`.
    pub lines: &'a [Line],
    /// The request whose trail they were, without it; written over the version before its own.
    pub drained: Option<&'a Record>,
    /// Id of the event that must not be recorded twice.
    pub once: Option<&'a str>,
}

/// Keeps the chain.
pub trait AuditStore: Send + Sync {
    /// Where it stands.
    fn head(&self) -> impl Future<Output = Result<Option<Head>, PortError>> + Send;

    /// Adds to it; `Conflict` when the head or the request has moved, or the event is recorded.
    fn append(&self, append: Append<'_>) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Whether an event is recorded.
    fn recorded(&self, event: &str) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Records of a month from this one on, in order; at most a few hundred.
    fn lines(
        &self,
        month: &str,
        from: u64,
    ) -> impl Future<Output = Result<Vec<Line>, PortError>> + Send;
}

/// Keeps anchors where nobody can change them.
pub trait Witness: Send + Sync {
    /// Keeps this text until then. Keeping the same text under the same key again is no error.
    fn keep(
        &self,
        key: &str,
        text: &str,
        until: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
