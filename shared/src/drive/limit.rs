//! AWS's limits on what a report may hold: texts are cut, what would lie when cut is refused.

use std::collections::BTreeMap;

use crate::{
    fault::{Fault, FaultKind},
    job::Details,
};

/// `ExecutionSummary` in AWS's model.
pub const MAX_SUMMARY: usize = 2048;
/// `Message` of `FailureDetails`.
pub const MAX_MESSAGE: usize = 5000;
/// Output variables of one action, keys and values together, in bytes (CodePipeline quotas).
pub const MAX_VARIABLES: usize = 122_880;

const CUT: char = '…';

/// Characters as the service counts them: UTF-16 units, the strictest reading of "characters".
pub fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The text, or its beginning with an ellipsis.
pub fn cut(text: &str, max: usize) -> String {
    if length(text) <= max {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = CUT.len_utf16();
    for c in text.chars() {
        used += c.len_utf16();
        if used > max {
            break;
        }
        kept.push(c);
    }
    kept.push(CUT);
    kept
}

/// Details that the service takes: an empty summary is none, a percentage ends at 100.
pub fn details(details: Details) -> Details {
    Details {
        summary: details
            .summary
            .filter(|text| !text.is_empty())
            .map(|text| cut(&text, MAX_SUMMARY)),
        external_id: details.external_id,
        percent: details.percent.map(|percent| percent.min(100)),
        link: details.link.filter(|link| !link.is_empty()),
    }
}

/// The same with the link at the end of the summary, where it fits whole.
pub fn with_link(mut details: Details) -> Details {
    let Some(link) = details.link.take() else {
        return details;
    };
    let summary = details.summary.take().unwrap_or_default();
    let joined = match summary.as_str() {
        "" => link.clone(),
        summary => format!("{summary} — {link}"),
    };
    let fits = summary.contains(&link) || length(&joined) <= MAX_SUMMARY;
    details.summary = match (fits, summary.contains(&link)) {
        (true, false) => Some(joined),
        _ => Some(summary).filter(|text| !text.is_empty()),
    };
    details
}

/// A failure message that the service takes; it must not be empty.
pub fn message(text: &str) -> String {
    match text.trim() {
        "" => "the action failed without saying why".to_owned(),
        text => cut(text, MAX_MESSAGE),
    }
}

/// Output variables as they are, or the fault that says which rule they break. A cut variable would lie to later actions.
pub fn variables(variables: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Fault> {
    let refused = |text: String| Err(Fault::new(FaultKind::Internal, text));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "@_-".contains(c);
    if let Some(key) = variables
        .keys()
        .find(|key| key.is_empty() || !key.chars().all(allowed))
    {
        return refused(format!(
            "the action made an output variable named {:?}; names are made of A-Z, a-z, 0-9, @, _ and -",
            cut(key, 100)
        ));
    }
    let size: usize = variables
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if size > MAX_VARIABLES {
        return refused(format!(
            "the action made output variables of {size} bytes; CodePipeline takes {MAX_VARIABLES}"
        ));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_within_the_limit() {
        for (text, max, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("ééé", 3, "ééé"),
            ("😀😀", 4, "😀😀"),
            ("😀😀", 3, "😀…"),
            ("😀😀", 2, "…"),
        ] {
            assert_eq!(cut(text, max), expected, "{text} to {max}");
            assert!(length(&cut(text, max)) <= max);
        }
    }

    #[test]
    fn variables_are_refused_rather_than_cut() {
        let one = |key: &str, value: String| BTreeMap::from([(key.to_owned(), value)]);
        assert!(variables(one("A@b_c-1", String::new())).is_ok());
        assert!(variables(one("k", "x".repeat(MAX_VARIABLES - 1))).is_ok());
        for (bad, expected) in [
            (one("a.b", String::new()), "\"a.b\""),
            (one("", String::new()), "\"\""),
            (one("k", "x".repeat(MAX_VARIABLES)), "122881 bytes"),
        ] {
            let fault = variables(bad).expect_err(expected);
            assert!(fault.public.contains(expected), "{}", fault.public);
        }
    }

    #[test]
    fn a_link_ends_the_summary_where_it_fits() {
        let shown = |summary: Option<&str>, link: &str| {
            let details = Details {
                summary: summary.map(str::to_owned),
                link: Some(link.to_owned()),
                ..Details::default()
            };
            let shown = with_link(details);
            assert_eq!(shown.link, None);
            shown.summary
        };
        let long = "x".repeat(MAX_SUMMARY);
        for (summary, expected) in [
            (Some("build 7"), Some("build 7 — https://ci/7")),
            (None, Some("https://ci/7")),
            (Some("see https://ci/7"), Some("see https://ci/7")),
            (Some(long.as_str()), Some(long.as_str())),
        ] {
            assert_eq!(shown(summary, "https://ci/7").as_deref(), expected);
        }
    }

    #[test]
    fn a_message_is_never_empty() {
        assert_eq!(message(" \n"), "the action failed without saying why");
        assert_eq!(length(&message(&"x".repeat(9000))), MAX_MESSAGE);
    }
}
