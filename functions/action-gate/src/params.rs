//! What opens the gate, parsed and checked.

use std::time::Duration;

use jiff::{civil::Date, tz::TimeZone};
use serde::Deserialize;
use shared::{
    page_url::{PageUrl, PageUrlError},
    secret::{SecretRef, SecretRefError},
};

use crate::window::{MinuteError, Window};

/// Checked parameters. The gate is open when all that is given says so.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Params {
    /// Change calendars, by name or ARN.
    pub calendars: Vec<String>,
    /// Alarms, by name.
    pub alarms: Vec<String>,
    /// Whether an alarm without data lets through.
    pub insufficient_data_opens: bool,
    /// A parameter of Systems Manager, and what it must be.
    pub parameter: Option<(String, String)>,
    /// A page, and what it must answer.
    pub page: Option<Page>,
    /// Hours.
    pub window: Option<Window>,
    /// Whether a closed gate is waited for.
    pub waits: bool,
    /// How long, counted from the start of the action.
    pub patience: Duration,
}

/// A page that opens the gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Where.
    pub url: PageUrl,
    /// The status that opens.
    pub status: u16,
    /// A text that must be in the answer.
    pub text: Option<String>,
    /// A bearer token to ask with.
    pub token: Option<SecretRef>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    calendars: Vec<String>,
    #[serde(default)]
    alarms: Vec<String>,
    parameter: Option<String>,
    parameter_value: Option<String>,
    url: Option<String>,
    days: Option<Vec<String>>,
    opens_at: Option<String>,
    closes_at: Option<String>,
    time_zone: Option<String>,
    closed_on: Option<Vec<String>>,
    #[serde(default)]
    when_closed: WhenClosed,
    #[serde(default = "default_patience")]
    timeout_minutes: u64,
    #[serde(default)]
    insufficient_data: InsufficientData,
    expect_status: Option<u16>,
    expect_text: Option<String>,
    url_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WhenClosed {
    #[default]
    Wait,
    Fail,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum InsufficientData {
    #[default]
    Open,
    Closed,
}

const fn default_patience() -> u64 {
    60
}

/// CodePipeline ends a job's continuations after 24 hours.
pub const LONGEST_PATIENCE: u64 = 24 * 60;
/// `AlarmNames` of `DescribeAlarms`.
pub const MOST_ALARMS: usize = 100;
/// Calendars asked for together; more is a mistake.
const MOST_CALENDARS: usize = 50;
/// An ARN of a calendar or alarm, or a parameter's.
const LONGEST_NAME: usize = 2048;
const LONGEST_VALUE: usize = 1000;
const WEEK: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Why parameters were refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// The gate would always be open.
    #[error(
        "nothing is given that could close the gate: give calendars, alarms, parameter, url, or hours (days, opensAt, closesAt, closedOn)"
    )]
    Nothing,
    /// One parameter is wrong by itself.
    #[error("{name} {problem}")]
    Wrong {
        /// Which.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// One parameter says nothing without another.
    #[error("{name} is given without {needs}")]
    Alone {
        /// Which.
        name: &'static str,
        /// The other one.
        needs: &'static str,
    },
}

fn wrong(name: &'static str, problem: impl Into<String>) -> ParamsError {
    let problem = problem.into();
    ParamsError::Wrong { name, problem }
}

impl TryFrom<Raw> for Params {
    type Error = ParamsError;

    fn try_from(raw: Raw) -> Result<Self, ParamsError> {
        if !(0..=LONGEST_PATIENCE).contains(&raw.timeout_minutes) {
            return Err(wrong(
                "timeoutMinutes",
                format!("must be from 0 to {LONGEST_PATIENCE}"),
            ));
        }
        let window = window(&raw)?;
        let page = page(&raw)?;
        let parameter = match (raw.parameter, raw.parameter_value) {
            (None, Some(_)) => {
                return Err(ParamsError::Alone {
                    name: "parameterValue",
                    needs: "parameter",
                });
            }
            (None, None) => None,
            (Some(name), value) => {
                let value = value.unwrap_or_else(|| "open".to_owned());
                text("parameterValue", &value, LONGEST_VALUE)?;
                text("parameter", &name, LONGEST_NAME)?;
                Some((name, value))
            }
        };
        let params = Self {
            calendars: names("calendars", raw.calendars, MOST_CALENDARS)?,
            alarms: names("alarms", raw.alarms, MOST_ALARMS)?,
            insufficient_data_opens: matches!(raw.insufficient_data, InsufficientData::Open),
            parameter,
            page,
            window,
            waits: matches!(raw.when_closed, WhenClosed::Wait),
            patience: Duration::from_secs(raw.timeout_minutes * 60),
        };
        let nothing = params.calendars.is_empty()
            && params.alarms.is_empty()
            && params.parameter.is_none()
            && params.page.is_none()
            && params.window.is_none();
        match nothing {
            true => Err(ParamsError::Nothing),
            false => Ok(params),
        }
    }
}

fn text(name: &'static str, value: &str, longest: usize) -> Result<(), ParamsError> {
    if value.is_empty() || value.len() > longest || value.chars().any(char::is_control) {
        return Err(wrong(
            name,
            format!("must be a text of 1 to {longest} characters"),
        ));
    }
    Ok(())
}

fn names(name: &'static str, list: Vec<String>, most: usize) -> Result<Vec<String>, ParamsError> {
    if list.len() > most {
        return Err(wrong(name, format!("must be at most {most}")));
    }
    for one in &list {
        text(name, one, LONGEST_NAME)?;
    }
    Ok(list)
}

fn page(raw: &Raw) -> Result<Option<Page>, ParamsError> {
    let Some(url) = &raw.url else {
        let alone = [
            ("expectStatus", raw.expect_status.is_some()),
            ("expectText", raw.expect_text.is_some()),
            ("urlToken", raw.url_token.is_some()),
        ];
        return match alone.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(ParamsError::Alone { name, needs: "url" }),
            None => Ok(None),
        };
    };
    let url = url
        .parse()
        .map_err(|PageUrlError(problem)| wrong("url", problem))?;
    let status = raw.expect_status.unwrap_or(200);
    if !(200..=599).contains(&status) {
        return Err(wrong("expectStatus", "must be from 200 to 599"));
    }
    if let Some(expected) = &raw.expect_text {
        text("expectText", expected, LONGEST_VALUE)?;
        if status >= 400 {
            return Err(wrong(
                "expectText",
                "is looked for in answers of a status below 400 only",
            ));
        }
    }
    let token = raw.url_token.as_deref().map(str::parse).transpose();
    let token = token.map_err(|error: SecretRefError| wrong("urlToken", error.to_string()))?;
    Ok(Some(Page {
        url,
        status,
        text: raw.expect_text.clone(),
        token,
    }))
}

fn window(raw: &Raw) -> Result<Option<Window>, ParamsError> {
    let days = raw.days.as_deref().filter(|days| !days.is_empty());
    let closed_on = raw.closed_on.as_deref().filter(|dates| !dates.is_empty());
    if days.is_none() && raw.opens_at.is_none() && raw.closes_at.is_none() && closed_on.is_none() {
        return match raw.time_zone {
            Some(_) => Err(ParamsError::Alone {
                name: "timeZone",
                needs: "days, opensAt, closesAt or closedOn",
            }),
            None => Ok(None),
        };
    }
    let mut window = Window::default();
    if let Some(days) = days {
        window.days = [false; 7];
        for day in days {
            let index = WEEK.iter().position(|name| name.eq_ignore_ascii_case(day));
            let known = index.and_then(|index| window.days.get_mut(index));
            let known =
                known.ok_or_else(|| wrong("days", format!("must be of {}", WEEK.join(", "))));
            *known? = true;
        }
    }
    let minute = |name, text: &Option<String>, default| match text {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|error: MinuteError| wrong(name, format!("is wrong: {error}"))),
    };
    window.opens = minute("opensAt", &raw.opens_at, window.opens)?;
    window.closes = minute("closesAt", &raw.closes_at, window.closes)?;
    for date in closed_on.unwrap_or_default() {
        let date: Date = date
            .parse()
            .map_err(|_| wrong("closedOn", "must be of dates like 2026-12-24"))?;
        window.closed_on.push(date);
    }
    if let Some(name) = &raw.time_zone {
        let unknown = "is not known: write Region/City, as Europe/Berlin, or UTC";
        window.zone = TimeZone::get(name).map_err(|_| wrong("timeZone", unknown))?;
    }
    Ok(Some(window))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> Result<Params, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_given_is_taken() {
        let params = read(json!({
            "calendars": ["Freeze"], "parameter": "/gate", "url": "https://example.com/?k=planted",
            "days": ["mon", "Tue"], "opensAt": "09:00", "timeZone": "Europe/Berlin"
        }))
        .unwrap();
        assert_eq!(params.parameter, Some(("/gate".into(), "open".into())));
        let window = params.window.as_ref().unwrap();
        assert_eq!(window.days, [true, true, false, false, false, false, false]);
        assert!(params.waits && params.insufficient_data_opens);
        assert!(!format!("{params:?}").contains("planted"), "{params:?}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = "x".repeat(LONGEST_NAME + 1);
        let many = vec!["a"; MOST_ALARMS + 1];
        for (value, want) in [
            (json!({}), "nothing is given that could close the gate"),
            (json!({"days": [], "calendars": []}), "nothing is given"),
            (json!({"alarms": many}), "alarms must be at most 100"),
            (json!({"alarms": [""]}), "alarms must be a text"),
            (json!({"alarms": "a"}), "expected a sequence"),
            (
                json!({"calendars": [long]}),
                "calendars must be a text of 1 to 2048",
            ),
            (json!({"calendars": [7]}), "expected a string"),
            (
                json!({"parameterValue": "x"}),
                "parameterValue is given without parameter",
            ),
            (
                json!({"parameter": "a", "parameterValue": ""}),
                "parameterValue must be a text",
            ),
            (
                json!({"expectText": "x", "alarms": ["a"]}),
                "expectText is given without url",
            ),
            (json!({"url": "ftp://planted"}), "url must start with http"),
            (
                json!({"url": "https://a/", "expectStatus": 99}),
                "expectStatus must be from 200",
            ),
            (
                json!({"url": "https://a/", "expectStatus": 404, "expectText": "x"}),
                "expectText is looked for in answers of a status below 400",
            ),
            (
                json!({"url": "https://a/", "urlToken": "planted"}),
                "urlToken a reference is needed",
            ),
            (json!({"timeZone": "UTC"}), "timeZone is given without days"),
            (json!({"days": ["Funday"]}), "days must be of Mon, Tue"),
            (
                json!({"opensAt": "9"}),
                "opensAt is wrong: a time like 09:30",
            ),
            (json!({"closesAt": "24:30"}), "closesAt is wrong"),
            (
                json!({"closedOn": ["Christmas"]}),
                "closedOn must be of dates",
            ),
            (
                json!({"days": ["Mon"], "timeZone": "Mars/Base"}),
                "timeZone is not known",
            ),
            (
                json!({"alarms": ["a"], "timeoutMinutes": 1441}),
                "timeoutMinutes must be from 0 to 1440",
            ),
            (
                json!({"alarms": ["a"], "timeoutMinutes": "soon"}),
                "expected u64",
            ),
            (
                json!({"alarms": ["a"], "whenClosed": "maybe"}),
                "expected `wait` or `fail`",
            ),
            (json!({"alarm": ["a"]}), "unknown field `alarm`"),
        ] {
            let error = read(value.clone()).unwrap_err();
            assert!(error.contains(want), "{value}: {error}");
            assert!(!error.contains("planted"), "{error}");
        }
    }
}
