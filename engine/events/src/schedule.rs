//! Schedules of rules: `rate(…)`. `cron(…)` is not built.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

/// A schedule: every so many minutes from a beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    minutes: i64,
}

/// Why a `ScheduleExpression` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// AWS refuses it too.
    #[error("Parameter ScheduleExpression is not valid.")]
    Invalid,
    /// `cron(…)`.
    #[error("schedules with cron(…)")]
    Cron,
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        if text.starts_with("cron(") {
            return Err(ScheduleError::Cron);
        }
        let rate = text
            .strip_prefix("rate(")
            .and_then(|rest| rest.strip_suffix(')'));
        let (number, unit) = rate
            .and_then(|rate| rate.trim().split_once(' '))
            .ok_or(ScheduleError::Invalid)?;
        let number: i64 = number.parse().map_err(|_| ScheduleError::Invalid)?;
        // AWS wants the singular for one and the plural for more.
        let unit = match (number, unit.trim()) {
            (1, "minute") | (2.., "minutes") => 1,
            (1, "hour") | (2.., "hours") => 60,
            (1, "day") | (2.., "days") => 24 * 60,
            _ => return Err(ScheduleError::Invalid),
        };
        let minutes = number.checked_mul(unit).ok_or(ScheduleError::Invalid)?;
        Ok(Self { minutes })
    }
}

impl Schedule {
    /// The first time after `now`, counted from `beginning`.
    pub fn next(self, beginning: Timestamp, now: Timestamp) -> Timestamp {
        let period = self.minutes.saturating_mul(60_000_000);
        let passed = now
            .as_microsecond()
            .saturating_sub(beginning.as_microsecond())
            .max(0);
        let periods = passed / period + 1;
        beginning
            .checked_add(SignedDuration::from_micros(periods.saturating_mul(period)))
            .unwrap_or(Timestamp::MAX)
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
            ("rate(1 minutes)", Err(ScheduleError::Invalid)),
            ("rate(5 minute)", Err(ScheduleError::Invalid)),
            ("rate(0 minutes)", Err(ScheduleError::Invalid)),
            ("rate(5 seconds)", Err(ScheduleError::Invalid)),
            ("5 minutes", Err(ScheduleError::Invalid)),
            ("cron(0 12 * * ? *)", Err(ScheduleError::Cron)),
        ] {
            assert_eq!(
                text.parse::<Schedule>().map(|s| s.minutes),
                expected,
                "{text}"
            );
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
}
