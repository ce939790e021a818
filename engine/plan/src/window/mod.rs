//! Deployment windows: Quartz cron expressions (`codepipeline.md` 3.6) and when they open.

use std::str::FromStr;

use days::Days;
use field::{Field, Kind, Set};

mod days;
mod field;
mod opening;

#[cfg(test)]
mod tests;

/// Years an expression may name.
const YEARS: std::ops::RangeInclusive<u16> = 1970..=2199;

/// A checked expression: `second minute hour day-of-month month day-of-week [year]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    seconds: Set,
    minutes: Set,
    hours: Set,
    days: Days,
    months: Set,
    years: Set,
}

/// Why a text is no such expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    #[error(
        "a cron expression has 6 or 7 fields (second minute hour day-of-month month day-of-week [year]), '{text}' has {fields}"
    )]
    Fields { text: String, fields: usize },
    #[error("the {field} field '{text}' of the cron expression {problem}")]
    Field {
        field: &'static str,
        text: String,
        problem: String,
    },
    /// Quartz's rule: a day is given by its date or by its name.
    #[error(
        "exactly one of day-of-month '{month}' and day-of-week '{week}' of the cron expression must be '?'"
    )]
    BothDays { month: String, week: String },
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [second, minute, hour, month_day, month, week_day, year @ ..] = fields.as_slice()
        else {
            return Err(wrong_count(text, fields.len()));
        };
        let year = match year {
            [] => "*",
            [year] => year,
            _ => return Err(wrong_count(text, fields.len())),
        };
        if (*month_day == "?") == (*week_day == "?") {
            return Err(CronError::BothDays {
                month: (*month_day).to_owned(),
                week: (*week_day).to_owned(),
            });
        }
        Ok(Self {
            seconds: Field::of(Kind::Second, second).set()?,
            minutes: Field::of(Kind::Minute, minute).set()?,
            hours: Field::of(Kind::Hour, hour).set()?,
            days: if *week_day == "?" {
                Days::of_month(&Field::of(Kind::MonthDay, month_day))?
            } else {
                Days::of_week(&Field::of(Kind::WeekDay, week_day))?
            },
            months: Field::of(Kind::Month, month).set()?,
            years: Field::of(Kind::Year, year).set()?,
        })
    }
}

fn wrong_count(text: &str, fields: usize) -> CronError {
    CronError::Fields {
        text: text.to_owned(),
        fields,
    }
}
