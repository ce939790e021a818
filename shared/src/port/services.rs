//! Small JSON services of AWS, one operation at a time: for actions whose service has no client of its own here.
//!
//! An action gives bodies and reads answers in its own typed `wire` module, so that its permissions are the operations
//! named there. Services that change things many times over have ports of their own.

use std::future::Future;

use serde_json::Value;

use super::PortError;

/// A service of AWS's JSON protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Id in `AWS_ENDPOINT_URL_<ID>`, as the SDKs read it.
    pub id: &'static str,
    /// First label of its host, and its name in signatures.
    pub name: &'static str,
    /// What stands before the operation in `X-Amz-Target`.
    pub target: &'static str,
    /// `1.0` or `1.1`.
    pub version: &'static str,
    /// Its one region, where it has only one.
    pub region: Option<&'static str>,
}

impl Service {
    /// A service of JSON 1.1 in the function's own region.
    pub const fn json11(id: &'static str, name: &'static str, target: &'static str) -> Self {
        Self {
            id,
            name,
            target,
            version: "1.1",
            region: None,
        }
    }
}

/// One call.
#[derive(Debug, Clone)]
pub struct ServiceCall<'a> {
    /// Of which service.
    pub service: Service,
    /// As `DescribeTasks`.
    pub operation: &'static str,
    /// What it is about, for errors: `the task 1234`.
    pub what: &'a str,
    /// The request.
    pub body: Value,
    /// In another region than the service's, or the function's own.
    pub region: Option<&'a str>,
    /// Whether it may be sent again when its answer is lost.
    pub repeatable: bool,
}

impl<'a> ServiceCall<'a> {
    /// A call that may be repeated: a question, or what makes no difference the second time.
    pub fn new(service: Service, operation: &'static str, what: &'a str, body: Value) -> Self {
        Self {
            service,
            operation,
            what,
            body,
            region: None,
            repeatable: true,
        }
    }

    /// The same as a call that is sent once only.
    pub fn once(self) -> Self {
        Self {
            repeatable: false,
            ..self
        }
    }
}

/// Calls services with the function's own role.
pub trait Services: Send + Sync {
    /// The answer. `Unavailable` may mean that the call had its effect; `Invalid` carries the service's code, see
    /// [`PortError::has_code`].
    fn call(&self, call: &ServiceCall<'_>)
    -> impl Future<Output = Result<Value, PortError>> + Send;
}
