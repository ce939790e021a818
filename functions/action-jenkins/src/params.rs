//! What a pipeline says about a build, parsed and checked.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Deserialize;
use shared::{provider::segment, secret::SecretRef};

/// Checked parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Params {
    /// Jenkins' address.
    pub base: BaseUrl,
    /// The job.
    pub job: JobPath,
    /// Who builds.
    pub user: String,
    /// The user's API token or password.
    pub token: SecretRef,
    /// The build's parameters.
    pub parameters: BTreeMap<String, String>,
    /// The build's file parameters.
    pub files: Vec<(String, FilePlace)>,
    /// The parameter of the job that is given this run's key, so that a build is found again.
    pub run_parameter: String,
    /// Whether UNSTABLE is good.
    pub unstable_is_good: bool,
    /// How long everything may take, counted from the action's start.
    pub patience: Duration,
    /// Archived files that go into the output artifact begin with one of these; all when empty.
    pub artifacts: Vec<String>,
}

/// A file in an input artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// The artifact's name; the first when absent.
    pub artifact: Option<String>,
    /// Path in it.
    pub path: String,
}

/// Jenkins' address with its context path, without a slash at the end.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

/// A job: its name and those of the folders above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPath(Vec<String>);

/// As written by people.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    #[serde(rename = "ProjectName")]
    project_name: Option<String>,
    url: Option<String>,
    user: Option<String>,
    token: Option<SecretRef>,
    job: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    unstable: Unstable,
    #[serde(default = "default_minutes")]
    timeout_minutes: u64,
    #[serde(default = "default_run_parameter")]
    run_parameter: String,
    #[serde(default)]
    projects: BTreeMap<String, String>,
    #[serde(default)]
    artifacts: Vec<String>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unstable {
    #[default]
    Fails,
    Succeeds,
}

const fn default_minutes() -> u64 {
    60
}
fn default_run_parameter() -> String {
    "PIPELINE_RUN".to_owned()
}

/// A custom action times out after 24 hours.
pub const LONGEST_PATIENCE: u64 = 24 * 60;
/// Of a queryable property: the API's shape allows 50.
pub const LONGEST_PROJECT: usize = 50;
const LONGEST_TEXT: usize = 1000;

/// Why parameters were refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// Not given, neither by the action nor by the function.
    #[error(
        "{0} is not given: name it in the action's parameters, or for all jobs in the function's STAGEWRIGHT_PARAMETERS"
    )]
    Absent(&'static str),
    /// A text with a problem.
    #[error("{0} {1}")]
    Text(&'static str, &'static str),
    /// A number out of its range.
    #[error("timeoutMinutes must be from 1 to {LONGEST_PATIENCE}")]
    Minutes,
}

impl TryFrom<Raw> for Params {
    type Error = ParamsError;

    fn try_from(raw: Raw) -> Result<Self, ParamsError> {
        use ParamsError::{Absent, Text};
        if !(1..=LONGEST_PATIENCE).contains(&raw.timeout_minutes) {
            return Err(ParamsError::Minutes);
        }
        let project = raw.project_name;
        if let Some(name) = &project {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            if !(1..=LONGEST_PROJECT).contains(&name.len()) || !name.chars().all(allowed) {
                return Err(Text(
                    "ProjectName",
                    "must be 1 to 50 letters, digits, - and _: the path of a job in a folder goes into job or projects",
                ));
            }
        }
        let mapped = project.map(|name| raw.projects.get(&name).cloned().unwrap_or(name));
        let job = raw.job.or(mapped).ok_or(Absent("job"))?;
        let user = raw.user.ok_or(Absent("user"))?;
        if user.is_empty() || user.contains(':') || user.chars().any(char::is_control) {
            return Err(Text(
                "user",
                "must be a Jenkins user's name, without a colon",
            ));
        }
        for (name, value) in &raw.parameters {
            plain("parameters", name)?;
            if value.chars().count() > LONGEST_TEXT * 10 {
                return Err(Text(
                    "parameters",
                    "hold a value of more than 10000 characters",
                ));
            }
        }
        let mut files = Vec::new();
        for (name, place) in &raw.files {
            plain("files", name)?;
            if raw.parameters.contains_key(name) || *name == raw.run_parameter {
                return Err(Text(
                    "files",
                    "hold a name that parameters or runParameter hold",
                ));
            }
            files.push((name.clone(), FilePlace::parse(place)?));
        }
        plain("runParameter", &raw.run_parameter)?;
        if raw.parameters.contains_key(&raw.run_parameter) {
            return Err(Text(
                "parameters",
                "hold the name in runParameter, whose value is this action's own",
            ));
        }
        Ok(Self {
            base: BaseUrl::parse(&raw.url.ok_or(Absent("url"))?)?,
            job: JobPath::parse(&job)?,
            user,
            token: raw.token.ok_or(Absent("token"))?,
            parameters: raw.parameters,
            files,
            run_parameter: raw.run_parameter,
            unstable_is_good: raw.unstable == Unstable::Succeeds,
            patience: Duration::from_secs(raw.timeout_minutes * 60),
            artifacts: raw.artifacts,
        })
    }
}

impl FilePlace {
    fn parse(text: &str) -> Result<Self, ParamsError> {
        let (artifact, path) = match text.split_once("::") {
            Some((artifact, path)) => (Some(artifact.to_owned()), path),
            None => (None, text),
        };
        let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !plain || artifact.as_deref() == Some("") || text.len() > LONGEST_TEXT {
            return Err(ParamsError::Text(
                "files",
                "must be written PATH or ARTIFACT::PATH, with a plain path inside the artifact",
            ));
        }
        Ok(Self {
            artifact,
            path: path.to_owned(),
        })
    }
}

impl BaseUrl {
    fn parse(text: &str) -> Result<Self, ParamsError> {
        let fail = |problem| Err(ParamsError::Text("url", problem));
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"));
        let Some(rest) = rest else {
            return fail("must start with http:// or https://");
        };
        if text.len() > LONGEST_TEXT {
            return fail("is too long");
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return fail("holds a space or a control character");
        }
        if rest.contains(['?', '#']) {
            return fail("has a query or a fragment: name Jenkins' own address only");
        }
        let host = rest.split('/').next().unwrap_or_default();
        if host.contains('@') {
            return fail("holds a user name or password: these go into user and token");
        }
        if host.is_empty() || host.starts_with(':') {
            return fail("names no host");
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// The address of something below Jenkins' own; `path` begins with a slash.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JobPath {
    fn parse(text: &str) -> Result<Self, ParamsError> {
        let fail = |problem| Err(ParamsError::Text("job", problem));
        plain("job", text)?;
        let names: Vec<String> = text.split('/').map(str::to_owned).collect();
        if names.iter().any(String::is_empty) {
            return fail("has an empty part: write folder/job, without a slash at either end");
        }
        if names.iter().any(|name| name == "." || name == "..") {
            return fail("has a part . or ..: write folder/job");
        }
        Ok(Self(names))
    }

    /// The path of the job's address: each name is a level. A branch `feature/x` is a job named `feature%2Fx`.
    pub fn url_path(&self) -> String {
        let level = |name: &String| format!("/job/{}", segment(name));
        self.0.iter().map(level).collect()
    }
}

impl fmt::Display for JobPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

fn plain(name: &'static str, text: &str) -> Result<(), ParamsError> {
    if text.is_empty() {
        return Err(ParamsError::Text(name, "is empty or holds an empty name"));
    }
    if text.chars().count() > LONGEST_TEXT {
        return Err(ParamsError::Text(name, "is longer than 1000 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(ParamsError::Text(name, "holds a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
