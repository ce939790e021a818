//! Schedules of rules: `rate(…)` and `cron(…)`.

use std::str::FromStr;

use engine_plan::window::Cron;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// When a rule fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// Every so many minutes from the rule's beginning.
    Rate {
        /// At least 1.
        minutes: i64,
    },
    /// At each minute, in UTC, that the expression names.
    Cron(Box<Cron>),
}

/// A `ScheduleExpression` that AWS refuses too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Parameter ScheduleExpression is not valid.")]
pub struct ScheduleError;

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let inside = |word| text.strip_prefix(word)?.strip_suffix(')');
        if let Some(fields) = inside("cron(") {
            return cron(fields);
        }
        let (number, unit) = inside("rate(")
            .and_then(|rate| rate.trim().split_once(' '))
            .ok_or(ScheduleError)?;
        let number: i64 = number.parse().map_err(|_| ScheduleError)?;
        // AWS wants the singular for one and the plural for more.
        let unit = match (number, unit.trim()) {
            (1, "minute") | (2.., "minutes") => 1,
            (1, "hour") | (2.., "hours") => 60,
            (1, "day") | (2.., "days") => 24 * 60,
            _ => return Err(ScheduleError),
        };
        let minutes = number.checked_mul(unit).ok_or(ScheduleError)?;
        Ok(Self::Rate { minutes })
    }
}

/// `minute hour day-of-month month day-of-week year`: Quartz's expression without its seconds, and with all the rest.
fn cron(fields: &str) -> Result<Schedule, ScheduleError> {
    if fields.split_whitespace().count() != 6 {
        return Err(ScheduleError);
    }
    let cron = format!("0 {fields}").parse().map_err(|_| ScheduleError)?;
    Ok(Schedule::Cron(Box::new(cron)))
}

impl Schedule {
    /// The first time after `now`; a rate is counted from `beginning`. Never again is the end of time.
    pub fn next(&self, beginning: Timestamp, now: Timestamp) -> Timestamp {
        match self {
            Self::Rate { minutes } => {
                let period = minutes.saturating_mul(60_000_000);
                let passed = now
                    .as_microsecond()
                    .saturating_sub(beginning.as_microsecond())
                    .max(0);
                let periods = passed / period + 1;
                beginning
                    .checked_add(SignedDuration::from_micros(periods.saturating_mul(period)))
                    .unwrap_or(Timestamp::MAX)
            }
            Self::Cron(cron) => now
                .checked_add(SignedDuration::from_secs(1))
                .ok()
                .and_then(|from| cron.opening(from, &TimeZone::UTC))
                .unwrap_or(Timestamp::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        for (text, expected) in [
            ("rate(1 minute)", Ok(1)),
            ("rate(5 minutes)", Ok(5)),
            ("rate(2 hours)", Ok(120)),
            ("rate(1 day)", Ok(1440)),
            ("rate(1 minutes)", Err(ScheduleError)),
            ("rate(5 minute)", Err(ScheduleError)),
            ("rate(0 minutes)", Err(ScheduleError)),
            ("rate(5 seconds)", Err(ScheduleError)),
            ("5 minutes", Err(ScheduleError)),
        ] {
            let expected = expected.map(|minutes| Schedule::Rate { minutes });
            assert_eq!(text.parse::<Schedule>(), expected, "{text}");
        }
    }

    #[test]
    fn the_next_time_is_always_ahead() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let schedule: Schedule = "rate(5 minutes)".parse().unwrap();
        let beginning = at("2026-01-02T00:00:00Z");
        for (now, next) in [
            ("2026-01-02T00:00:00Z", "2026-01-02T00:05:00Z"),
            ("2026-01-02T00:05:00Z", "2026-01-02T00:10:00Z"),
            ("2026-01-02T03:07:00Z", "2026-01-02T03:10:00Z"),
            ("2026-01-01T00:00:00Z", "2026-01-02T00:05:00Z"),
        ] {
            assert_eq!(schedule.next(beginning, at(now)), at(next), "{now}");
        }
    }

    #[test]
    fn crons_fire_at_their_minutes_in_utc() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (text, now, next) in [
            // the examples of EventBridge's guide
            (
                "cron(0 10 * * ? *)",
                "2026-01-02T09:59:59Z",
                "2026-01-02T10:00:00Z",
            ),
            (
                "cron(0 10 * * ? *)",
                "2026-01-02T10:00:00Z",
                "2026-01-03T10:00:00Z",
            ),
            (
                "cron(15 12 * * ? *)",
                "2026-01-02T12:15:30Z",
                "2026-01-03T12:15:00Z",
            ),
            (
                "cron(0 18 ? * MON-FRI *)",
                "2026-01-02T18:00:00Z",
                "2026-01-05T18:00:00Z",
            ),
            (
                "cron(0 8 1 * ? *)",
                "2026-01-02T00:00:00Z",
                "2026-02-01T08:00:00Z",
            ),
            (
                "cron(0/15 * * * ? *)",
                "2026-01-02T00:15:00.5Z",
                "2026-01-02T00:30:00Z",
            ),
            (
                "cron(0/5 8-17 ? * MON-FRI *)",
                "2026-01-02T17:55:00Z",
                "2026-01-05T08:00:00Z",
            ),
            (
                "cron(0 9 ? * 2#1 *)",
                "2026-01-02T00:00:00Z",
                "2026-01-05T09:00:00Z",
            ),
            (
                "cron(0 0 1 1 ? 2030)",
                "2026-01-02T00:00:00Z",
                "2030-01-01T00:00:00Z",
            ),
        ] {
            let schedule: Schedule = text.parse().unwrap();
            assert_eq!(schedule.next(Timestamp::MIN, at(now)), at(next), "{text}");
        }
        let over: Schedule = "cron(0 0 1 1 ? 2020)".parse().unwrap();
        assert_eq!(
            over.next(Timestamp::MIN, at("2026-01-02T00:00:00Z")),
            Timestamp::MAX
        );
        for text in [
            "cron(0 12 * * *)",
            "cron(0 12 * * ? * *)",
            "cron(0 12 * * * *)",
            "cron(60 12 * * ? *)",
            "cron(0 12 * * ? *",
            "cron()",
        ] {
            assert_eq!(text.parse::<Schedule>(), Err(ScheduleError), "{text}");
        }
    }
}
