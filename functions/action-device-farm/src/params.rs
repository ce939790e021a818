//! What is tested, how and where, parsed and checked.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use shared::wire::object::Object;

/// Checked parameters.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Params {
    /// The project.
    pub project: String,
    /// Which devices.
    pub devices: Devices,
    /// What is uploaded before the run, or was before, in this order.
    pub parts: Vec<(Part, Origin)>,
    /// As `APPIUM_PYTHON`.
    pub test_type: String,
    /// `filter` of the test.
    pub filter: Option<String>,
    /// `parameters` of the test.
    pub test_parameters: BTreeMap<String, String>,
    /// `configuration` as Device Farm takes it, with the environment.
    pub configuration: Value,
    /// `executionConfiguration`.
    pub execution: Value,
    /// Whether a run with warnings is good.
    pub accept_warned: bool,
    /// How long all may take, counted from the start of the action.
    pub patience: Duration,
}

/// Which devices.
#[derive(Debug, Clone, PartialEq)]
pub enum Devices {
    /// Those of a pool.
    Pool(String),
    /// `deviceSelectionConfiguration` as Device Farm takes it.
    Selection(Value),
}

/// What a run is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// The app.
    App,
    /// The tests.
    TestPackage,
    /// How they are run.
    TestSpec,
    /// Files for the devices.
    ExtraData,
}

/// Where a part comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An upload that is there.
    Arn(String),
    /// A file of an input artifact: the first, or the one named; and its type at Device Farm.
    File {
        /// Which artifact.
        artifact: Option<String>,
        /// Which file.
        path: String,
        /// As `ANDROID_APP`.
        kind: String,
    },
}

impl Part {
    /// The parameter's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::TestPackage => "testPackage",
            Self::TestSpec => "testSpec",
            Self::ExtraData => "extraData",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    project_arn: String,
    device_pool_arn: Option<String>,
    app_type: AppType,
    app: Option<String>,
    test_type: String,
    test_package: Option<String>,
    test_spec: Option<String>,
    #[serde(default = "default_patience")]
    timeout_minutes: u64,
    job_timeout_minutes: Option<u64>,
    device_selection: Option<Object>,
    extra_data: Option<String>,
    test_filter: Option<String>,
    #[serde(default)]
    test_parameters: BTreeMap<String, String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    configuration: Option<Object>,
    #[serde(default = "yes")]
    record_video: bool,
    #[serde(default = "yes")]
    accept_warned: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum AppType {
    Android,
    #[serde(rename = "iOS")]
    Ios,
    Web,
}

const fn default_patience() -> u64 {
    180
}
const fn yes() -> bool {
    true
}

/// CodePipeline ends a job's continuations after 24 hours; a run may be queued as long.
pub const LONGEST_PATIENCE: u64 = 24 * 60;
/// A run at Device Farm.
pub const LONGEST_JOB: u64 = 150;
/// `environmentVariables`, and the length of a name and a value.
const MOST_VARIABLES: usize = 32;
const LONGEST_VARIABLE: usize = 256;
const LONGEST_ARN: usize = 1011;
const LONGEST_PATH: usize = 1024;
/// Test types of the API.
pub const TEST_TYPES: &[&str] = &[
    "BUILTIN_FUZZ",
    "APPIUM_JAVA_JUNIT",
    "APPIUM_JAVA_TESTNG",
    "APPIUM_PYTHON",
    "APPIUM_NODE",
    "APPIUM_RUBY",
    "APPIUM_WEB_JAVA_JUNIT",
    "APPIUM_WEB_JAVA_TESTNG",
    "APPIUM_WEB_PYTHON",
    "APPIUM_WEB_NODE",
    "APPIUM_WEB_RUBY",
    "INSTRUMENTATION",
    "XCTEST",
    "XCTEST_UI",
];
const FUZZ: &str = "BUILTIN_FUZZ";

/// Why parameters were refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// One parameter is wrong by itself, or beside the others.
    #[error("{name} {problem}")]
    Wrong {
        /// Which.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Neither or both.
    #[error("either devicePoolArn or deviceSelection must be given")]
    Devices,
}

fn wrong(name: &'static str, problem: impl Into<String>) -> ParamsError {
    let problem = problem.into();
    ParamsError::Wrong { name, problem }
}

impl TryFrom<Raw> for Params {
    type Error = ParamsError;

    fn try_from(raw: Raw) -> Result<Self, ParamsError> {
        if !(1..=LONGEST_PATIENCE).contains(&raw.timeout_minutes) {
            return Err(wrong(
                "timeoutMinutes",
                format!("must be from 1 to {LONGEST_PATIENCE}"),
            ));
        }
        let job = raw.job_timeout_minutes;
        if job.is_some_and(|minutes| !(1..=LONGEST_JOB).contains(&minutes)) {
            return Err(wrong(
                "jobTimeoutMinutes",
                format!("must be from 1 to {LONGEST_JOB}"),
            ));
        }
        let known = TEST_TYPES.iter().find(|known| **known == raw.test_type);
        let test_type = *known.ok_or_else(|| {
            wrong(
                "testType",
                format!("must be one of {}", TEST_TYPES.join(", ")),
            )
        })?;
        let mut execution = json!({ "videoCapture": raw.record_video });
        if let Some(minutes) = job {
            execution["jobTimeoutMinutes"] = minutes.into();
        }
        Ok(Self {
            project: arn("projectArn", &raw.project_arn, ":project:")?,
            devices: devices(&raw)?,
            parts: parts(&raw, test_type)?,
            configuration: configuration(&raw)?,
            test_type: test_type.to_owned(),
            filter: raw.test_filter.filter(|text| !text.is_empty()),
            test_parameters: raw.test_parameters,
            execution,
            accept_warned: raw.accept_warned,
            patience: Duration::from_secs(raw.timeout_minutes * 60),
        })
    }
}

fn arn(name: &'static str, text: &str, kind: &str) -> Result<String, ParamsError> {
    let shaped = text.starts_with("arn:aws:devicefarm:") && text.contains(kind);
    let printable = text.chars().all(|c| c.is_ascii_graphic());
    match shaped && printable && (32..=LONGEST_ARN).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err(wrong(
            name,
            format!("must be an ARN of Device Farm with {kind}"),
        )),
    }
}

fn devices(raw: &Raw) -> Result<Devices, ParamsError> {
    match (&raw.device_pool_arn, &raw.device_selection) {
        (Some(pool), None) => {
            let pool = arn("devicePoolArn", pool, ":devicepool:")?;
            Ok(Devices::Pool(pool))
        }
        (None, Some(selection)) => {
            let selection = &selection.0;
            if !selection.contains_key("filters") || !selection.contains_key("maxDevices") {
                return Err(wrong("deviceSelection", "needs filters and maxDevices"));
            }
            Ok(Devices::Selection(selection.clone().into()))
        }
        _ => Err(ParamsError::Devices),
    }
}

fn parts(raw: &Raw, test_type: &str) -> Result<Vec<(Part, Origin)>, ParamsError> {
    let ending = |path: &str, ending: &str| path.to_ascii_lowercase().ends_with(ending);
    let app = match (raw.app_type, &raw.app) {
        (AppType::Web, Some(_)) => {
            return Err(wrong(
                "app",
                "is given, but a Web run has no app: leave it out",
            ));
        }
        (AppType::Web, None) => None,
        (_, None) => return Err(wrong("app", "must be given for Android and iOS")),
        (AppType::Android, Some(app)) => Some(origin(Part::App, app, "ANDROID_APP")?),
        (AppType::Ios, Some(app)) => Some(origin(Part::App, app, "IOS_APP")?),
    };
    let wanted = if raw.app_type == AppType::Ios {
        ".ipa"
    } else {
        ".apk"
    };
    if let Some(Origin::File { path, .. }) = &app
        && !ending(path, wanted)
    {
        return Err(wrong(
            "app",
            format!("must end with {wanted} for this appType"),
        ));
    }
    if (raw.app_type == AppType::Web) != test_type.starts_with("APPIUM_WEB_") {
        return Err(wrong(
            "testType",
            "and appType do not fit: APPIUM_WEB_ types are for Web, and only they",
        ));
    }
    let package = match (test_type, &raw.test_package) {
        (FUZZ, Some(_)) => {
            return Err(wrong(
                "testPackage",
                "is given, but BUILTIN_FUZZ has none: leave it out",
            ));
        }
        (FUZZ, None) => None,
        (_, None) => {
            return Err(wrong(
                "testPackage",
                format!("must be given for {test_type}"),
            ));
        }
        (_, Some(package)) => Some(origin(
            Part::TestPackage,
            package,
            &format!("{test_type}_TEST_PACKAGE"),
        )?),
    };
    let spec = match &raw.test_spec {
        None => None,
        Some(_) if [FUZZ, "XCTEST"].contains(&test_type) => {
            return Err(wrong(
                "testSpec",
                format!("is given, but {test_type} takes none"),
            ));
        }
        Some(spec) => Some(origin(
            Part::TestSpec,
            spec,
            &format!("{test_type}_TEST_SPEC"),
        )?),
    };
    let extra = raw.extra_data.as_ref();
    let extra = extra.map(|path| origin(Part::ExtraData, path, "EXTERNAL_DATA"));
    let all = [
        (Part::App, app),
        (Part::TestPackage, package),
        (Part::TestSpec, spec),
        (Part::ExtraData, extra.transpose()?),
    ];
    Ok(all
        .into_iter()
        .filter_map(|(part, origin)| Some((part, origin?)))
        .collect())
}

fn origin(part: Part, text: &str, kind: &str) -> Result<Origin, ParamsError> {
    if text.starts_with("arn:") {
        return Ok(Origin::Arn(arn(part.name(), text, ":upload:")?));
    }
    let (artifact, path) = match text.split_once("::") {
        Some((artifact, path)) => (Some(artifact.to_owned()), path),
        None => (None, text),
    };
    let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let printable = !path.chars().any(char::is_control) && path.len() <= LONGEST_PATH;
    if !plain || !printable || artifact.as_deref() == Some("") {
        return Err(wrong(
            part.name(),
            "must be an upload's ARN, or PATH or ARTIFACT::PATH with a plain path inside an input artifact",
        ));
    }
    Ok(Origin::File {
        artifact,
        path: path.to_owned(),
        kind: kind.to_owned(),
    })
}

fn configuration(raw: &Raw) -> Result<Value, ParamsError> {
    let mut all = match &raw.configuration {
        None => json!({}),
        Some(given) => given.0.clone().into(),
    };
    if raw.environment.is_empty() {
        return Ok(all);
    }
    let plain = |name: &str| {
        let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let fits = |text: &str| (1..=LONGEST_VARIABLE).contains(&text.len());
    let good = |(name, value): (&String, &String)| plain(name) && fits(name) && fits(value);
    if raw.environment.len() > MOST_VARIABLES || !raw.environment.iter().all(good) {
        let problem = format!(
            "must be at most {MOST_VARIABLES} variables with names of A-Z, a-z, 0-9 and _ and values of 1 to {LONGEST_VARIABLE} characters"
        );
        return Err(wrong("environment", problem));
    }
    if all.get("environmentVariables").is_some() {
        return Err(wrong(
            "environment",
            "and configuration both give environmentVariables: choose one",
        ));
    }
    let pair = |(name, value)| json!({"name": name, "value": value});
    all["environmentVariables"] = raw.environment.iter().map(pair).collect();
    Ok(all)
}

#[cfg(test)]
mod tests;
