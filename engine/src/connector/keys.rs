//! An action's configuration becomes a function's parameters: one place, no effects.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use shared::secret::SecretRef;

use super::{Becomes, Route};

/// How a secret reads back from CodePipeline, so that it stands in definitions that were fetched.
const MASK: &str = "****";

/// Why a configuration is no parameters. No value is in here: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmapped {
    /// Nothing is known of the key.
    #[error(
        "the configuration key {key} is not known to {function}: name its parameter in [connector.{provider}.keys] of stagewright.toml"
    )]
    Key {
        /// Which.
        key: String,
        /// The function.
        function: String,
        /// The provider.
        provider: String,
    },
    /// A value of another type.
    #[error("the configuration key {key} must be {expected}")]
    Value {
        /// Which.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
    /// Two keys of one parameter.
    #[error("the configuration keys {first} and {second} mean the same")]
    Twice {
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// A secret in the definition itself.
    #[error(
        "the configuration key {key} holds a secret itself, and functions take references only: write \
         {{{{resolve:secretsmanager:NAME:SecretString:FIELD}}}}, secretsmanager:NAME or ssm:NAME, or leave **** and set \
         {parameter} in [connector.{provider}.parameters] of stagewright.toml"
    )]
    Secret {
        /// Which.
        key: String,
        /// The function's parameter.
        parameter: &'static str,
        /// The provider.
        provider: String,
    },
}

/// The parameters of an action: those of all actions, and what its configuration says.
///
/// # Errors
/// See [`Unmapped`].
pub fn parameters(
    route: &Route<'_>,
    provider: &str,
    account: &str,
    configuration: &BTreeMap<String, String>,
) -> Result<Value, Unmapped> {
    let mut all = Value::Object(route.settings.parameters.clone());
    let mut by: BTreeMap<&str, &str> = BTreeMap::new();
    let known = |key: &str| {
        let keys = route.vendor.iter().flat_map(|vendor| vendor.keys);
        let mut keys = keys.filter(|(name, _)| *name == key);
        keys.next().map(|(_, becomes)| *becomes)
    };
    for (key, value) in configuration {
        if value.is_empty() {
            continue;
        }
        if let Some(parameter) = route.settings.keys.get(key) {
            claim(&mut by, parameter, key)?;
            put(&mut all, parameter, own(value));
            continue;
        }
        let becomes = known(key).ok_or_else(|| Unmapped::Key {
            key: key.clone(),
            function: route.function.to_owned(),
            provider: provider.to_owned(),
        })?;
        let wrong = |expected| Unmapped::Value {
            key: key.clone(),
            expected,
        };
        let (parameter, value) = match becomes {
            Becomes::Nothing => continue,
            Becomes::Text(name) => (name, Value::from(value.as_str())),
            Becomes::Number(name) => (name, number(value).ok_or_else(|| wrong("a number"))?),
            Becomes::Flag(name) => {
                let flag = flag(value).ok_or_else(|| wrong("true or false"))?;
                (name, Value::from(flag))
            }
            Becomes::Choice(name, yes, no) => {
                let flag = flag(value).ok_or_else(|| wrong("true or false"))?;
                (name, Value::from(if flag { yes } else { no }))
            }
            Becomes::List(name) => (name, paths(value)),
            Becomes::DeviceFiles => {
                let ios = configuration.get("AppType").is_some_and(|it| it == "iOS");
                let name = match ios {
                    true => "configuration.customerArtifactPaths.iosPaths",
                    false => "configuration.customerArtifactPaths.androidPaths",
                };
                (name, paths(value))
            }
            Becomes::Object(name) => {
                let object: Option<Map<String, Value>> = serde_json::from_str(value).ok();
                let object = object.ok_or_else(|| wrong("a JSON object"))?;
                (name, Value::Object(object))
            }
            Becomes::Project(name) => (name, Value::from(project(value, account))),
            Becomes::Secret(name) => match reference(value) {
                Found::Masked => continue,
                Found::Reference(reference) => (name, Value::from(reference)),
                Found::Plain => {
                    return Err(Unmapped::Secret {
                        key: key.clone(),
                        parameter: name,
                        provider: provider.to_owned(),
                    });
                }
            },
        };
        claim(&mut by, parameter, key)?;
        put(&mut all, parameter, value);
    }
    Ok(all)
}

fn claim<'a>(
    by: &mut BTreeMap<&'a str, &'a str>,
    parameter: &'a str,
    key: &'a str,
) -> Result<(), Unmapped> {
    match by.insert(parameter, key) {
        None => Ok(()),
        Some(first) => Err(Unmapped::Twice {
            first: first.to_owned(),
            second: key.to_owned(),
        }),
    }
}

/// Of a key that the user named: JSON where it is a number, a list or an object, else text.
fn own(value: &str) -> Value {
    let text = || Value::from(value);
    match serde_json::from_str(value) {
        Ok(Value::String(_) | Value::Null) | Err(_) => text(),
        Ok(json) => json,
    }
}

fn put(all: &mut Value, parameter: &str, value: Value) {
    let mut place = all;
    for part in parameter.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[part];
    }
    *place = value;
}

fn number(text: &str) -> Option<Value> {
    let number: Value = serde_json::from_str(text).ok()?;
    number.is_number().then_some(number)
}

fn flag(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Several are separated by commas.
fn paths(text: &str) -> Value {
    text.split(',').map(str::trim).collect::<Vec<_>>().into()
}

/// Device Farm is in one region.
fn project(id: &str, account: &str) -> String {
    match id.starts_with("arn:") {
        true => id.to_owned(),
        false => format!("arn:aws:devicefarm:us-west-2:{account}:project:{id}"),
    }
}

enum Found {
    Masked,
    Reference(String),
    Plain,
}

/// A reference as functions write it, or CloudFormation's dynamic reference.
fn reference(value: &str) -> Found {
    if value == MASK {
        return Found::Masked;
    }
    let dynamic = value
        .strip_prefix("{{resolve:")
        .and_then(|rest| rest.strip_suffix("}}"));
    let text = match dynamic {
        None => Some(value.to_owned()),
        Some(rest) => dynamic_reference(rest),
    };
    match text.filter(|text| text.parse::<SecretRef>().is_ok()) {
        Some(text) => Found::Reference(text),
        None => Found::Plain,
    }
}

/// `secretsmanager:NAME:SecretString:FIELD:STAGE:VERSION`, `ssm-secure:NAME`, `ssm:NAME`; a stage or version is not taken.
fn dynamic_reference(rest: &str) -> Option<String> {
    let (service, rest) = rest.split_once(':')?;
    match service {
        "ssm" | "ssm-secure" => Some(format!("ssm:{rest}")),
        "secretsmanager" => {
            let (name, field) = rest.split_once(":SecretString").unwrap_or((rest, ""));
            let field = field.trim_matches(':');
            if field.contains(':') {
                return None;
            }
            Some(match field {
                "" => format!("secretsmanager:{name}"),
                field => format!("secretsmanager:{name}#{field}"),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::Connector, *};
    use crate::connector::vendor::of_provider;

    fn of(provider: &str, table: &str, keys: &[(&str, &str)]) -> Result<Value, String> {
        let settings: Connector = toml::from_str(table).unwrap();
        let vendor = of_provider(provider);
        let route = Route {
            function: settings.function(provider).unwrap(),
            vendor,
            settings: &settings,
        };
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let configuration = keys.iter().map(own).collect();
        parameters(&route, provider, "123456789012", &configuration).map_err(|e| e.to_string())
    }

    #[test]
    fn a_run_of_device_farm_keeps_its_meaning() {
        let pool = "arn:aws:devicefarm:us-west-2::devicepool:1";
        let keys = [
            ("ProjectId", "eec4905f"),
            ("DevicePoolArn", pool),
            ("AppType", "iOS"),
            ("App", "app.ipa"),
            ("TestType", "BUILTIN_FUZZ"),
            ("AppiumVersion", "1.7.2"),
            ("FuzzEventCount", "600"),
            ("RecordVideo", "False"),
            ("RadioWifiEnabled", "true"),
            ("CustomDeviceArtifacts", "/a, /b"),
            ("UnmeteredDevicesOnly", "true"),
            ("JobTimeoutMinutes", "20"),
            ("Latitude", "47.6"),
            ("Test", ""),
        ];
        let expected = json!({
            "projectArn": "arn:aws:devicefarm:us-west-2:123456789012:project:eec4905f", "devicePoolArn": pool,
            "appType": "iOS", "app": "app.ipa", "testType": "BUILTIN_FUZZ", "testParameters": {"event_count": "600"},
            "recordVideo": false, "jobTimeoutMinutes": 20, "acceptWarned": false,
            "configuration": {"radios": {"wifi": true}, "customerArtifactPaths": {"iosPaths": ["/a", "/b"]},
                "billingMethod": "UNMETERED", "location": {"latitude": 47.6}}
        });
        let table = "parameters = { acceptWarned = false }";
        assert_eq!(of("DeviceFarm", table, &keys), Ok(expected));
    }

    #[test]
    fn secrets_are_references_or_come_from_the_settings() {
        let table = "parameters = { refreshToken = 'ssm:/alexa' }";
        let dynamic = "{{resolve:secretsmanager:alexa:SecretString:secret::}}";
        let keys = [
            ("ClientId", "c"),
            ("ClientSecret", dynamic),
            ("RefreshToken", "****"),
            ("SkillId", "s"),
        ];
        let expected = json!({
            "clientId": "c", "clientSecret": "secretsmanager:alexa#secret", "refreshToken": "ssm:/alexa", "skillId": "s"
        });
        assert_eq!(of("AlexaSkillsKit", table, &keys), Ok(expected));
        for (value, expected) in [
            ("secretsmanager:a", Some("secretsmanager:a")),
            ("{{resolve:secretsmanager:a}}", Some("secretsmanager:a")),
            ("{{resolve:ssm-secure:/a:3}}", Some("ssm:/a:3")),
            (
                "{{resolve:secretsmanager:a:SecretString:f:AWSPREVIOUS}}",
                None,
            ),
            ("planted", None),
        ] {
            let found = of("AlexaSkillsKit", "", &[("ClientSecret", value)]);
            match expected {
                Some(expected) => assert_eq!(found.unwrap()["clientSecret"], expected),
                None => {
                    let error = found.unwrap_err();
                    assert!(
                        error.contains("ClientSecret holds a secret itself"),
                        "{error}"
                    );
                    assert!(
                        error.contains("set clientSecret in [connector.AlexaSkillsKit.parameters]"),
                        "{error}"
                    );
                    assert!(!error.contains("planted"), "{error}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_mapped_is_refused_by_name() {
        for (keys, expected) in [
            (
                &[("Colour", "red")][..],
                "the configuration key Colour is not known to action-ghost-inspector: name its parameter in [connector.GhostInspector.keys]",
            ),
            (
                &[("Settings", "x")][..],
                "the configuration key Settings must be a JSON object",
            ),
            (
                &[("Suite", "a"), ("SuiteId", "b")][..],
                "the configuration keys Suite and SuiteId mean the same",
            ),
        ] {
            let error = of("GhostInspector", "", keys).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = of("StormRunnerLoad", "", &[("Project", "x")]).unwrap_err();
        assert_eq!(error, "the configuration key Project must be a number");
    }

    #[test]
    fn a_user_names_keys_of_their_own() {
        let table =
            "function = 'f'\ncategory = 'Test'\nkeys = { Page = 'url', Tries = 'attempts' }";
        let found = of("Mine", table, &[("Page", "http://a/"), ("Tries", "3")]);
        assert_eq!(found, Ok(json!({"url": "http://a/", "attempts": 3})));
    }
}
