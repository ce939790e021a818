//! Parameters that do not fit where a pipeline writes them: a file of an input artifact, named `file:PATH` (of the first
//! input artifact) or `file:ARTIFACT::PATH`.
//!
//! It stands in place of the whole `UserParameters`, of a task's `params`, or in the property `Parameters` of a custom
//! action. That property may also hold the parameters as JSON: an action type has at most ten properties. Other
//! properties win over it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    fault::{Fault, FaultKind},
    job::{ArtifactRef, RawParameters},
    port::PortError,
};

/// The largest file of parameters.
pub const MAX_FILE: u64 = 1024 * 1024;
/// The property of a custom action that may hold all parameters.
pub const PROPERTY: &str = "Parameters";

/// Where parameters lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which input artifact; the first when absent.
    pub artifact: Option<String>,
    /// Which file in it.
    pub path: String,
}

/// Where the parameters lie, when they are not given in place.
///
/// # Errors
/// When the place is no path.
pub fn place(parameters: &RawParameters) -> Result<Option<Place>, Fault> {
    let text = match parameters {
        RawParameters::Text(text) => Some(text.as_str()),
        RawParameters::Json(value) => value.as_str(),
        RawParameters::Flat(map) => map.get(PROPERTY).map(String::as_str),
    };
    let Some(rest) = text.and_then(|text| text.trim().strip_prefix("file:")) else {
        return Ok(None);
    };
    let (artifact, path) = match rest.split_once("::") {
        Some((artifact, path)) => (Some(artifact.to_owned()), path),
        None => (None, rest),
    };
    let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !plain || artifact.as_deref() == Some("") {
        return Err(configuration(
            "the parameters' file must be written file:PATH or file:ARTIFACT::PATH, with a plain path inside the artifact",
        ));
    }
    Ok(Some(Place {
        artifact,
        path: path.to_owned(),
    }))
}

impl Place {
    /// The artifact that is meant.
    ///
    /// # Errors
    /// When the action has no such input.
    pub fn artifact<'a>(&self, inputs: &'a [ArtifactRef]) -> Result<&'a ArtifactRef, Fault> {
        match &self.artifact {
            None => inputs.first().ok_or_else(|| {
                configuration(
                    "the parameters are in a file, but the action has no input artifact: add the one that holds it",
                )
            }),
            Some(name) => inputs
                .iter()
                .find(|input| input.name.as_str() == name)
                .ok_or_else(|| {
                    configuration(format!(
                        "the parameters are in a file of the artifact {name:?}, which is no input of the action"
                    ))
                }),
        }
    }

    /// What is said when the file cannot be read.
    pub fn unreadable(&self, artifact: &ArtifactRef, error: PortError) -> Fault {
        let (path, name) = (&self.path, &artifact.name);
        match error {
            PortError::NotFound { .. } => Fault::new(
                FaultKind::Artifact,
                format!("the parameters' file {path:?} is not in the artifact {name}"),
            )
            .because(error),
            error => {
                let fault = Fault::from(error);
                Fault {
                    public: format!(
                        "the parameters' file {path:?} of the artifact {name} cannot be read: {}",
                        fault.public
                    ),
                    ..fault
                }
            }
        }
    }
}

/// Parameters as a text to keep: how they were given and what they are.
pub fn keep(parameters: &RawParameters) -> String {
    let (kind, value) = match parameters {
        RawParameters::Text(text) => ("text", Value::from(text.as_str())),
        RawParameters::Json(value) => ("json", value.clone()),
        RawParameters::Flat(map) => ("flat", json!(map)),
    };
    json!({ kind: value }).to_string()
}

/// Reads what [`keep`] wrote; `None` for anything else.
pub fn kept(text: &str) -> Option<RawParameters> {
    let mut kept: Map<String, Value> = serde_json::from_str(text).ok()?;
    if let Some(text) = kept.get("text") {
        return Some(RawParameters::Text(text.as_str()?.to_owned()));
    }
    if let Some(map) = kept.remove("flat") {
        return serde_json::from_value(map).ok().map(RawParameters::Flat);
    }
    kept.remove("json").map(RawParameters::Json)
}

/// The parameters with what the file says.
///
/// # Errors
/// When the file is no text, or no JSON object where properties stand beside it.
pub fn with_file(
    parameters: &RawParameters,
    place: &Place,
    bytes: &[u8],
) -> Result<RawParameters, Fault> {
    let no_text = |_| configuration(format!("the parameters' file {:?} is no UTF-8", place.path));
    let text = std::str::from_utf8(bytes).map_err(no_text)?;
    match parameters {
        RawParameters::Text(_) | RawParameters::Json(_) => Ok(RawParameters::Text(text.to_owned())),
        RawParameters::Flat(map) => Ok(RawParameters::Flat(BTreeMap::from_iter(map.iter().map(
            |(name, value)| match name.as_str() {
                PROPERTY => (PROPERTY.to_owned(), text.to_owned()),
                name => (name.to_owned(), value.clone()),
            },
        )))),
    }
}

/// The parameters with those for all runs, which lose against what is given. An empty text of a configuration gives
/// nothing. What is not readable stays as it is, for the error it deserves.
pub fn with_defaults(given: &RawParameters, defaults: &Map<String, Value>) -> RawParameters {
    let over = |given: &Value| match given {
        Value::Object(map) => {
            let mut all = defaults.clone();
            all.extend(map.clone());
            Some(Value::Object(all))
        }
        _ => None,
    };
    let of_text = |text: &str| match text.trim() {
        "" => Some(Value::Object(defaults.clone())),
        text => over(&serde_json::from_str(text).ok()?),
    };
    let whole = match given {
        RawParameters::Json(value) => over(value).map(RawParameters::Json),
        RawParameters::Text(text) => {
            of_text(text).map(|value| RawParameters::Text(value.to_string()))
        }
        RawParameters::Flat(map) => {
            let property = map.get(PROPERTY).map_or("", String::as_str);
            of_text(property).map(|value| {
                let has = |name: &str| value.get(name).is_some();
                let mut all = map.clone();
                all.retain(|name, text| !text.is_empty() || !has(name));
                all.insert(PROPERTY.to_owned(), value.to_string());
                RawParameters::Flat(all)
            })
        }
    };
    whole.unwrap_or_else(|| given.clone())
}

/// A flat configuration with the property [`PROPERTY`] spread out.
///
/// # Errors
/// When that property is no JSON object.
pub fn spread(map: &BTreeMap<String, String>) -> Result<Map<String, Value>, Fault> {
    let mut all = match map.get(PROPERTY) {
        None => Map::new(),
        Some(text) => serde_json::from_str(text)
            .map_err(|_| configuration(format!("the property {PROPERTY} holds no JSON object")))?,
    };
    for (name, value) in map.iter().filter(|(name, _)| *name != PROPERTY) {
        all.insert(name.clone(), value.as_str().into());
    }
    Ok(all)
}

/// What is said by a function that reads no artifacts.
pub fn no_files() -> Fault {
    configuration(
        "the parameters are in a file, but this function reads no artifacts: give them in place",
    )
}

fn configuration(text: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Configuration, text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> RawParameters {
        RawParameters::Text(text.to_owned())
    }

    #[test]
    fn a_place_is_told_from_parameters() {
        let at = |artifact: Option<&str>, path: &str| {
            Some(Place {
                artifact: artifact.map(str::to_owned),
                path: path.to_owned(),
            })
        };
        for (raw, expected) in [
            (text("{}"), None),
            (text(" file:ci/check.json "), at(None, "ci/check.json")),
            (
                text("file:Built::check.json"),
                at(Some("Built"), "check.json"),
            ),
            (
                RawParameters::Json(json!("file:a.json")),
                at(None, "a.json"),
            ),
            (RawParameters::Json(json!({"url": "file:a"})), None),
            (
                RawParameters::Flat(BTreeMap::from([(PROPERTY.into(), "file:a.json".into())])),
                at(None, "a.json"),
            ),
        ] {
            assert_eq!(place(&raw).unwrap(), expected, "{raw:?}");
        }
        for bad in [
            "file:",
            "file:/etc/passwd",
            "file:a/../b",
            "file:::a",
            "file:A::",
        ] {
            assert!(place(&text(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_given_wins_over_what_is_for_all_runs() {
        let defaults = json!({"url": "u", "tries": 3});
        let defaults = defaults.as_object().unwrap();
        let flat = |pairs: &[(&str, &str)]| {
            let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            RawParameters::Flat(pairs.iter().map(own).collect())
        };
        let read = |raw: RawParameters| match with_defaults(&raw, defaults) {
            RawParameters::Text(text) => serde_json::from_str(&text).unwrap_or(json!(text)),
            RawParameters::Json(value) => value,
            RawParameters::Flat(map) => spread(&map).map_or(Value::Null, Value::from),
        };
        for (given, whole) in [
            (text(""), json!({"url": "u", "tries": 3})),
            (text(r#"{"url": "v"}"#), json!({"url": "v", "tries": 3})),
            (text("{"), json!("{")),
            (
                RawParameters::Json(json!({"a": 1})),
                json!({"url": "u", "tries": 3, "a": 1}),
            ),
            (RawParameters::Json(json!([])), json!([])),
            (
                flat(&[("a", "1")]),
                json!({"url": "u", "tries": 3, "a": "1"}),
            ),
            (
                flat(&[("url", "v"), ("tries", "")]),
                json!({"url": "v", "tries": 3}),
            ),
            (
                flat(&[(PROPERTY, r#"{"tries": 4}"#)]),
                json!({"url": "u", "tries": 4}),
            ),
            (flat(&[(PROPERTY, "[")]), Value::Null),
        ] {
            assert_eq!(read(given.clone()), whole, "{given:?}");
        }
    }

    #[test]
    fn properties_win_over_the_spread_object() {
        let map = |json: &str| {
            BTreeMap::from([
                (PROPERTY.to_owned(), json.to_owned()),
                ("url".to_owned(), "b".to_owned()),
            ])
        };
        let all = spread(&map(r#"{"url": "a", "tries": 3}"#)).unwrap();
        assert_eq!(Value::from(all), json!({"url": "b", "tries": 3}));
        assert!(spread(&map("[]")).is_err());
    }
}
