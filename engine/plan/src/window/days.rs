//! Which days of a month a cron expression names: `L`, `W` and `#` depend on the month.

use jiff::civil::{Date, Weekday};

use super::{
    CronError,
    field::{Field, Set},
};

/// The day-of-month field, or the day-of-week field; the other one is `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Days {
    /// Dates.
    Dates(Set),
    /// `L`, `L-3`: so many days before the last.
    FromLast(u8),
    /// `15W`: the weekday nearest to a date, in the same month.
    Near(u8),
    /// `LW`, `L-3W`: the weekday nearest to that day.
    NearLast(u8),
    /// Days of the week, 1 is Sunday.
    Week(Set),
    /// `6L`: the last one of a month.
    LastOf(u8),
    /// `6#3`: the third one of a month.
    Nth(u8, u8),
}

impl Days {
    pub(super) fn of_month(field: &Field<'_>) -> Result<Self, CronError> {
        let text = field.text.to_ascii_uppercase();
        if !text.contains(['L', 'W']) {
            return field.set().map(Self::Dates);
        }
        let (day, near) = match text.strip_suffix('W') {
            Some(day) => (day, true),
            None => (text.as_str(), false),
        };
        if let Some(rest) = day.strip_prefix('L') {
            let before = match rest.strip_prefix('-') {
                None if rest.is_empty() => Some(0),
                None => None,
                Some(days) => field.number(days).filter(|days| *days <= 30),
            };
            let before = before.and_then(|days| u8::try_from(days).ok());
            let before = before.ok_or_else(|| {
                field.wrong("has an 'L' that is not L, L-n (n up to 30), LW or L-nW alone")
            })?;
            return Ok(if near {
                Self::NearLast(before)
            } else {
                Self::FromLast(before)
            });
        }
        if !near || day.contains([',', '-', '/', '*', 'W', 'L']) {
            return Err(field.wrong("has an 'L' or a 'W' that does not stand with a single day"));
        }
        let day = field.value(day)?;
        Ok(Self::Near(u8::try_from(day).unwrap_or(31)))
    }

    pub(super) fn of_week(field: &Field<'_>) -> Result<Self, CronError> {
        let text = field.text.to_ascii_uppercase();
        let small = |day: u16| u8::try_from(day).unwrap_or(7);
        if let Some((day, nth)) = text.split_once('#') {
            let nth = field.number(nth).filter(|nth| (1..=5).contains(nth));
            let nth = nth.ok_or_else(|| field.wrong("has a '#' that is not followed by 1-5"))?;
            return Ok(Self::Nth(small(field.value(day)?), small(nth)));
        }
        match text.strip_suffix('L') {
            // Quartz: alone it is Saturday
            Some("") => Field::of(super::Kind::WeekDay, "SAT").set().map(Self::Week),
            Some(day) if !day.contains([',', '-', '/', '*']) => {
                Ok(Self::LastOf(small(field.value(day)?)))
            }
            _ => field.set().map(Self::Week),
        }
    }

    /// Whether they hold this one.
    pub(super) fn contain(&self, date: Date) -> bool {
        let (day, length) = (small(date.day()), small(date.days_in_month()));
        let week_day = small(date.weekday().to_sunday_one_offset());
        match *self {
            Self::Dates(set) => set.contains(u16::from(day)),
            Self::FromLast(before) => day + before == length,
            Self::Near(wanted) => wanted <= length && day == nearest(date, wanted),
            Self::NearLast(before) => before < length && day == nearest(date, length - before),
            Self::Week(set) => set.contains(u16::from(week_day)),
            Self::LastOf(wanted) => week_day == wanted && day + 7 > length,
            Self::Nth(wanted, nth) => week_day == wanted && day.div_ceil(7) == nth,
        }
    }
}

/// Days and their counts are never negative.
fn small(value: i8) -> u8 {
    value.unsigned_abs()
}

/// The day from Monday to Friday that is nearest to a day of the date's month, without leaving the month.
fn nearest(date: Date, day: u8) -> u8 {
    let length = small(date.days_in_month());
    let shift = i8::try_from(day).unwrap_or(31) - date.day();
    let from_monday = (date.weekday().to_monday_zero_offset() + shift).rem_euclid(7);
    match Weekday::from_monday_zero_offset(from_monday) {
        Ok(Weekday::Saturday) if day == 1 => 3,
        Ok(Weekday::Saturday) => day - 1,
        Ok(Weekday::Sunday) if day == length => day - 2,
        Ok(Weekday::Sunday) => day + 1,
        _ => day,
    }
}
