//! What an answer means, and whether a call is made again. Pure.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};

use super::{SendError, answer::Answer, call::Call, error::Trouble};

/// Longer waits than this are the caller's: a function is paid for while it waits.
pub const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Sendings of one call.
const ATTEMPTS: u32 = 4;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);

/// What came of one sending; `Ok` is an answer to take.
pub(super) fn judge(
    call: &Call,
    outcome: &Result<Answer, SendError>,
    now: Timestamp,
) -> Result<(), Trouble> {
    let answer = match outcome {
        Err(SendError::NotSent(_)) => return Err(Trouble::NotReached),
        Err(SendError::Lost(_)) => return Err(Trouble::Lost),
        Err(SendError::Unusable(_)) => return Err(Trouble::Unusable),
        Ok(answer) => answer,
    };
    let again_in = retry_after(answer, now).or_else(|| reset(answer, now));
    let busy = |certain| Trouble::Busy {
        status: answer.status,
        again_in,
        certain,
    };
    Err(match answer.status {
        200..=399 => return Ok(()),
        403 if answer.header("x-ratelimit-remaining") == Some("0")
            || answer.header("retry-after").is_some() =>
        {
            busy(true)
        }
        status @ (401 | 403) => Trouble::Denied { status },
        404 => Trouble::NotFound,
        429 => busy(true),
        503 => busy(again_in.is_some()),
        408 | 500.. => busy(false),
        0..200 => Trouble::Garbled {
            why: format!("the status {}", answer.status),
        },
        status => Trouble::Refused {
            status,
            words: answer.words(call),
        },
    })
}

/// The time `Retry-After` names, in seconds or as a date. A date is taken against the answer's own `Date`, so that a
/// wrong clock on either side does not matter. One in the past is no time; one that cannot be read is none.
pub fn retry_after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let text = answer.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| rfc2822::parse(text).ok().map(|date| date.timestamp());
    let now = answer.header("date").and_then(date).unwrap_or(now);
    Some(Duration::try_from(date(text)?.duration_since(now)).unwrap_or_default())
}

/// When a used-up rate limit begins anew (`x-ratelimit-reset`, in seconds of the epoch). GitHub tells it so, with 403.
fn reset(answer: &Answer, now: Timestamp) -> Option<Duration> {
    if answer.header("x-ratelimit-remaining") != Some("0") {
        return None;
    }
    let at = answer.header("x-ratelimit-reset")?.trim().parse().ok()?;
    let left = Timestamp::from_second(at).ok()?.duration_since(now);
    Some(Duration::try_from(left).unwrap_or_default())
}

/// How long to wait before the call is sent again; `None`: it is not. `attempt` counts from 1, `left` is the rest of
/// the caller's time, and `dice` is any number.
pub(super) fn again(
    call: &Call,
    trouble: &Trouble,
    attempt: u32,
    left: Duration,
    dice: u64,
) -> Option<Duration> {
    let (safe, at_least) = match trouble {
        Trouble::Busy {
            certain, again_in, ..
        } => (*certain, again_in.unwrap_or_default()),
        Trouble::NotReached => (true, Duration::ZERO),
        Trouble::Lost => (false, Duration::ZERO),
        _ => return None,
    };
    if attempt >= ATTEMPTS || !(safe || call.repeatable) {
        return None;
    }
    let wait = backoff(attempt, dice).max(at_least);
    (wait <= LONGEST_WAIT && wait < left).then_some(wait)
}

/// Between half and the whole of a time that doubles.
fn backoff(attempt: u32, dice: u64) -> Duration {
    let whole = FIRST_BACKOFF * 2_u32.saturating_pow(attempt - 1);
    let half = whole / 2;
    half + half.mul_f64(f64::from(u8::try_from(dice % 256).unwrap_or_default()) / 256.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Payload;

    const NOW: Timestamp = Timestamp::constant(1_767_323_045, 0);

    fn answer(status: u16, headers: &[(&str, &str)]) -> Result<Answer, SendError> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Ok(Answer::new(
            status,
            headers.iter().map(own).collect(),
            b"words".to_vec(),
        ))
    }

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn answers_are_sorted() {
        let busy = |status, again_in, certain| {
            Err(Trouble::Busy {
                status,
                again_in,
                certain,
            })
        };
        let refused = |status| {
            Err(Trouble::Refused {
                status,
                words: "words".to_owned(),
            })
        };
        let call = Call::get("x", "https://a/");
        for (outcome, want) in [
            (answer(200, &[]), Ok(())),
            (answer(201, &[]), Ok(())),
            (answer(303, &[("Location", "/a")]), Ok(())),
            (answer(400, &[]), refused(400)),
            (answer(401, &[]), Err(Trouble::Denied { status: 401 })),
            (answer(403, &[]), Err(Trouble::Denied { status: 403 })),
            (
                answer(403, &[("X-RateLimit-Remaining", "7")]),
                Err(Trouble::Denied { status: 403 }),
            ),
            (
                answer(403, &[("Retry-After", "60")]),
                busy(403, seconds(60), true),
            ),
            (
                answer(
                    403,
                    &[
                        ("X-RateLimit-Remaining", "0"),
                        ("X-RateLimit-Reset", "1767323075"),
                    ],
                ),
                busy(403, seconds(30), true),
            ),
            (answer(404, &[]), Err(Trouble::NotFound)),
            (answer(408, &[]), busy(408, None, false)),
            (answer(409, &[]), refused(409)),
            (answer(429, &[]), busy(429, None, true)),
            (
                answer(429, &[("Retry-After", "7")]),
                busy(429, seconds(7), true),
            ),
            (
                answer(500, &[("Retry-After", "7")]),
                busy(500, seconds(7), false),
            ),
            (answer(502, &[]), busy(502, None, false)),
            (answer(503, &[]), busy(503, None, false)),
            (
                answer(503, &[("Retry-After", "0")]),
                busy(503, seconds(0), true),
            ),
            (
                Err(SendError::NotSent("x".into())),
                Err(Trouble::NotReached),
            ),
            (Err(SendError::Lost("x".into())), Err(Trouble::Lost)),
            (Err(SendError::Unusable("x".into())), Err(Trouble::Unusable)),
        ] {
            assert_eq!(judge(&call, &outcome, NOW), want, "{outcome:?}");
        }
    }

    #[test]
    fn the_time_to_wait_is_read() {
        let date = ("Date", "Fri, 02 Jan 2026 03:00:00 GMT");
        let retry = |text| ("Retry-After", text);
        for (headers, want) in [
            (vec![], None),
            (vec![retry("120")], seconds(120)),
            (vec![retry(" 5 ")], seconds(5)),
            (vec![retry("soon")], None),
            (vec![retry("-1")], None),
            (vec![retry("Fri, 02 Jan 2026 03:04:35 GMT")], seconds(30)),
            (
                vec![date, retry("Fri, 02 Jan 2026 03:00:09 GMT")],
                seconds(9),
            ),
            (vec![retry("Fri, 02 Jan 2026 03:00:00 GMT")], seconds(0)),
        ] {
            let answer = answer(429, &headers).unwrap();
            assert_eq!(retry_after(&answer, NOW), want, "{headers:?}");
        }
    }

    #[test]
    fn only_what_is_safe_is_sent_again() {
        let busy = |again_in: Option<u64>, certain| Trouble::Busy {
            status: 503,
            again_in: again_in.map(Duration::from_secs),
            certain,
        };
        let refused = Trouble::Refused {
            status: 400,
            words: String::new(),
        };
        let garbled = Trouble::Garbled { why: String::new() };
        let minute = Duration::from_secs(60);
        // Trouble, time left, whether a GET and whether a POST is sent again.
        for (trouble, left, get, post) in [
            (Trouble::NotReached, minute, true, true),
            (Trouble::Lost, minute, true, false),
            (busy(None, false), minute, true, false),
            (busy(None, true), minute, true, true),
            (busy(Some(9), true), minute, true, true),
            (busy(Some(9), true), Duration::from_secs(9), false, false),
            (busy(Some(11), true), minute, false, false),
            (Trouble::NotReached, Duration::from_millis(90), false, false),
            (Trouble::NotFound, minute, false, false),
            (Trouble::Denied { status: 401 }, minute, false, false),
            (Trouble::Unusable, minute, false, false),
            (refused, minute, false, false),
            (garbled, minute, false, false),
        ] {
            let call = Call::get("x", "https://a/");
            let start = Call::post("x", "https://a/", Payload::Empty);
            let sent = |call: &Call| again(call, &trouble, 1, left, 0).is_some();
            assert_eq!(
                (sent(&call), sent(&start)),
                (get, post),
                "{trouble:?} {left:?}"
            );
            assert_eq!(sent(&start.clone().repeatable()), get, "{trouble:?}");
            assert_eq!(again(&call, &trouble, ATTEMPTS, left, 0), None);
        }
    }

    #[test]
    fn waits_grow_and_are_spread() {
        let call = Call::get("x", "https://a/");
        let wait = |attempt, dice| {
            let left = Duration::from_secs(60);
            again(&call, &Trouble::Lost, attempt, left, dice)
                .unwrap()
                .as_millis()
        };
        assert_eq!([wait(1, 0), wait(2, 0), wait(3, 0)], [100, 200, 400]);
        assert_eq!([wait(1, 128), wait(3, 255)], [150, 798]);
    }
}
