//! `Range` and conditional headers, decided without touching bytes.

use http::HeaderMap;
use jiff::Timestamp;

use crate::face::route::text;

/// Which bytes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// All of them.
    Whole,
    /// From the first to the last, both included.
    Part {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// The range begins after the end.
    Unsatisfiable,
}

/// What the conditions say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Send,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Decides a `Range` header; one that cannot be read, or names several ranges, is ignored, as S3 does.
pub fn slice(range: Option<&str>, size: u64) -> Slice {
    let Some((first, last)) = range
        .and_then(|range| range.trim().strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Slice::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        return match last.parse::<u64>() {
            Ok(0) => Slice::Unsatisfiable,
            Ok(_) if size == 0 => Slice::Unsatisfiable,
            Ok(tail) => Slice::Part {
                first: size.saturating_sub(tail),
                last: size - 1,
            },
            Err(_) => Slice::Whole,
        };
    }
    let last = if last.is_empty() {
        Ok(u64::MAX)
    } else {
        last.parse::<u64>()
    };
    match (first.parse::<u64>(), last) {
        (Ok(first), Ok(last)) if first > last => Slice::Whole,
        (Ok(first), Ok(_)) if first >= size => Slice::Unsatisfiable,
        (Ok(first), Ok(last)) => Slice::Part {
            first,
            last: last.min(size - 1),
        },
        _ => Slice::Whole,
    }
}

/// Decides the four conditional headers of a read, in the order of RFC 9110; `prefix` is empty or
/// `x-amz-copy-source-`.
pub fn verdict(headers: &HeaderMap, prefix: &str, etag: &str, modified: Timestamp) -> Verdict {
    let get = |name: &str| text(headers, &format!("{prefix}{name}"));
    let date = |name: &str| get(name).and_then(parse_date);
    let modified = modified.as_second();
    if let Some(wanted) = get("if-match") {
        if !matches(wanted, etag) {
            return Verdict::Failed;
        }
    } else if date("if-unmodified-since").is_some_and(|date| modified > date) {
        return Verdict::Failed;
    }
    if let Some(known) = get("if-none-match") {
        if matches(known, etag) {
            return Verdict::NotModified;
        }
    } else if date("if-modified-since").is_some_and(|date| modified <= date) {
        return Verdict::NotModified;
    }
    Verdict::Send
}

/// `Last-Modified`, as HTTP writes it.
pub fn http_date(time: Timestamp) -> String {
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .unwrap_or_default()
}

fn parse_date(text: &str) -> Option<i64> {
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    Some(date.as_second())
}

fn matches(list: &str, etag: &str) -> bool {
    list.split(',').any(|one| {
        let one = one.trim();
        one == "*" || one.trim_start_matches("W/").trim_matches('"') == etag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_decided() {
        let part = |first, last| Slice::Part { first, last };
        for (range, size, expected) in [
            (None, 10, Slice::Whole),
            (Some("bytes=0-4"), 10, part(0, 4)),
            (Some("bytes=5-"), 10, part(5, 9)),
            (Some("bytes=5-500"), 10, part(5, 9)),
            (Some("bytes=-3"), 10, part(7, 9)),
            (Some("bytes=-30"), 10, part(0, 9)),
            (Some("bytes=10-"), 10, Slice::Unsatisfiable),
            (Some("bytes=-0"), 10, Slice::Unsatisfiable),
            (Some("bytes=-1"), 0, Slice::Unsatisfiable),
            (Some("bytes=0-"), 0, Slice::Unsatisfiable),
            (Some("bytes=4-2"), 10, Slice::Whole),
            (Some("bytes=0-1,3-4"), 10, Slice::Whole),
            (Some("lines=0-1"), 10, Slice::Whole),
            (Some("bytes=a-b"), 10, Slice::Whole),
        ] {
            assert_eq!(slice(range, size), expected, "{range:?} of {size}");
        }
    }

    #[test]
    fn conditions_are_decided() {
        let modified = Timestamp::from_second(1_000_000_000).unwrap();
        let before = "Sun, 09 Sep 2001 01:46:39 GMT";
        let same = "Sun, 09 Sep 2001 01:46:40 GMT";
        assert_eq!(http_date(modified), same);
        for (name, value, expected) in [
            ("if-match", "\"e\"", Verdict::Send),
            ("if-match", "\"x\", \"e\"", Verdict::Send),
            ("if-match", "\"x\"", Verdict::Failed),
            ("if-none-match", "\"e\"", Verdict::NotModified),
            ("if-none-match", "*", Verdict::NotModified),
            ("if-none-match", "x", Verdict::Send),
            ("if-modified-since", before, Verdict::Send),
            ("if-modified-since", same, Verdict::NotModified),
            ("if-unmodified-since", before, Verdict::Failed),
            ("if-unmodified-since", same, Verdict::Send),
            ("if-modified-since", "nonsense", Verdict::Send),
        ] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                value.parse().unwrap(),
            )]);
            assert_eq!(
                verdict(&headers, "", "e", modified),
                expected,
                "{name}: {value}"
            );
        }
    }
}
