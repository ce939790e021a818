//! What a vendor may answer to every look at a run, and what people are then told: the same sentences for all vendors.

use shared::job::FailureKind;

use crate::Trick;

/// Answers that never turn good, with the failure that comes of them. `vendor` and `asked` are the words of the sentences,
/// `most` is the largest answer that is read, in bytes.
pub fn bad_answers(vendor: &str, asked: &str, most: usize) -> Vec<(Trick, FailureKind, String)> {
    use FailureKind::{ConfigurationError, JobFailed, SystemUnavailable};
    let cases = [
        (
            Trick::throttled(Some("100")),
            SystemUnavailable,
            format!("last seen: {vendor} throttled the {asked} (status 429)"),
        ),
        (
            Trick::status(502),
            SystemUnavailable,
            format!("last seen: {vendor} is not well"),
        ),
        (
            Trick::html(),
            JobFailed,
            format!("answered the {asked} with an HTML page"),
        ),
        (
            Trick::empty(),
            JobFailed,
            format!("answered the {asked} with an empty answer"),
        ),
        (
            Trick::huge(),
            JobFailed,
            format!("answered the {asked} with more than {most} bytes"),
        ),
        (
            Trick::status(404),
            ConfigurationError,
            format!("knows nothing of the {asked}"),
        ),
    ];
    cases.into()
}

/// Trouble that passes: a run is waited for through each of these.
pub fn passing_trouble() -> Vec<Trick> {
    vec![
        Trick::throttled(Some("3")),
        Trick::throttled(None),
        Trick::status(502),
        Trick::status(503),
        Trick::status(404),
        Trick::NeverArrives,
        Trick::LostAnswer,
        Trick::Truncated,
        Trick::Hang,
        Trick::html(),
    ]
}
