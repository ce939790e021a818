//! Values of a build that lie in Systems Manager or Secrets Manager: those of `stagewright.toml`, or the services at an endpoint.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use shared::secret::Secret;

use crate::{
    app::App,
    cloud::{Client, CloudError},
    config::{Config, StoredValue},
};

/// The stage of a secret's newest version.
const CURRENT: &str = "AWSCURRENT";

/// Where the value of a variable lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A parameter's name.
    Parameter(String),
    /// `SECRET[:JSON-KEY[:VERSION-STAGE[:VERSION-ID]]]`; SECRET is a name or an ARN.
    Secret(String),
}

/// Why there is no value. No value is part of it.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// Nobody has it.
    #[error(
        "{variable}: {what} {name} is not known: set {name:?} in [{table}] of stagewright.toml, or name an endpoint of {service} ([endpoint] or --endpoint {service}=URL)"
    )]
    Unknown {
        /// The variable that wants it.
        variable: String,
        /// `parameter` or `secret`.
        what: &'static str,
        /// Its name.
        name: String,
        /// Its table.
        table: &'static str,
        /// The service that would have it.
        service: &'static str,
    },
    /// The engine's environment lacks it.
    #[error(
        "{variable}: stagewright.toml takes {name} from the environment variable {from}, which is not set"
    )]
    Unset {
        /// The variable that wants it.
        variable: String,
        /// Parameter or secret.
        name: String,
        /// The engine's variable.
        from: String,
    },
    /// A secret is not as the reference has it.
    #[error("{variable}: the secret {name} {problem}")]
    Secret {
        /// The variable that wants it.
        variable: String,
        /// The secret.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The service said no.
    #[error("{variable} cannot be read")]
    Cloud {
        /// The variable that wants it.
        variable: String,
        /// Its words.
        #[source]
        source: CloudError,
    },
}

/// Both stores.
#[derive(Debug, Clone)]
pub struct Stores {
    config: Arc<Config>,
    ssm: Option<Client>,
    secrets: Option<Client>,
}

/// The parts of a reference to a secret.
#[derive(Debug, PartialEq, Eq)]
struct SecretPlace<'a> {
    id: &'a str,
    key: Option<&'a str>,
    stage: Option<&'a str>,
    version: Option<&'a str>,
}

impl Stores {
    /// Those of the configuration, and the services where an endpoint is named.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn open(app: &App, region: &str) -> Result<Self, reqwest::Error> {
        Ok(Self {
            config: Arc::clone(&app.config),
            ssm: Client::configured(app, "ssm", region)?,
            secrets: Client::configured(app, "secretsmanager", region)?,
        })
    }

    /// The value that `variable` refers to.
    ///
    /// # Errors
    /// See [`StoredError`].
    pub async fn read(&self, variable: &str, from: &Reference) -> Result<Secret, StoredError> {
        match from {
            Reference::Parameter(name) => self.parameter(variable, name).await,
            Reference::Secret(text) => self.secret(variable, text).await,
        }
    }

    async fn parameter(&self, variable: &str, name: &str) -> Result<Secret, StoredError> {
        if let Some(value) = self.config.parameter.get(name) {
            return configured(variable, name, value);
        }
        let Some(ssm) = &self.ssm else {
            return Err(unknown(variable, "the parameter", name, "parameter", "ssm"));
        };
        let input = json!({"Name": name, "WithDecryption": true});
        let asked = ssm.json("AmazonSSM.GetParameter", "1.1", &input).await;
        let answer = asked.map_err(|source| cloud(variable, source))?;
        match answer["Parameter"]["Value"].as_str() {
            Some(value) => Ok(Secret::from(value.to_owned())),
            None => Err(unknown(variable, "the parameter", name, "parameter", "ssm")),
        }
    }

    async fn secret(&self, variable: &str, text: &str) -> Result<Secret, StoredError> {
        let place = SecretPlace::of(text);
        let wrong = |problem: String| StoredError::Secret {
            variable: variable.to_owned(),
            name: place.id.to_owned(),
            problem,
        };
        let known = |id: &str| self.config.secret.get(id);
        let whole = if let Some(value) = known(place.id).or_else(|| known(name(place.id))) {
            if place.version.is_some() || place.stage.is_some_and(|stage| stage != CURRENT) {
                let text = "of stagewright.toml has one version: leave stage and version out";
                return Err(wrong(text.to_owned()));
            }
            configured(variable, place.id, value)?
        } else {
            let none = || unknown(variable, "the secret", place.id, "secret", "secretsmanager");
            let secrets = self.secrets.as_ref().ok_or_else(none)?;
            let mut input = json!({"SecretId": place.id});
            for (key, value) in [("VersionStage", place.stage), ("VersionId", place.version)] {
                if let Some(value) = value {
                    input[key] = json!(value);
                }
            }
            let target = "secretsmanager.GetSecretValue";
            let asked = secrets.json(target, "1.1", &input).await;
            let answer = asked.map_err(|source| cloud(variable, source))?;
            let text = answer["SecretString"].as_str();
            let text =
                text.ok_or_else(|| wrong("is binary: a variable needs a text".to_owned()))?;
            Secret::from(text.to_owned())
        };
        let Some(key) = place.key else {
            return Ok(whole);
        };
        let Ok(Value::Object(fields)) = serde_json::from_str(whole.reveal()) else {
            return Err(wrong(format!(
                "is no JSON object, so that it has no key {key}"
            )));
        };
        match fields.get(key) {
            Some(Value::String(text)) => Ok(Secret::from(text.clone())),
            Some(other) => Ok(Secret::from(other.to_string())),
            None => Err(wrong(format!("has no key {key}"))),
        }
    }
}

impl<'a> SecretPlace<'a> {
    fn of(text: &'a str) -> Self {
        // an ARN has six colons of its own
        let own = if text.starts_with("arn:") { 6 } else { 0 };
        let end = text
            .match_indices(':')
            .nth(own)
            .map_or(text.len(), |(at, _)| at);
        let (id, rest) = text.split_at(end);
        let mut parts = rest.split(':').skip(1);
        let mut next = || parts.next().filter(|part| !part.is_empty());
        Self {
            id,
            key: next(),
            stage: next(),
            version: next(),
        }
    }
}

/// The name in an ARN, without the six letters that Secrets Manager adds.
fn name(id: &str) -> &str {
    match id.strip_prefix("arn:").and_then(|_| id.rsplit(':').next()) {
        Some(last) => last.rsplit_once('-').map_or(last, |(name, _)| name),
        None => id,
    }
}

fn configured(variable: &str, name: &str, value: &StoredValue) -> Result<Secret, StoredError> {
    match value {
        StoredValue::Text(secret) => Ok(secret.clone()),
        StoredValue::Environment(from) => match std::env::var(&from.environment) {
            Ok(value) => Ok(Secret::from(value)),
            Err(_) => Err(StoredError::Unset {
                variable: variable.to_owned(),
                name: name.to_owned(),
                from: from.environment.clone(),
            }),
        },
    }
}

fn unknown(
    variable: &str,
    what: &'static str,
    name: &str,
    table: &'static str,
    service: &'static str,
) -> StoredError {
    StoredError::Unknown {
        variable: variable.to_owned(),
        what,
        name: name.to_owned(),
        table,
        service,
    }
}

fn cloud(variable: &str, source: CloudError) -> StoredError {
    StoredError::Cloud {
        variable: variable.to_owned(),
        source,
    }
}

/// Variables of one place: as they are, and where others lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// With their values.
    pub plain: BTreeMap<String, String>,
    /// With where the values lie.
    pub stored: BTreeMap<String, Reference>,
}

impl Declared {
    /// All values; what was stored is hidden by `masks`.
    ///
    /// # Errors
    /// See [`StoredError`].
    pub async fn read(
        self,
        stores: &Stores,
        hide: impl Fn(&Secret),
    ) -> Result<BTreeMap<String, String>, StoredError> {
        let mut all = self.plain;
        for (variable, from) in self.stored {
            let value = stores.read(&variable, &from).await?;
            hide(&value);
            all.insert(variable, value.reveal().clone());
        }
        Ok(all)
    }
}

#[cfg(test)]
impl Stores {
    /// Without services.
    pub fn of(config: &Config) -> Self {
        Self {
            config: Arc::new(config.clone()),
            ssm: None,
            secrets: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::{Caller, scripted};

    fn client(service: &'static str, endpoint: &str) -> Client {
        Client::new(service, endpoint, Caller::of_environment(Some("eu-west-1"))).expect("a client")
    }

    #[test]
    fn a_reference_to_a_secret_has_codebuilds_parts() {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf";
        for (text, id, key, stage, version) in [
            ("db", "db", None, None, None),
            ("db:user", "db", Some("user"), None, None),
            ("db::AWSPREVIOUS", "db", None, Some("AWSPREVIOUS"), None),
            ("db:a:b:c", "db", Some("a"), Some("b"), Some("c")),
            (arn, arn, None, None, None),
            (
                &format!("{arn}:user::v1"),
                arn,
                Some("user"),
                None,
                Some("v1"),
            ),
        ] {
            let place = SecretPlace {
                id,
                key,
                stage,
                version,
            };
            assert_eq!(SecretPlace::of(text), place, "{text}");
        }
        assert_eq!((name(arn), name("a-b")), ("shop/db", "a-b"));
    }

    #[tokio::test]
    async fn values_come_from_the_file_or_the_services() {
        let toml = r#"
            [parameter]
            "/shop/level" = "three"
            "/shop/gone" = { environment = "NEVER_SET_ANYWHERE" }
            [secret]
            "shop/db" = '{"user": "dana", "port": 5432}'
        "#;
        let config: Config = toml::from_str(toml).expect("a configuration");
        assert!(
            !format!("{config:?}").contains("three"),
            "values are not printed"
        );
        let endpoint = scripted::serve(|(operation, input)| match operation.as_str() {
            "GetParameter" => {
                assert_eq!(*input, json!({"Name": "/far", "WithDecryption": true}));
                (200, r#"{"Parameter": {"Value": "from ssm"}}"#.to_owned())
            }
            _ if input["VersionStage"] == "AWSPREVIOUS" => {
                (200, r#"{"SecretString": "old"}"#.to_owned())
            }
            _ => (
                400,
                r#"{"__type": "ResourceNotFoundException", "message": "none"}"#.to_owned(),
            ),
        })
        .await;
        let near = Stores::of(&config);
        let far = Stores {
            ssm: Some(client("ssm", &endpoint)),
            secrets: Some(client("secretsmanager", &endpoint)),
            ..near.clone()
        };
        let parameter = |name: &str| Reference::Parameter(name.to_owned());
        let secret = |text: &str| Reference::Secret(text.to_owned());
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf:user";
        for (stores, from, expected) in [
            (&near, parameter("/shop/level"), Ok("three")),
            (&near, secret("shop/db:port"), Ok("5432")),
            (&near, secret(arn), Ok("dana")),
            (&far, parameter("/far"), Ok("from ssm")),
            (&far, secret("far::AWSPREVIOUS"), Ok("old")),
            (
                &near,
                parameter("/far"),
                Err("V: the parameter /far is not known: set \"/far\" in [parameter]"),
            ),
            (
                &near,
                secret("far:x"),
                Err("V: the secret far is not known: set \"far\" in [secret]"),
            ),
            (
                &near,
                parameter("/shop/gone"),
                Err("the environment variable NEVER_SET_ANYWHERE, which is not set"),
            ),
            (
                &near,
                secret("shop/db:word"),
                Err("the secret shop/db has no key word"),
            ),
            (
                &near,
                secret("shop/db::AWSPREVIOUS"),
                Err("has one version"),
            ),
            (
                &far,
                secret("far"),
                Err("secretsmanager refused GetSecretValue: ResourceNotFoundException: none"),
            ),
        ] {
            let found = stores.read("V", &from).await;
            let found = found.map_err(|error| crate::provider::chain(&error));
            match (&found, expected) {
                (Ok(value), Ok(expected)) => assert_eq!(value.reveal(), expected, "{from:?}"),
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
                _ => panic!("{from:?}: {found:?}, expected {expected:?}"),
            }
        }
    }
}
