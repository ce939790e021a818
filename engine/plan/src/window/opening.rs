//! When a window is open: local times that match, through changes of the clock.
//!
//! Where the clock goes forward over a time that matches, the window opens at the change; where it goes back, a time
//! that comes twice matches twice (chosen; the documents are silent).

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::{Cron, YEARS};

impl Cron {
    /// The beginning of the first second, from the one `from` is in, in which the window is open; `None` if it never opens again.
    pub fn opening(&self, from: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        // within a second that matches it is open
        let mut start = Timestamp::from_second(from.as_second()).ok()?;
        let mut changes = zone.following(start);
        loop {
            let offset = zone.to_offset(start);
            let change = changes.next();
            let end = change.as_ref().map(jiff::tz::TimeZoneTransition::timestamp);
            let local_end = end.map_or(DateTime::MAX, |end| offset.to_datetime(end));
            if let Some(local) = self.matching(offset.to_datetime(start), local_end) {
                return offset.to_timestamp(local).ok();
            }
            let change = change?;
            let local_after = change.offset().to_datetime(change.timestamp());
            if local_after > local_end && self.matching(local_end, local_after).is_some() {
                return Some(change.timestamp());
            }
            if local_after.year() > last_year() {
                return None;
            }
            start = change.timestamp();
        }
    }

    /// The first local time from `from` on, and before `until`, that matches.
    fn matching(&self, from: DateTime, until: DateTime) -> Option<DateTime> {
        let mut date = from.date();
        let mut earliest = (from.hour(), from.minute(), from.second());
        while date.year() <= last_year() && date <= until.date() {
            let year = u16::try_from(date.year()).ok()?;
            if !self.years.contains(year) {
                date = Date::new(date.year() + 1, 1, 1).ok()?;
            } else if !self.months.contains(number(date.month())) {
                date = date.last_of_month().tomorrow().ok()?;
            } else {
                let time = self.days.contain(date).then(|| self.time(earliest));
                if let Some((hour, minute, second)) = time.flatten() {
                    let found = date.at(hour, minute, second, 0);
                    return (found < until).then_some(found);
                }
                date = date.tomorrow().ok()?;
            }
            earliest = (0, 0, 0);
        }
        None
    }

    /// The first time of day from this one on.
    fn time(&self, (hour, minute, second): (i8, i8, i8)) -> Option<(i8, i8, i8)> {
        let (hour, minute, second) = (number(hour), number(minute), number(second));
        let first = |set: &super::Set| set.next(0);
        let mut at_hour = self.hours.next(hour)?;
        if at_hour == hour {
            if let Some(at_minute) = self.minutes.next(minute) {
                let from = if at_minute == minute { second } else { 0 };
                if let Some(at_second) = self.seconds.next(from) {
                    return triple(at_hour, at_minute, at_second);
                }
                if let Some(at_minute) = self.minutes.next(at_minute + 1) {
                    return triple(at_hour, at_minute, first(&self.seconds)?);
                }
            }
            at_hour = self.hours.next(hour + 1)?;
        }
        triple(at_hour, first(&self.minutes)?, first(&self.seconds)?)
    }
}

fn last_year() -> i16 {
    i16::try_from(*YEARS.end()).unwrap_or(i16::MAX)
}

fn number(value: i8) -> u16 {
    u16::from(value.unsigned_abs())
}

fn triple(hour: u16, minute: u16, second: u16) -> Option<(i8, i8, i8)> {
    Some((
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
    ))
}
