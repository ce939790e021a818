//! Hours in which the gate may be open, by the clock of a place.

use std::str::FromStr;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};

/// Days of the week, hours of the day, and dates that are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The days on which it opens, Monday first.
    pub days: [bool; 7],
    /// When it opens.
    pub opens: Minute,
    /// When it closes; not after `opens`: on the next day.
    pub closes: Minute,
    /// Local dates on which it stays closed.
    pub closed_on: Vec<Date>,
    /// Whose clock.
    pub zone: TimeZone,
}

/// A minute of the day, 0 to 1440.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minute(u16);

/// A text that is no time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time like 09:30 is needed, 00:00 to 24:00")]
pub struct MinuteError;

/// The last minute of a day is before this one.
pub const DAY: Minute = Minute(24 * 60);
/// An opening further away than this is not told.
const LOOK_AHEAD_DAYS: i64 = 400;

impl FromStr for Minute {
    type Err = MinuteError;

    fn from_str(text: &str) -> Result<Self, MinuteError> {
        let digits = |text: &str| match text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())
        {
            true => text.parse::<u16>().map_err(|_| MinuteError),
            false => Err(MinuteError),
        };
        let (hour, minute) = text.split_once(':').ok_or(MinuteError)?;
        let (hour, minute) = (digits(hour)?, digits(minute)?);
        match (hour, minute) {
            (0..24, 0..60) | (24, 0) => Ok(Self(hour * 60 + minute)),
            _ => Err(MinuteError),
        }
    }
}

impl Default for Window {
    fn default() -> Self {
        Self {
            days: [true; 7],
            opens: Minute(0),
            closes: DAY,
            closed_on: Vec::new(),
            zone: TimeZone::UTC,
        }
    }
}

impl Window {
    /// Whether it is open at this moment.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let local = self.zone.to_datetime(now);
        let (date, time) = (local.date(), local.time());
        let minutes =
            u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs());
        let minute = Minute(minutes);
        if self.closed_on.contains(&date) {
            return false;
        }
        if self.opens < self.closes {
            return self.has(date.weekday()) && self.opens <= minute && minute < self.closes;
        }
        let yesterday = date.weekday().previous();
        (self.has(date.weekday()) && self.opens <= minute)
            || (self.has(yesterday) && minute < self.closes)
    }

    /// When it opens next after this moment, if it does in the next 400 days.
    pub fn next_opening(&self, now: Timestamp) -> Option<Timestamp> {
        let today = self.zone.to_datetime(now).date();
        (0..=LOOK_AHEAD_DAYS)
            .filter_map(|ahead| today.checked_add(ahead.days()).ok())
            // A window over midnight begins at midnight after a date that is left out.
            .flat_map(|date| [Minute(0), self.opens].map(|minute| (date, minute)))
            .filter_map(|(date, minute)| self.moment(date, minute))
            .find(|moment| *moment > now && self.is_open(*moment))
    }

    /// A local time as a moment; one that the clock jumps over is taken as after the jump.
    fn moment(&self, date: Date, minute: Minute) -> Option<Timestamp> {
        let (hour, minute) = (minute.0 / 60, minute.0 % 60);
        let local = date.at(
            i8::try_from(hour).ok().filter(|hour| *hour < 24)?,
            i8::try_from(minute).ok()?,
            0,
            0,
        );
        self.zone.to_timestamp(local).ok()
    }

    fn has(&self, day: Weekday) -> bool {
        let index = usize::from(day.to_monday_zero_offset().unsigned_abs());
        self.days.get(index).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &str, opens: &str, closes: &str, closed_on: &[&str]) -> Window {
        let days: Vec<bool> = days.chars().map(|c| c == 'x').collect();
        Window {
            days: days.try_into().unwrap(),
            opens: opens.parse().unwrap(),
            closes: closes.parse().unwrap(),
            closed_on: closed_on.iter().map(|date| date.parse().unwrap()).collect(),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
        }
    }

    #[test]
    fn hours_follow_the_clock_of_the_place() {
        let work = window("xxxxx--", "09:00", "17:30", &["2026-12-24"]);
        let night = window("----x--", "22:00", "02:00", &[]);
        let always = window("xxxxxxx", "00:00", "24:00", &["2026-12-24"]);
        for (window, now, open, next) in [
            // Berlin is one hour ahead of UTC in winter, two in summer.
            (
                &work,
                "2026-11-23T07:59:59Z",
                false,
                Some("2026-11-23T08:00:00Z"),
            ),
            (
                &work,
                "2026-11-23T08:00:00Z",
                true,
                Some("2026-11-24T08:00:00Z"),
            ),
            (
                &work,
                "2026-11-23T16:29:59Z",
                true,
                Some("2026-11-24T08:00:00Z"),
            ),
            (
                &work,
                "2026-11-23T16:30:00Z",
                false,
                Some("2026-11-24T08:00:00Z"),
            ),
            (
                &work,
                "2026-07-03T16:00:00Z",
                false,
                Some("2026-07-06T07:00:00Z"),
            ),
            (
                &work,
                "2026-12-24T10:00:00Z",
                false,
                Some("2026-12-25T08:00:00Z"),
            ),
            (
                &night,
                "2026-11-27T20:59:00Z",
                false,
                Some("2026-11-27T21:00:00Z"),
            ),
            (
                &night,
                "2026-11-28T00:59:00Z",
                true,
                Some("2026-12-04T21:00:00Z"),
            ),
            (
                &night,
                "2026-11-28T01:00:00Z",
                false,
                Some("2026-12-04T21:00:00Z"),
            ),
            (
                &always,
                "2026-12-24T10:00:00Z",
                false,
                Some("2026-12-24T23:00:00Z"),
            ),
        ] {
            let now: Timestamp = now.parse().unwrap();
            assert_eq!(window.is_open(now), open, "{now}");
            let wanted = next.map(|text| text.parse().unwrap());
            let next = window.next_opening(now);
            if open {
                assert!(next.is_some(), "{now}");
            } else {
                assert_eq!(next, wanted, "{now}");
            }
        }
        assert_eq!(
            window("-------", "09:00", "10:00", &[]).next_opening(Timestamp::UNIX_EPOCH),
            None
        );
    }

    #[test]
    fn an_hour_that_the_clock_jumps_over_opens_after_the_jump() {
        let early = window("xxxxxxx", "02:30", "04:00", &[]);
        let before: Timestamp = "2026-03-29T00:00:00Z".parse().unwrap();
        let opens = early.next_opening(before).unwrap();
        assert_eq!(opens.to_string(), "2026-03-29T01:30:00Z");
    }

    #[test]
    fn times_are_read_strictly() {
        for bad in [
            "", "9:00", "09:60", "24:01", "25:00", "09.00", "+9:00", "09:000",
        ] {
            assert_eq!(bad.parse::<Minute>(), Err(MinuteError), "{bad}");
        }
        assert_eq!("24:00".parse::<Minute>(), Ok(DAY));
    }
}
