//! Secrets that parameters refer to, from Secrets Manager and Systems Manager, with the function's own role.

use serde_json::{Value, json};
use shared::{
    port::{PortError, SecretStore, Service},
    secret::{Secret, SecretRef, Store},
};

use crate::{rpc::Rpc, sdk::Aws};

/// `GetSecretValue` and `GetParameter`. Not remembered: see [`shared::remembered::Remembered`].
#[derive(Debug)]
pub struct Secrets {
    manager: Rpc,
    parameters: Rpc,
}

impl Secrets {
    /// Connects to nothing yet.
    pub fn new(aws: &Aws) -> Self {
        Self {
            manager: Rpc::new(
                aws,
                Service::json11("SECRETS_MANAGER", "secretsmanager", "secretsmanager"),
            ),
            parameters: Rpc::new(aws, Service::json11("SSM", "ssm", "AmazonSSM")),
        }
    }
}

impl SecretStore for Secrets {
    async fn read(&self, secret: &SecretRef) -> Result<Secret, PortError> {
        let what = format!("the secret {secret}");
        let not_found = || PortError::NotFound { what: what.clone() };
        let value = match secret.store {
            Store::SecretsManager => {
                let body = json!({"SecretId": secret.name});
                let answer = self.manager.call("GetSecretValue", &what, &body).await?;
                text(&answer, "SecretString").ok_or_else(|| PortError::Invalid {
                    what: what.clone(),
                    message: "it is binary; a text is needed".to_owned(),
                })?
            }
            Store::Parameters => {
                let body = json!({"Name": secret.name, "WithDecryption": true});
                let answer = self.parameters.call("GetParameter", &what, &body).await?;
                let parameter = answer.get("Parameter").ok_or_else(not_found)?;
                text(parameter, "Value").ok_or_else(not_found)?
            }
        };
        let Some(field) = &secret.field else {
            return Ok(Secret::new(value));
        };
        let object = serde_json::from_str::<Value>(&value).map_err(|_| PortError::Invalid {
            what: what.clone(),
            message: format!("it is no JSON, so it has no field {field:?}"),
        })?;
        text(&object, field).map(Secret::new).ok_or_else(not_found)
    }
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}
