//! Secrets Manager and Systems Manager's parameters, as far as functions read them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use crate::{Asked, Reply, StandIn};

/// Secrets by name; both services know the same ones.
#[derive(Debug, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// These names with these values.
    pub fn of(values: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(values.iter().map(own).collect())
    }

    /// Changes one.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }
}

impl StandIn for Secrets {
    fn handle(&mut self, asked: &Asked, _: Timestamp) -> Reply {
        let input = asked.json();
        let value = |name: &str| self.0.get(input[name].as_str().unwrap_or_default());
        let missing =
            |code: &str| Reply::json(400, &json!({"__type": code, "message": "not found"}));
        match asked.header("x-amz-target").unwrap_or_default() {
            "secretsmanager.GetSecretValue" => match value("SecretId") {
                Some(value) => Reply::json(
                    200,
                    &json!({"Name": input["SecretId"], "SecretString": value, "VersionId": "v"}),
                ),
                None => missing("ResourceNotFoundException"),
            },
            "AmazonSSM.GetParameter" => match value("Name") {
                Some(value) => Reply::json(
                    200,
                    &json!({"Parameter": {"Name": input["Name"], "Type": "SecureString", "Value": value}}),
                ),
                None => missing("ParameterNotFound"),
            },
            _ => missing("UnknownOperationException"),
        }
    }
}
