//! Time zones as DeploymentWindow names them: `Region/City`, `UTC+05:30`, abbreviations.

use jiff::tz::{Offset, TimeZone};

/// Java's short ids, which AWS's services understand: three letters name several zones, these are Java's choice.
const SHORT: [(&str, &str); 28] = [
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AGT", "America/Argentina/Buenos_Aires"),
    ("ART", "Africa/Cairo"),
    ("AST", "America/Anchorage"),
    ("BET", "America/Sao_Paulo"),
    ("BST", "Asia/Dhaka"),
    ("CAT", "Africa/Harare"),
    ("CNT", "America/St_Johns"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("EAT", "Africa/Addis_Ababa"),
    ("ECT", "Europe/Paris"),
    ("EST", "-05:00"),
    ("HST", "-10:00"),
    ("IET", "America/Indiana/Indianapolis"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MIT", "Pacific/Apia"),
    ("MST", "-07:00"),
    ("NET", "Asia/Yerevan"),
    ("NST", "Pacific/Auckland"),
    ("PLT", "Asia/Karachi"),
    ("PNT", "America/Phoenix"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("VST", "Asia/Ho_Chi_Minh"),
];
/// What may stand before an offset.
const BASES: [&str; 3] = ["UTC", "GMT", "UT"];

/// The zone of that name.
///
/// # Errors
/// A sentence that says what may be written.
pub(super) fn parse(name: &str) -> Result<TimeZone, String> {
    let short = SHORT.iter().find(|(short, _)| *short == name);
    let name = short.map_or(name, |(_, long)| *long);
    if BASES.contains(&name) {
        return Ok(TimeZone::UTC);
    }
    let rest = BASES.iter().find_map(|base| name.strip_prefix(base));
    if let Some(seconds) = offset(rest.unwrap_or(name)) {
        let offset = Offset::from_seconds(seconds).map_err(|_| unknown(name))?;
        return Ok(TimeZone::fixed(offset));
    }
    TimeZone::get(name).map_err(|_| unknown(name))
}

/// `+5`, `-05`, `+05:30` in seconds; Java's limit is 18 hours.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "00"));
    let number = |text: &str, most: usize| {
        let plain = text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|_| plain)
    };
    let minutes = number(minutes, 2).filter(|value| minutes.len() == 2 && *value < 60)?;
    let total = number(hours, 2)? * 60 + minutes;
    (total <= 18 * 60).then_some(sign * total * 60)
}

fn unknown(name: &str) -> String {
    format!(
        "TimeZone '{name}' is not known: write Region/City (Europe/Berlin), UTC+05:30 or an abbreviation (PST)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_city_offset_and_abbreviation() {
        let summer: jiff::Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        for (name, minutes) in [
            ("UTC", 0),
            ("GMT", 0),
            ("UTC+05:30", 330),
            ("UTC-8", -480),
            ("GMT+1", 60),
            ("+02:00", 120),
            ("UTC+18:00", 1080),
            ("Europe/Berlin", 120),
            ("America/New_York", -240),
            ("Asia/Kolkata", 330),
            ("Etc/UTC", 0),
            ("CET", 120),
            ("PST", -420),
            ("EST", -300),
            ("IST", 330),
            ("JST", 540),
        ] {
            let zone = parse(name).unwrap_or_else(|error| panic!("{error}"));
            let offset = zone.to_offset(summer).seconds();
            assert_eq!(offset, minutes * 60, "{name}");
        }
        for (short, _) in SHORT {
            assert!(parse(short).is_ok(), "{short}");
        }
        for name in [
            "",
            "Mars/Base",
            "UTC+25:00",
            "UTC+5:3",
            "UTC+05:60",
            "UTC+",
            "utc+0530x",
            "+",
            "XYZ",
            "../UTC",
        ] {
            let error = parse(name).map(|_| ()).expect_err(name);
            assert!(error.contains("Region/City"), "{error}");
        }
    }
}
