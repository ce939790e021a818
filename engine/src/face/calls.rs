//! What functions use of AWS: which IAM actions their roles must allow, as the file that `STAGEWRIGHT_CALLS` names.
//!
//! One line for each: the function (or the role it assumed), a blank, `service:Action`. A job's artifact credentials are no
//! role, so what is done with them is not in it.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Write as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use http::Method;
use serde_json::Value;

use super::{route::Signature, sts};
use crate::lambda::ROLE_TOKEN;

/// Writes each line once for an engine; nothing where nobody asks for it.
#[derive(Clone, Default)]
pub struct Calls(Option<Arc<Mutex<Noted>>>);

struct Noted {
    file: File,
    lines: BTreeSet<String>,
}

impl Calls {
    /// Adds to this file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn to(file: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(file)?;
        let lines = BTreeSet::new();
        Ok(Self(Some(Arc::new(Mutex::new(Noted { file, lines })))))
    }

    /// Notes what the request of this role needs.
    pub fn note<S: AsRef<str>>(&self, signature: Option<&Signature>, actions: &[S]) {
        let Some((noted, role)) = self.0.as_ref().zip(signature.and_then(role_of)) else {
            return;
        };
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        for action in actions {
            let line = format!("{role} {}\n", action.as_ref());
            if noted.lines.contains(&line) {
                continue;
            }
            // In one write: other engines add to the same file.
            if let Err(error) = noted.file.write_all(line.as_bytes()) {
                tracing::error!(%error, "the file of STAGEWRIGHT_CALLS cannot be written");
            }
            noted.lines.insert(line);
        }
    }
}

/// A function's own role, or the one it assumed.
fn role_of(signature: &Signature) -> Option<String> {
    let token = signature.session_token.as_ref()?.reveal();
    if let Some(function) = token.strip_prefix(ROLE_TOKEN) {
        return Some(function.to_owned());
    }
    let session = sts::session_of(token)?;
    session.split('/').next().map(str::to_owned)
}

/// The IAM actions of one call of a service other than S3.
pub fn actions(service: &str, operation: &str, body: &[u8]) -> Vec<String> {
    match (service, operation) {
        ("dynamodb", "TransactWriteItems") => transaction(body),
        ("monitoring", _) => vec![format!("cloudwatch:{operation}")],
        ("sts", "AssumeRole") => {
            let named = body.windows(15).any(|part| part == b"SourceIdentity=");
            let more = named.then(|| "sts:SetSourceIdentity".to_owned());
            std::iter::once("sts:AssumeRole".to_owned())
                .chain(more)
                .collect()
        }
        _ => vec![format!("{service}:{operation}")],
    }
}

/// The operation of a REST call, which only its path tells.
pub fn rest_operation(service: &str, method: &Method, path: &str) -> String {
    match (service, path.rsplit_once('/')) {
        ("lambda", Some((_, "invocations"))) => "InvokeFunction".to_owned(),
        ("ses", Some((_, "outbound-emails"))) => "SendEmail".to_owned(),
        (_, Some((before, name))) if before.ends_with("/operation") => name.to_owned(),
        _ => format!("{method} {path}"),
    }
}

/// A transaction needs what its parts would.
fn transaction(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let items = body["TransactItems"].as_array().into_iter().flatten();
    let kinds = items.filter_map(|item| item.as_object()?.keys().next());
    let names: BTreeSet<String> = kinds
        .map(|kind| match kind.as_str() {
            "ConditionCheck" => "dynamodb:ConditionCheckItem".to_owned(),
            kind => format!("dynamodb:{kind}Item"),
        })
        .collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::secret::Secret;

    fn signed(token: &str) -> Signature {
        Signature {
            session_token: Some(Secret::new(token.to_owned())),
            ..Signature::default()
        }
    }

    #[test]
    fn each_action_of_a_role_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calls");
        let calls = Calls::to(&file).unwrap();
        let role = signed("function-role/action-gate");
        let get = actions("dynamodb", "GetItem", b"{}");
        calls.note(Some(&role), &get);
        calls.note(Some(&role), &get);
        calls.note(Some(&signed("somebody's")), &get);
        calls.note(None, &get);
        calls.note(Some(&role), &actions("monitoring", "DescribeAlarms", b""));
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            text,
            "action-gate dynamodb:GetItem\naction-gate cloudwatch:DescribeAlarms\n"
        );
        Calls::default().note(Some(&role), &get);
    }

    #[test]
    fn calls_are_told_as_policies_name_them() {
        let parts = br#"{"TransactItems": [{"Put": {}}, {"Put": {}}, {"Delete": {}}, {"ConditionCheck": {}}]}"#;
        assert_eq!(
            actions("dynamodb", "TransactWriteItems", parts),
            [
                "dynamodb:ConditionCheckItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem"
            ]
        );
        let named = b"Action=AssumeRole&RoleArn=a&SourceIdentity=dana";
        assert_eq!(
            actions("sts", "AssumeRole", named),
            ["sts:AssumeRole", "sts:SetSourceIdentity"]
        );
        assert_eq!(actions("sts", "AssumeRole", b"Action=AssumeRole").len(), 1);
        let rest = |service, path| rest_operation(service, &Method::POST, path);
        assert_eq!(
            rest("lambda", "/2015-03-31/functions/f/invocations"),
            "InvokeFunction"
        );
        assert_eq!(rest("ses", "/v2/email/outbound-emails"), "SendEmail");
        assert_eq!(
            rest("monitoring", "/service/G/operation/DescribeAlarms"),
            "DescribeAlarms"
        );
        assert_eq!(rest("cloudfront", "/x/y"), "POST /x/y");
    }
}
