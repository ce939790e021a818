//! Times at which approvals count: business hours with holidays in a time zone, and freezes.

use jiff::{
    Timestamp,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

use crate::approval::words;

/// How many days ahead the next opening is looked for.
const LOOK_AHEAD_DAYS: usize = 400;

/// Business hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Its name in the file.
    pub name: String,
    /// IANA name, for people.
    pub zone_name: String,
    /// The zone; summer time is its matter.
    pub zone: TimeZone,
    /// Local hours by day of the week.
    pub slots: Vec<Slot>,
    /// Local days on which it is closed.
    pub holidays: Vec<Date>,
}

/// Local hours of one day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The day.
    pub day: Weekday,
    /// First moment.
    pub from: Time,
    /// First moment after; `None`: midnight.
    pub until: Option<Time>,
}

/// A time in which nothing is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Its name in the file.
    pub name: String,
    /// First moment.
    pub from: Timestamp,
    /// First moment after.
    pub until: Timestamp,
}

/// Why a moment is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// When that may be over; `None`: not known.
    pub until: Option<Timestamp>,
    /// A sentence without its full stop.
    pub why: String,
}

impl Hours {
    /// Why this moment is outside of the hours.
    pub fn closed(&self, at: Timestamp) -> Option<Closed> {
        if self.open(at) {
            return None;
        }
        let local = at.to_zoned(self.zone.clone());
        let holiday = if self.holidays.contains(&local.date()) {
            " (a holiday)"
        } else {
            ""
        };
        Some(Closed {
            until: self.next_opening(at),
            why: format!(
                "It is {} in {}{holiday}, outside of the hours \"{}\"",
                local.strftime("%a %H:%M"),
                self.zone_name,
                self.name
            ),
        })
    }

    fn open(&self, at: Timestamp) -> bool {
        let local = at.to_zoned(self.zone.clone());
        let time = local.time();
        !self.holidays.contains(&local.date())
            && self.slots.iter().any(|s| {
                s.day == local.weekday() && s.from <= time && s.until.is_none_or(|u| time < u)
            })
    }

    fn next_opening(&self, at: Timestamp) -> Option<Timestamp> {
        let today = at.to_zoned(self.zone.clone()).date();
        for date in today.series(jiff::ToSpan::days(1)).take(LOOK_AHEAD_DAYS) {
            let slots = self.slots.iter().filter(|s| s.day == date.weekday());
            // A local time may come twice a year, or not at all: both readings are tried.
            let openings = slots.flat_map(|slot| {
                let local = self
                    .zone
                    .to_ambiguous_timestamp(date.to_datetime(slot.from));
                [local.earlier(), local.later()]
            });
            let first = openings
                .flatten()
                .filter(|o| *o > at && self.open(*o))
                .min();
            if first.is_some() {
                return first;
            }
        }
        None
    }
}

impl Freeze {
    /// Why this moment is frozen.
    pub fn closed(&self, at: Timestamp) -> Option<Closed> {
        (self.from <= at && at < self.until).then(|| Closed {
            until: Some(self.until),
            why: format!("Nothing is released during the freeze \"{}\"", self.name),
        })
    }
}

impl Closed {
    /// `It is Sat 10:00 …; approvals count again from Mon 23 Nov 2026, 08:00 UTC.`
    pub fn sentence(&self) -> String {
        match self.until {
            Some(until) => format!(
                "{}; approvals count again from {}.",
                self.why,
                words::moment(until)
            ),
            None => format!("{}.", self.why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn office(slots: &[(Weekday, &str, Option<&str>)], holidays: &[&str]) -> Hours {
        Hours {
            name: "office".to_owned(),
            zone_name: "Europe/Berlin".to_owned(),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            slots: slots
                .iter()
                .map(|(day, from, until)| Slot {
                    day: *day,
                    from: from.parse().unwrap(),
                    until: until.map(|u| u.parse().unwrap()),
                })
                .collect(),
            holidays: holidays.iter().map(|d| d.parse().unwrap()).collect(),
        }
    }

    fn next(hours: &Hours, at: &str) -> Option<String> {
        let closed = hours.closed(at.parse().unwrap())?;
        Some(closed.until.map_or("never".to_owned(), |u| u.to_string()))
    }

    #[test]
    fn hours_follow_the_zone_over_weekends_holidays_and_summer_time() {
        let hours = office(
            &[
                (Weekday::Friday, "09:00", Some("17:00")),
                (Weekday::Monday, "09:00", Some("17:00")),
            ],
            &["2026-03-30"],
        );
        for (at, until) in [
            ("2026-03-27T08:00:00Z", None),
            ("2026-03-27T15:59:59Z", None),
            // Summer time began on the 29th, and the 30th is a holiday: Friday at 07:00 UTC.
            ("2026-03-27T16:00:00Z", Some("2026-04-03T07:00:00Z")),
            ("2026-03-30T10:00:00Z", Some("2026-04-03T07:00:00Z")),
            ("2026-04-03T07:00:00Z", None),
            // Winter time began on 25 October.
            ("2026-10-24T12:00:00Z", Some("2026-10-26T08:00:00Z")),
        ] {
            assert_eq!(next(&hours, at).as_deref(), until, "{at}");
        }
        let said = hours.closed("2026-03-30T10:00:00Z".parse().unwrap());
        assert_eq!(
            said.unwrap().sentence(),
            "It is Mon 12:00 in Europe/Berlin (a holiday), outside of the hours \"office\"; \
             approvals count again from Fri 3 Apr 2026, 07:00 UTC."
        );
    }

    #[test]
    fn an_hour_that_comes_twice_or_not_at_all() {
        // 02:00 to 03:00 does not exist on 29 March and comes twice on 25 October 2026, both Sundays.
        let night = office(&[(Weekday::Sunday, "02:15", Some("02:45"))], &[]);
        for (at, until) in [
            ("2026-03-29T00:00:00Z", Some("2026-04-05T00:15:00Z")),
            ("2026-10-25T00:15:00Z", None),
            ("2026-10-25T00:45:00Z", Some("2026-10-25T01:15:00Z")),
            ("2026-10-25T01:15:00Z", None),
            ("2026-10-25T01:45:00Z", Some("2026-11-01T01:15:00Z")),
        ] {
            assert_eq!(next(&night, at).as_deref(), until, "{at}");
        }
        let late = office(&[(Weekday::Saturday, "20:00", None)], &[]);
        assert_eq!(next(&late, "2026-11-21T22:59:59Z"), None);
        assert_eq!(
            next(&late, "2026-11-21T23:00:00Z").as_deref(),
            Some("2026-11-28T19:00:00Z")
        );
    }
}
