//! What the results of a run mean. Pure.

use shared::fault::{Fault, FaultKind};

use crate::wire::RunResult;

/// Where all results of a run stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// At least one goes on.
    Going {
        /// Of 100, when the counts tell.
        percent: Option<u8>,
        /// For people.
        text: String,
    },
    /// All have ended, and one says so without its times, which are set a moment later: read once more.
    Settling,
    /// All passed.
    Passed,
    /// Some failed.
    Failed,
    /// All passed, but a screenshot differs and that counts.
    ScreenshotsDiffer,
    /// One was cancelled, here or at the vendor.
    Cancelled,
    /// One says that it passed and counts failed tests.
    Contradiction {
        /// Which.
        result: String,
    },
}

/// Judges. `settled`: they were read once more already.
pub fn judge(results: &[RunResult], screenshots_count: bool, settled: bool) -> Verdict {
    let going = |one: &&RunResult| one.passing.is_none() && !one.has_ended();
    let left = results.iter().filter(going).count();
    if left > 0 {
        return going_on(results, left);
    }
    let unclear = results
        .iter()
        .any(|one| one.passing.is_none() || !one.has_ended());
    if unclear && !settled {
        return Verdict::Settling;
    }
    if results.iter().any(|one| one.passing.is_none()) {
        return Verdict::Cancelled;
    }
    if results.iter().any(|one| one.passing == Some(false)) {
        return Verdict::Failed;
    }
    let contradicting = |one: &&RunResult| one.count_failing.is_some_and(|count| count > 0);
    if let Some(one) = results.iter().find(contradicting) {
        return Verdict::Contradiction {
            result: one.id.clone(),
        };
    }
    let differs = |one: &RunResult| one.screenshot_compare_passing == Some(false);
    if screenshots_count && results.iter().any(differs) {
        return Verdict::ScreenshotsDiffer;
    }
    Verdict::Passed
}

fn going_on(results: &[RunResult], left: usize) -> Verdict {
    let (passed, failed, unknown) = counts(results);
    let (ended, all) = (passed + failed, passed + failed + unknown);
    let percent = (all > 0).then(|| u8::try_from(ended * 100 / all).unwrap_or(99));
    let text = match (results.len(), all) {
        (1, 0) => "running".to_owned(),
        (1, _) => format!("running: {ended} of {all} tests ended, {failed} failed"),
        (runs, _) => format!("running: {} of {runs} runs ended", runs - left),
    };
    Verdict::Going { percent, text }
}

/// Tests that passed, failed, and have no result.
pub fn counts(results: &[RunResult]) -> (u64, u64, u64) {
    let sum = |of: fn(&RunResult) -> Option<u64>| {
        results
            .iter()
            .filter_map(of)
            .fold(0_u64, u64::saturating_add)
    };
    let sums = (
        sum(|one| one.count_passing),
        sum(|one| one.count_failing),
        sum(|one| one.count_unknown),
    );
    if sums != (0, 0, 0) {
        return sums;
    }
    // Results of single tests have no counts.
    let are = |passing| results.iter().filter(|one| one.passing == passing).count() as u64;
    (are(Some(true)), are(Some(false)), 0)
}

/// What an `ERROR` means: its HTTP status may be 200, and the reference lists no types.
pub fn refused(what: &str, kind: Option<&str>, words: &str) -> Fault {
    let lower = words.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let words = match words {
        "" => "it does not say why",
        words => words,
    };
    if says(&[
        "api key",
        "apikey",
        "unauthorized",
        "not authorized",
        "permission",
        "forbidden",
    ]) {
        return Fault::new(
            FaultKind::Permission,
            format!(
                "Ghost Inspector did not accept the API key for {what}: {words}; renew the secret that apiKey names"
            ),
        );
    }
    if says(&["rate limit", "too many requests", "try again later"]) {
        return Fault::new(
            FaultKind::Unavailable,
            format!("Ghost Inspector throttled {what}: {words}"),
        );
    }
    let kind = kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
    Fault::new(
        FaultKind::Configuration,
        format!("Ghost Inspector refused {what}{kind}: {words}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(passing: Option<bool>, ended: bool) -> RunResult {
        RunResult {
            id: "r1".to_owned(),
            passing,
            date_execution_finished: ended.then(|| "2026-01-02T03:04:05Z".to_owned()),
            ..RunResult::default()
        }
    }

    #[test]
    fn every_state_has_its_verdict() {
        let (on, gone) = (result(None, false), result(None, true));
        let (good, bad) = (result(Some(true), true), result(Some(false), true));
        let early = result(Some(true), false);
        let other = RunResult {
            screenshot_compare_passing: Some(false),
            ..good.clone()
        };
        let odd = RunResult {
            count_failing: Some(1),
            ..good.clone()
        };
        let going = |text: &str| Verdict::Going {
            percent: None,
            text: text.to_owned(),
        };
        let half = Verdict::Going {
            percent: Some(100),
            text: "running: 1 of 2 runs ended".to_owned(),
        };
        let contradiction = Verdict::Contradiction {
            result: "r1".to_owned(),
        };
        for (results, settled, strict, want) in [
            (vec![on.clone()], false, true, going("running")),
            (vec![good.clone(), on], false, true, half),
            (vec![early.clone()], false, true, Verdict::Settling),
            (vec![early], true, true, Verdict::Passed),
            (vec![gone.clone()], false, true, Verdict::Settling),
            (vec![gone], true, true, Verdict::Cancelled),
            (vec![good.clone()], false, true, Verdict::Passed),
            (vec![good.clone(), bad], false, true, Verdict::Failed),
            (vec![other.clone()], false, true, Verdict::ScreenshotsDiffer),
            (vec![other], false, false, Verdict::Passed),
            (vec![odd], false, false, contradiction),
        ] {
            assert_eq!(
                judge(&results, strict, settled),
                want,
                "{results:?} {settled}"
            );
        }
    }

    #[test]
    fn refusals_are_sorted_by_what_they_say() {
        for (kind, words, want) in [
            (
                Some("VALIDATION_ERROR"),
                "Suite not found",
                FaultKind::Configuration,
            ),
            (None, "", FaultKind::Configuration),
            (None, "API key is not valid.", FaultKind::Permission),
            (None, "Rate limit reached", FaultKind::Unavailable),
        ] {
            let fault = refused("the start", kind, words);
            assert_eq!(fault.kind, want, "{}", fault.public);
        }
    }
}
