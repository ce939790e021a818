//! Text for people: cleaned, cut and put into words.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::approval::request::{Request, Revision};

/// A link that may be shown as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeLink {
    /// The whole address.
    pub href: String,
    /// Its host, shown beside it.
    pub host: String,
}

/// One line without control, line-breaking, zero-width or direction signs, at most `limit` characters.
pub fn one_line(text: &str, limit: usize) -> String {
    let mut words = String::new();
    for word in text.split(|c: char| c.is_whitespace() || is_break(c)) {
        let clean: String = word.chars().filter(|c| !is_hidden(*c)).collect();
        if !clean.is_empty() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(&clean);
        }
    }
    cut(&words, limit)
}

/// Several lines, otherwise as [`one_line`].
pub fn lines(text: &str, limit: usize) -> String {
    let clean: String = text
        .replace("\r\n", "\n")
        .chars()
        .filter(|c| *c == '\n' || !is_hidden(*c))
        .collect();
    cut(clean.trim(), limit)
}

/// The first line of a commit message.
pub fn headline(revision: &Revision, limit: usize) -> Option<String> {
    let first = revision
        .message
        .as_deref()?
        .lines()
        .find(|l| !l.trim().is_empty())?;
    Some(one_line(first, limit)).filter(|l| !l.is_empty())
}

/// `[stage] Approve site-release? 3 changes by Dana, until Tue 16:00 CET`; of one change its own words.
pub fn subject(request: &Request, zone: &TimeZone) -> String {
    let target = &request.target;
    let mut text = format!("[{}] Approve {}?", target.stage, target.pipeline);
    let facts = &request.facts;
    let changes = facts.revisions.len() + facts.history.between.len();
    let changes = changes.saturating_add(usize::try_from(facts.history.more).unwrap_or_default());
    match (changes, facts.revisions.first()) {
        (1, Some(only)) => {
            if let Some(headline) = headline(only, 60) {
                text.push_str(&format!(" \"{headline}\""));
            }
        }
        (0, _) => {
            let task = request.asker.machine();
            if let Some(asked) = task.and_then(|task| task.subject.as_deref()) {
                text.push_str(&format!(" \"{}\"", one_line(asked, 100)));
            }
        }
        (many, _) => text.push_str(&format!(" {many} changes")),
    }
    let all = facts.revisions.iter().chain(&facts.history.between);
    let mut authors: Vec<String> = Vec::new();
    for author in all.filter_map(|r| r.author.as_deref()) {
        let author = one_line(author, 40);
        if !author.is_empty() && !authors.contains(&author) {
            authors.push(author);
        }
    }
    match authors.as_slice() {
        [] => {}
        [one] => text.push_str(&format!(" by {one}")),
        [one, other] => text.push_str(&format!(" by {one} and {other}")),
        [one, rest @ ..] => text.push_str(&format!(" by {one} and {} others", rest.len())),
    }
    let until = request.expires_at.to_zoned(zone.clone());
    let within_week =
        request.expires_at.duration_since(request.asked_at) < SignedDuration::from_hours(6 * 24);
    let format = if within_week {
        "%a %H:%M %Z"
    } else {
        "%a %d %b %H:%M %Z"
    };
    text.push_str(&format!(", until {}", until.strftime(format)));
    one_line(&text, 240)
}

/// `Tue 24 Nov 2026, 16:00 UTC`.
pub fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%a %-d %b %Y, %H:%M UTC")
        .to_string()
}

/// `Tue 24 Nov 2026, 17:00 CET (16:00 UTC)`: a moment where people are.
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    let utc = at.to_zoned(TimeZone::UTC);
    let there = at.to_zoned(zone.clone());
    if there.offset() == utc.offset() && zone.iana_name().is_none_or(|name| name == "UTC") {
        return moment(at);
    }
    let format = if there.date() == utc.date() {
        "%H:%M UTC"
    } else {
        "%a %H:%M UTC"
    };
    format!("{} ({})", self::there(at, zone), utc.strftime(format))
}

/// `Tue 24 Nov 2026, 17:00 CET`: what need not be compared across zones.
pub fn there(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%a %-d %b %Y, %H:%M %Z")
        .to_string()
}

/// `in 3 days`, `2 hours ago`, `just now`: the largest unit that fits.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let away = at.duration_since(now);
    match (away.is_positive(), away.as_secs()) {
        (false, -59..=0) => "just now".to_owned(),
        (true, _) => format!("in {}", span(away)),
        (false, _) => format!("{} ago", span(away)),
    }
}

/// `2 hours`, whichever way: the largest unit that fits.
pub fn span(time: SignedDuration) -> String {
    let (count, unit) = match time.as_secs().unsigned_abs() {
        0..60 => return "less than a minute".to_owned(),
        seconds @ 60..3600 => (seconds / 60, "minute"),
        seconds @ 3600..172_800 => (seconds / 3600, "hour"),
        seconds => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// `abcdef1` of a hexadecimal commit id; other ids as they are, cut.
pub fn short_id(id: &str) -> String {
    if id.len() >= 12 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        id[..8].to_owned()
    } else {
        one_line(id, 40)
    }
}

/// Where two commits can be compared, made of the address of the newer one; `None` where the host is not known.
pub fn compare_link(newer: &str, old_id: &str, new_id: &str) -> Option<SafeLink> {
    let plain =
        |id: &str| (7..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
    let host = newer.strip_prefix("https://")?.split('/').next()?;
    if !plain(old_id) || !plain(new_id) || old_id == new_id {
        return None;
    }
    let link = if host == "bitbucket.org" {
        let (repository, _) = newer.split_once("/commits/")?;
        format!("{repository}/branches/compare/{new_id}%0D{old_id}")
    } else if host.ends_with("console.aws.amazon.com") {
        codestar(newer, old_id, new_id).or_else(|| codecommit(newer, old_id, new_id))?
    } else if let Some((repository, _)) = newer.split_once("/-/commit/") {
        format!("{repository}/-/compare/{old_id}...{new_id}")
    } else {
        let (repository, _) = newer.split_once("/commit/")?;
        format!("{repository}/compare/{old_id}...{new_id}")
    };
    safe_link(&link)
}

/// The console's redirect of a connection names the repository; GitHub's are the only ones whose host it implies.
fn codestar(newer: &str, old_id: &str, new_id: &str) -> Option<String> {
    let query = newer.split_once("/connections/redirect?")?.1;
    let name = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("FullRepositoryId="))?;
    let name = name.replace("%2F", "/").replace("%2f", "/");
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
    let good = name.split('/').count() == 2 && name.bytes().all(fits);
    good.then(|| format!("https://github.com/{name}/compare/{old_id}...{new_id}"))
}

fn codecommit(newer: &str, old_id: &str, new_id: &str) -> Option<String> {
    let (repository, rest) = newer.split_once("/commit/")?;
    let region = rest.split_once('?').map_or("", |(_, query)| query);
    let link = format!("{repository}/compare/{old_id}/.../{new_id}");
    Some(if region.is_empty() {
        link
    } else {
        format!("{link}?{region}")
    })
}

/// An address that may become a link: https, plain ASCII host, no user, nothing hidden.
pub fn safe_link(text: &str) -> Option<SafeLink> {
    let rest = text.strip_prefix("https://")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_fits = |b: u8| b.is_ascii_alphanumeric() || b"-.:".contains(&b);
    let fits = |b: u8| b.is_ascii_graphic() && !b"\"'<>\\`{}|^".contains(&b);
    let good = !host.is_empty()
        && text.len() <= 2048
        && host.bytes().all(host_fits)
        && host.contains('.')
        && rest.bytes().all(fits);
    good.then(|| SafeLink {
        href: text.to_owned(),
        host: host.to_owned(),
    })
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => {
            let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
            short.truncate(short.trim_end().len());
            short.push('…');
            short
        }
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{b}' | '\u{c}')
}

/// Control signs, zero-width signs and signs that turn the direction of text.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_becomes_one_plain_line() {
        for (text, plain) in [
            ("a\r\nBcc: x@example.com", "a Bcc: x@example.com"),
            ("a\0b\u{2028}c\u{202e}d", "ab cd"),
            ("  many \t spaces ", "many spaces"),
            ("zero\u{200b}width\u{feff}", "zerowidth"),
        ] {
            assert_eq!(one_line(text, 100), plain);
        }
        assert_eq!(one_line("äöü ßx", 5), "äöü…");
        assert_eq!(lines("a\r\nb\u{202e}\n\n", 100), "a\nb");
    }

    #[test]
    fn only_plain_https_links_are_links() {
        let link = safe_link("https://example.com:8443/a?b=c#d").unwrap();
        assert_eq!(link.host, "example.com:8443");
        for text in [
            "http://example.com",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://user@example.com/",
            "https://ex\u{430}mple.com",
            "https://example.com/\"onclick=",
            "https://example.com/ x",
            "https:///x",
            "https://localhost/",
        ] {
            assert_eq!(safe_link(text), None, "{text}");
        }
    }

    #[test]
    fn moments_are_told_where_people_are() {
        let at: Timestamp = "2026-11-24T16:00:00Z".parse().unwrap();
        let zone = |name: &str| TimeZone::get(name).unwrap();
        for (name, told) in [
            ("UTC", "Tue 24 Nov 2026, 16:00 UTC"),
            ("Europe/Berlin", "Tue 24 Nov 2026, 17:00 CET (16:00 UTC)"),
            ("Asia/Tokyo", "Wed 25 Nov 2026, 01:00 JST (Tue 16:00 UTC)"),
            ("Europe/London", "Tue 24 Nov 2026, 16:00 GMT (16:00 UTC)"),
        ] {
            assert_eq!(local(at, &zone(name)), told);
        }
    }

    #[test]
    fn commits_are_compared_where_the_host_is_known() {
        let (old, new) = ("3f2a9c10d", "4be2f8c09");
        for (newer, link) in [
            (
                "https://github.com/o/r/commit/4be2f8c09",
                Some("https://github.com/o/r/compare/3f2a9c10d...4be2f8c09"),
            ),
            (
                "https://gitlab.com/g/s/r/-/commit/4be2f8c09",
                Some("https://gitlab.com/g/s/r/-/compare/3f2a9c10d...4be2f8c09"),
            ),
            (
                "https://bitbucket.org/o/r/commits/4be2f8c09",
                Some("https://bitbucket.org/o/r/branches/compare/4be2f8c09%0D3f2a9c10d"),
            ),
            (
                "https://eu-west-1.console.aws.amazon.com/codesuite/settings/connections/redirect?connectionArn=arn:aws:codestar-connections:eu-west-1:1:connection/x&referenceType=COMMIT&FullRepositoryId=o%2Fr&Commit=4be2f8c09",
                Some("https://github.com/o/r/compare/3f2a9c10d...4be2f8c09"),
            ),
            (
                "https://eu-west-1.console.aws.amazon.com/codesuite/codecommit/repositories/r/commit/4be2f8c09?region=eu-west-1",
                Some(
                    "https://eu-west-1.console.aws.amazon.com/codesuite/codecommit/repositories/r/compare/3f2a9c10d/.../4be2f8c09?region=eu-west-1",
                ),
            ),
            ("http://github.com/o/r/commit/4be2f8c09", None),
            ("https://example.com/elsewhere", None),
            ("javascript:alert(1)/commit/x", None),
        ] {
            let made = compare_link(newer, old, new).map(|l| l.href);
            assert_eq!(made.as_deref(), link, "{newer}");
        }
        let github = "https://github.com/o/r/commit/4be2f8c09";
        assert_eq!(compare_link(github, "\"><b>", new), None);
        assert_eq!(compare_link(github, new, new), None);
    }

    #[test]
    fn times_are_told_in_one_unit() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        for (offset, words) in [
            (30, "in less than a minute"),
            (-5, "just now"),
            (0, "just now"),
            (90, "in 1 minute"),
            (-7_300, "2 hours ago"),
            (3 * 86_400, "in 3 days"),
        ] {
            let at = now + SignedDuration::from_secs(offset);
            assert_eq!(relative(at, now), words);
        }
        assert_eq!(moment(now), "Mon 12 Jan 1970, 13:46 UTC");
    }
}
