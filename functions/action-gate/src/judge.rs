//! What is seen of the gate, and what that means.

use std::error::Error;

use jiff::Timestamp;
use shared::fault::{Fault, FaultKind};

use crate::{
    params::Page,
    window::Window,
    wire::{AlarmState, ParameterValue},
};

/// What one of the gate's conditions says.
#[derive(Debug)]
pub enum Sight {
    /// Go.
    Open,
    /// Wait.
    Closed {
        /// For people.
        why: String,
        /// When it changes, where that is known.
        until: Option<Timestamp>,
    },
    /// It could not be asked; that may pass.
    Unknown {
        /// For people.
        why: String,
        /// For the log.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

/// What all of them say together.
#[derive(Debug)]
pub enum View {
    /// Go.
    Open,
    /// At least one says: wait.
    Closed {
        /// Of all that are not open.
        why: String,
        /// The earliest change that is known.
        until: Option<Timestamp>,
    },
    /// None is closed, but not all could be asked.
    Unknown {
        /// Of all that are not open.
        why: String,
        /// Of the first.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

/// Names of alarms shown in one sentence.
const MOST_NAMES: usize = 5;

/// All together: one that is closed decides, then one that is unknown.
pub fn view(sights: &[Sight]) -> View {
    let whys: Vec<&str> = sights
        .iter()
        .filter_map(|sight| match sight {
            Sight::Open => None,
            Sight::Closed { why, .. } | Sight::Unknown { why, .. } => Some(why.as_str()),
        })
        .collect();
    let why = whys.join("; ");
    let closed = |sight: &&Sight| matches!(sight, Sight::Closed { .. });
    let until = |sight: &Sight| match sight {
        Sight::Closed { until, .. } => *until,
        _ => None,
    };
    if sights.iter().any(|sight| closed(&sight)) {
        let until = sights.iter().filter_map(until).min();
        return View::Closed { why, until };
    }
    let unknown = sights.iter().find_map(|sight| match sight {
        Sight::Unknown { source, .. } => Some(source.as_ref().map(ToString::to_string)),
        _ => None,
    });
    match unknown {
        None => View::Open,
        Some(source) => View::Unknown {
            why,
            source: source.map(Into::into),
        },
    }
}

/// The hours.
pub fn hours(window: &Window, now: Timestamp) -> Sight {
    if window.is_open(now) {
        return Sight::Open;
    }
    let zone = window.zone.iana_name().unwrap_or("UTC");
    Sight::Closed {
        why: format!("it is outside the hours given ({zone})"),
        until: window.next_opening(now),
    }
}

/// The alarms.
///
/// # Errors
/// When one does not exist: it would never close the gate.
pub fn alarms(
    names: &[String],
    states: &[AlarmState],
    insufficient_data_opens: bool,
) -> Result<Sight, Fault> {
    let state = |name: &String| states.iter().find(|state| state.alarm_name == *name);
    let missing: Vec<&str> = names
        .iter()
        .filter(|name| state(name).is_none())
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        let text = format!(
            "there is no alarm {}: check the name and the region",
            some(&missing)
        );
        return Err(Fault::new(FaultKind::Configuration, text));
    }
    let (mut ringing, mut odd) = (Vec::new(), Vec::new());
    for state in names.iter().filter_map(state) {
        match state.state_value.as_str() {
            "OK" => {}
            "INSUFFICIENT_DATA" if insufficient_data_opens => {}
            "ALARM" | "INSUFFICIENT_DATA" => {
                ringing.push(format!("{} is {}", state.alarm_name, state.state_value));
            }
            // Of a later API: neither open nor closed.
            _ => odd.push(state.alarm_name.as_str()),
        }
    }
    if !ringing.is_empty() {
        let ringing: Vec<&str> = ringing.iter().map(String::as_str).collect();
        return Ok(Sight::Closed {
            why: format!("the alarm {}", some(&ringing)),
            until: None,
        });
    }
    if !odd.is_empty() {
        return Ok(Sight::Unknown {
            why: format!(
                "the alarm {} has a state that is not known here",
                some(&odd)
            ),
            source: None,
        });
    }
    Ok(Sight::Open)
}

/// The parameter. Its value is not shown: it may have been meant for something else.
///
/// # Errors
/// When it is a secret.
pub fn parameter(name: &str, wanted: &str, is: &ParameterValue) -> Result<Sight, Fault> {
    if is.kind == "SecureString" {
        let text = format!(
            "the parameter {name} is a SecureString, which is not decrypted for a gate: make it a String"
        );
        return Err(Fault::new(FaultKind::Configuration, text));
    }
    if is.value == wanted {
        return Ok(Sight::Open);
    }
    Ok(Sight::Closed {
        why: format!("the parameter {name} is not {wanted:?}"),
        until: None,
    })
}

/// The page's answer.
pub fn page_answer(page: &Page, status: u16, body: &[u8]) -> Sight {
    let (url, wanted) = (&page.url, page.status);
    let closed = |why: String| Sight::Closed { why, until: None };
    if status != wanted {
        return closed(format!("{url} answered {status} where {wanted} opens"));
    }
    let found = page.text.as_ref().is_none_or(|text| {
        let text = text.as_bytes();
        body.windows(text.len()).any(|part| part == text)
    });
    match found {
        true => Sight::Open,
        false => closed(format!("{url} does not hold the text that opens")),
    }
}

fn some(names: &[&str]) -> String {
    let shown = names.len().min(MOST_NAMES);
    let (first, more) = names.split_at(shown);
    match more.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_closed_decides_then_one_that_is_unknown() {
        let closed = |why: &str, until: Option<i64>| Sight::Closed {
            why: why.into(),
            until: until.and_then(|second| Timestamp::from_second(second).ok()),
        };
        let unknown = || Sight::Unknown {
            why: "u".into(),
            source: None,
        };
        let told = |sights: &[Sight]| match view(sights) {
            View::Open => "open".to_owned(),
            View::Closed { why, until } => {
                format!("closed {why} {:?}", until.map(Timestamp::as_second))
            }
            View::Unknown { why, .. } => format!("unknown {why}"),
        };
        for (sights, want) in [
            (vec![], "open"),
            (vec![Sight::Open, Sight::Open], "open"),
            (vec![Sight::Open, unknown()], "unknown u"),
            (vec![Sight::Open, closed("a", None)], "closed a None"),
            (
                vec![unknown(), closed("a", Some(9)), closed("b", Some(7))],
                "closed u; a; b Some(7)",
            ),
        ] {
            assert_eq!(told(&sights), want);
        }
    }
}
