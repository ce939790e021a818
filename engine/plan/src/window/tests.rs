//! Quartz expressions as tables.

use jiff::{Timestamp, tz::TimeZone};

use super::*;

fn zone(posix: &str) -> TimeZone {
    TimeZone::posix(posix).unwrap()
}

/// The opening after a time, both as `2026-01-02T03:04:05Z`.
fn opens(text: &str, from: &str, zone: &TimeZone) -> String {
    let cron: Cron = text.parse().unwrap_or_else(|error| panic!("{error}"));
    let from: Timestamp = from.parse().unwrap();
    cron.opening(from, zone)
        .map_or_else(|| "never".to_owned(), |at| at.to_string())
}

#[test]
fn fields_are_read_as_quartz_reads_them() {
    // 2026-01-01 is a Thursday
    let new_year = "2026-01-01T00:00:00Z";
    for (cron, from, expected) in [
        // every second, and within one
        ("* * * ? * *", new_year, "2026-01-01T00:00:00Z"),
        (
            "* * * ? * *",
            "2026-01-01T00:00:00.9Z",
            "2026-01-01T00:00:00Z",
        ),
        ("* * * * * ?", new_year, "2026-01-01T00:00:00Z"),
        // seconds, minutes, hours
        ("30 * * * * ?", new_year, "2026-01-01T00:00:30Z"),
        (
            "30 * * * * ?",
            "2026-01-01T00:00:30Z",
            "2026-01-01T00:00:30Z",
        ),
        (
            "30 * * * * ?",
            "2026-01-01T00:00:31Z",
            "2026-01-01T00:01:30Z",
        ),
        ("0 15 10 * * ?", new_year, "2026-01-01T10:15:00Z"),
        (
            "0 15 10 * * ?",
            "2026-01-01T10:15:00.5Z",
            "2026-01-01T10:15:00Z",
        ),
        (
            "0 15 10 * * ?",
            "2026-01-01T10:15:01Z",
            "2026-01-02T10:15:00Z",
        ),
        ("0 15 10 * * ? 2027", new_year, "2027-01-01T10:15:00Z"),
        ("59 59 23 31 12 ?", new_year, "2026-12-31T23:59:59Z"),
        // steps
        (
            "0/15 * * * * ?",
            "2026-01-01T00:00:01Z",
            "2026-01-01T00:00:15Z",
        ),
        (
            "5/15 * * * * ?",
            "2026-01-01T00:00:51Z",
            "2026-01-01T00:01:05Z",
        ),
        (
            "*/15 * * * * ?",
            "2026-01-01T00:00:46Z",
            "2026-01-01T00:01:00Z",
        ),
        (
            "/15 * * * * ?",
            "2026-01-01T00:00:14Z",
            "2026-01-01T00:00:15Z",
        ),
        (
            "0 0/5 14 * * ?",
            "2026-01-01T14:56:00Z",
            "2026-01-02T14:00:00Z",
        ),
        (
            "0 10-40/10 * * * ?",
            "2026-01-01T00:21:00Z",
            "2026-01-01T00:30:00Z",
        ),
        (
            "0 0 0 1/5 * ?",
            "2026-01-27T00:00:00Z",
            "2026-01-31T00:00:00Z",
        ),
        // lists and ranges
        (
            "0 0/5 14,18 * * ?",
            "2026-01-01T14:56:00Z",
            "2026-01-01T18:00:00Z",
        ),
        (
            "0 0-5 14 * * ?",
            "2026-01-01T14:05:01Z",
            "2026-01-02T14:00:00Z",
        ),
        (
            "0 0 22-2 * * ?",
            "2026-01-01T02:00:01Z",
            "2026-01-01T22:00:00Z",
        ),
        (
            "0 0 22-2 * * ?",
            "2026-01-01T22:00:01Z",
            "2026-01-01T23:00:00Z",
        ),
        (
            "* * 9-16 ? * MON-FRI",
            "2026-01-02T12:34:56Z",
            "2026-01-02T12:34:56Z",
        ),
        (
            "* * 9-16 ? * MON-FRI",
            "2026-01-02T17:00:00Z",
            "2026-01-05T09:00:00Z",
        ),
        // months by number and by name, also round the new year
        ("0 0 0 1 3 ?", new_year, "2026-03-01T00:00:00Z"),
        ("0 0 0 1 Mar ?", new_year, "2026-03-01T00:00:00Z"),
        (
            "0 0 0 1 JAN-MAR/2 ?",
            "2026-01-02T00:00:00Z",
            "2026-03-01T00:00:00Z",
        ),
        (
            "0 0 0 5 NOV-FEB ?",
            "2026-02-06T00:00:00Z",
            "2026-11-05T00:00:00Z",
        ),
        // days of the week: 1 is Sunday
        ("0 0 0 ? * 1", new_year, "2026-01-04T00:00:00Z"),
        ("0 0 0 ? * SUN", new_year, "2026-01-04T00:00:00Z"),
        ("0 0 0 ? * 7", new_year, "2026-01-03T00:00:00Z"),
        ("0 0 0 ? * mon,Wed", new_year, "2026-01-05T00:00:00Z"),
        (
            "0 0 0 ? * FRI-MON",
            "2026-01-05T00:00:01Z",
            "2026-01-09T00:00:00Z",
        ),
        (
            "0 0 0 ? * 2-6",
            "2026-01-03T00:00:00Z",
            "2026-01-05T00:00:00Z",
        ),
        // L alone among days of the week is Saturday
        ("0 0 0 ? * L", new_year, "2026-01-03T00:00:00Z"),
        // the last one of a month
        ("0 0 0 ? * 6L", new_year, "2026-01-30T00:00:00Z"),
        (
            "0 0 0 ? * FRIL",
            "2026-01-30T00:00:01Z",
            "2026-02-27T00:00:00Z",
        ),
        // the third one; a fifth one that is not there passes over the month
        ("0 15 10 ? * 6#3", new_year, "2026-01-16T10:15:00Z"),
        (
            "0 0 0 ? * THU#5",
            "2026-01-30T00:00:00Z",
            "2026-04-30T00:00:00Z",
        ),
        ("0 0 0 ? * 5#1", new_year, "2026-01-01T00:00:00Z"),
        // the last day of a month, and days before it
        ("0 0 0 L * ?", new_year, "2026-01-31T00:00:00Z"),
        ("0 0 0 L 2 ?", new_year, "2026-02-28T00:00:00Z"),
        (
            "0 0 0 L 2 ?",
            "2028-01-01T00:00:00Z",
            "2028-02-29T00:00:00Z",
        ),
        ("0 0 0 L-3 * ?", new_year, "2026-01-28T00:00:00Z"),
        (
            "0 0 0 L-30 * ?",
            "2026-01-02T00:00:00Z",
            "2026-03-01T00:00:00Z",
        ),
        // the nearest weekday, never in another month: 2026-02-15 is a Sunday, 2026-08-01 a Saturday
        ("0 0 0 15W * ?", new_year, "2026-01-15T00:00:00Z"),
        ("0 0 0 15W 2 ?", new_year, "2026-02-16T00:00:00Z"),
        ("0 0 0 14W 2 ?", new_year, "2026-02-13T00:00:00Z"),
        ("0 0 0 1W 8 ?", new_year, "2026-08-03T00:00:00Z"),
        ("0 0 0 31W 5 ?", new_year, "2026-05-29T00:00:00Z"),
        (
            "0 0 0 31W * ?",
            "2026-02-01T00:00:00Z",
            "2026-03-31T00:00:00Z",
        ),
        // the last weekday of a month: 2026-01-31 is a Saturday, 2026-05-31 a Sunday
        ("0 0 0 LW * ?", new_year, "2026-01-30T00:00:00Z"),
        ("0 0 0 LW 5 ?", new_year, "2026-05-29T00:00:00Z"),
        ("0 0 0 L-1W 5 ?", new_year, "2026-05-29T00:00:00Z"),
        ("0 0 0 L-3W * ?", new_year, "2026-01-28T00:00:00Z"),
        // leap days and days that never come
        ("0 0 0 29 2 ?", new_year, "2028-02-29T00:00:00Z"),
        ("0 0 0 30 2 ?", new_year, "never"),
        ("0 0 0 31 4,6,9,11 ?", new_year, "never"),
        ("0 0 0 1 1 ? 2025", new_year, "never"),
        ("0 0 0 1 1 ? 2020-2030/4", new_year, "2028-01-01T00:00:00Z"),
        ("0 0 0 1 1 ? 2199", new_year, "2199-01-01T00:00:00Z"),
        ("0 0 0 1 1 ? 2030,2027", new_year, "2027-01-01T00:00:00Z"),
    ] {
        assert_eq!(
            opens(cron, from, &TimeZone::UTC),
            expected,
            "{cron} from {from}"
        );
    }
}

#[test]
fn windows_follow_the_clock_of_their_zone() {
    // forward on 2026-03-29 at 01:00Z, back on 2026-10-25 at 01:00Z
    let berlin = zone("CET-1CEST,M3.5.0,M10.5.0/3");
    // forward on 2026-10-04 at 16:00Z (Lord Howe: by half an hour)
    let lord_howe = zone("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0");
    let kolkata = TimeZone::fixed(jiff::tz::Offset::from_seconds(19_800).unwrap());
    for (cron, zone, from, expected) in [
        (
            "0 0 9 * * ?",
            &berlin,
            "2026-01-01T00:00:00Z",
            "2026-01-01T08:00:00Z",
        ),
        (
            "0 0 9 * * ?",
            &berlin,
            "2026-03-28T08:00:01Z",
            "2026-03-29T07:00:00Z",
        ),
        (
            "0 0 9 * * ?",
            &kolkata,
            "2026-01-01T00:00:00Z",
            "2026-01-01T03:30:00Z",
        ),
        (
            "0 0 0 ? * MON",
            &kolkata,
            "2026-01-01T00:00:00Z",
            "2026-01-04T18:30:00Z",
        ),
        // a gap: 02:00-03:00 does not exist, the window opens at 03:00
        (
            "0 30 2 * * ?",
            &berlin,
            "2026-03-29T00:00:00Z",
            "2026-03-29T01:00:00Z",
        ),
        (
            "0 30 2 * * ?",
            &berlin,
            "2026-03-29T01:00:01Z",
            "2026-03-30T00:30:00Z",
        ),
        (
            "0 0 2 * * ?",
            &berlin,
            "2026-03-29T00:59:59Z",
            "2026-03-29T01:00:00Z",
        ),
        (
            "0 0 3 * * ?",
            &berlin,
            "2026-03-29T00:00:00Z",
            "2026-03-29T01:00:00Z",
        ),
        (
            "0 0 4 * * ?",
            &berlin,
            "2026-03-29T00:00:00Z",
            "2026-03-29T02:00:00Z",
        ),
        (
            "0 45 1 * * ?",
            &berlin,
            "2026-03-29T00:50:00Z",
            "2026-03-29T23:45:00Z",
        ),
        (
            "0 15 2 * * ?",
            &lord_howe,
            "2026-10-03T15:00:00Z",
            "2026-10-03T15:30:00Z",
        ),
        // an overlap: 02:00-03:00 comes twice, and so does the window
        (
            "0 30 2 * * ?",
            &berlin,
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
        ),
        (
            "0 30 2 * * ?",
            &berlin,
            "2026-10-25T00:30:01Z",
            "2026-10-25T01:30:00Z",
        ),
        (
            "0 30 2 * * ?",
            &berlin,
            "2026-10-25T01:30:01Z",
            "2026-10-26T01:30:00Z",
        ),
        (
            "0 0 3 * * ?",
            &berlin,
            "2026-10-25T00:30:00Z",
            "2026-10-25T02:00:00Z",
        ),
        (
            "* * 2 * * ?",
            &berlin,
            "2026-10-25T01:15:00Z",
            "2026-10-25T01:15:00Z",
        ),
        ("0 0 0 30 2 ?", &berlin, "2026-01-01T00:00:00Z", "never"),
    ] {
        assert_eq!(opens(cron, from, zone), expected, "{cron} from {from}");
    }
}

#[test]
fn what_quartz_refuses_is_refused() {
    let both = "exactly one of day-of-month";
    for (cron, says) in [
        ("", "has 6 or 7 fields"),
        ("0 0 9 * *", "'0 0 9 * *' has 5"),
        ("0 0 9 * * ? 2026 x", "has 8"),
        ("0 0 9 * * *", both),
        ("0 0 9 ? * ?", both),
        ("0 0 9 1 * MON", both),
        ("60 0 9 * * ?", "the second field '60'"),
        ("0 60 9 * * ?", "the minute field '60'"),
        ("0 0 24 * * ?", "the hour field '24'"),
        ("0 0 9 0 * ?", "the day-of-month field '0'"),
        ("0 0 9 32 * ?", "1-31 is needed"),
        ("0 0 9 1 0 ?", "the month field '0'"),
        ("0 0 9 1 13 ?", "the month field '13'"),
        ("0 0 9 1 JANUARY ?", "'JANUARY' where 1-12"),
        ("0 0 9 ? * 0", "the day-of-week field '0'"),
        ("0 0 9 ? * 8", "the day-of-week field '8'"),
        ("0 0 9 ? * FOO", "'FOO' where 1-7"),
        ("0 0 9 1 1 ? 1969", "the year field '1969'"),
        ("0 0 9 1 1 ? 2200", "1970-2199"),
        ("0 0 9 1 1 ? 2030-2027", "backwards"),
        ("? 0 9 1 1 ?", "the second field '?'"),
        ("0 0 9 1 ? ?", "the month field '?'"),
        ("0 0 9 1 ? MON", both),
        ("0 0 9 1,? * ?", "the day-of-month field '1,?'"),
        ("0 0 ,9 * * ?", "the hour field ',9'"),
        ("0 0 9-  * * ?", "the hour field '9-'"),
        ("0 0 -9 * * ?", "the hour field '-9'"),
        ("0 0 +9 * * ?", "the hour field '+9'"),
        ("0 0/0 9 * * ?", "not between 1 and 59"),
        ("0 0/60 9 * * ?", "not between 1 and 59"),
        ("0 0/x 9 * * ?", "not between 1 and 59"),
        ("0 L 9 * * ?", "the minute field 'L'"),
        ("0 0 9 L,15 * ?", "LW or L-nW alone"),
        ("0 0 9 L-31 * ?", "up to 30"),
        ("0 0 9 1,15W * ?", "single day"),
        ("0 0 9 W * ?", "'' where 1-31"),
        ("0 0 9 1-5W * ?", "single day"),
        ("0 0 9 32W * ?", "'32' where 1-31"),
        ("0 0 9 WL * ?", "single day"),
        ("0 0 9 15#2 * ?", "the day-of-month field '15#2'"),
        ("0 0 9 ? * 6#6", "followed by 1-5"),
        ("0 0 9 ? * 6#", "followed by 1-5"),
        ("0 0 9 ? * 6#1,2", "followed by 1-5"),
        ("0 0 9 ? * 2,6L", "the day-of-week field '2,6L'"),
        ("0 0 9 ? * MONW", "'MONW' where 1-7"),
        ("0 0 9 1 * ? 99999999999", "the year field"),
    ] {
        let error = cron.parse::<Cron>().expect_err(cron).to_string();
        assert!(error.contains(says), "{cron}: {error}");
    }
}
