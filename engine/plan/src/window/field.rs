//! One field of a cron expression: lists of values, names, ranges and steps.

use std::ops::RangeInclusive;

use super::{CronError, YEARS};

/// Which field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Second,
    Minute,
    Hour,
    MonthDay,
    Month,
    /// 1 is Sunday.
    WeekDay,
    Year,
}

/// One field as written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    kind: Kind,
    pub text: &'a str,
}

/// The values a field names; values are at most 255 above the kind's least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set {
    least: u16,
    bits: [u64; 4],
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEK_DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::MonthDay => "day-of-month",
            Self::Month => "month",
            Self::WeekDay => "day-of-week",
            Self::Year => "year",
        }
    }

    const fn bounds(self) -> RangeInclusive<u16> {
        match self {
            Self::Second | Self::Minute => 0..=59,
            Self::Hour => 0..=23,
            Self::MonthDay => 1..=31,
            Self::Month => 1..=12,
            Self::WeekDay => 1..=7,
            Self::Year => YEARS,
        }
    }

    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::WeekDay => &WEEK_DAYS,
            _ => &[],
        }
    }
}

impl<'a> Field<'a> {
    pub(super) const fn of(kind: Kind, text: &'a str) -> Self {
        Self { kind, text }
    }

    /// The values of a field without `L`, `W` and `#`.
    pub(super) fn set(&self) -> Result<Set, CronError> {
        let bounds = self.kind.bounds();
        let mut set = Set {
            least: *bounds.start(),
            bits: [0; 4],
        };
        for item in self.text.split(',') {
            self.add(item, &mut set)?;
        }
        Ok(set)
    }

    /// One number or name of this field.
    pub(super) fn value(&self, text: &str) -> Result<u16, CronError> {
        let bounds = self.kind.bounds();
        let named = self
            .kind
            .names()
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text));
        if let Some(at) = named {
            return Ok(bounds.start() + u16::try_from(at).unwrap_or_default());
        }
        self.number(text)
            .filter(|value| bounds.contains(value))
            .ok_or_else(|| {
                self.wrong(format!(
                    "has '{text}' where {}-{} is needed",
                    bounds.start(),
                    bounds.end()
                ))
            })
    }

    /// A plain number, without a sign.
    pub(super) fn number(&self, text: &str) -> Option<u16> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    }

    pub(super) fn wrong(&self, problem: impl Into<String>) -> CronError {
        CronError::Field {
            field: self.kind.name(),
            text: self.text.to_owned(),
            problem: problem.into(),
        }
    }

    /// `*`, `a`, `a-b`, each with `/step`; `a/step` goes on to the end of the field.
    fn add(&self, item: &str, set: &mut Set) -> Result<(), CronError> {
        let bounds = self.kind.bounds();
        let (span, step) = match item.split_once('/') {
            None => (item, None),
            Some((span, step)) => {
                let width = bounds.end() - bounds.start() + 1;
                let step = self.number(step).filter(|step| (1..width).contains(step));
                let step = step.ok_or_else(|| {
                    self.wrong(format!(
                        "has a step that is not between 1 and {}",
                        width - 1
                    ))
                })?;
                (span, Some(step))
            }
        };
        let (from, to) = match (span, step) {
            ("*", _) | ("", Some(_)) => (*bounds.start(), *bounds.end()),
            (span, _) => match (span.split_once('-'), step) {
                (Some((from, to)), _) => (self.value(from)?, self.value(to)?),
                (None, Some(_)) => (self.value(span)?, *bounds.end()),
                (None, None) => (self.value(span)?, self.value(span)?),
            },
        };
        if from > to && self.kind == Kind::Year {
            return Err(self.wrong("has a range that runs backwards"));
        }
        // a range like FRI-MON or 22-2 goes round
        let round = bounds.end() - bounds.start() + 1;
        let last = if from > to { to + round } else { to };
        for value in (from..=last).step_by(usize::from(step.unwrap_or(1))) {
            let within = (value - bounds.start()) % round + bounds.start();
            set.insert(within);
        }
        Ok(())
    }
}

impl Set {
    fn insert(&mut self, value: u16) {
        let at = usize::from(value - self.least);
        self.bits[at / 64] |= 1 << (at % 64);
    }

    pub(super) fn contains(&self, value: u16) -> bool {
        value.checked_sub(self.least).is_some_and(|at| {
            let at = usize::from(at);
            self.bits
                .get(at / 64)
                .is_some_and(|word| word & (1 << (at % 64)) != 0)
        })
    }

    /// The least value that is not below `from`.
    pub(super) fn next(&self, from: u16) -> Option<u16> {
        (from..self.least + 256).find(|value| self.contains(*value))
    }
}
