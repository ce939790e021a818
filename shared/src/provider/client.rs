//! The client every connector uses.

use std::{fmt, future::Future, pin::pin, time::Duration};

use futures_util::future::{Either, select};
use jiff::Timestamp;

use super::{
    Http,
    answer::{Answer, Origin},
    call::{Call, Payload},
    error::{ProviderError, Trouble},
    judge::{again, judge},
};
use crate::port::Timer;

/// How long one sending may take, unless a file goes or comes with it.
const ONE_SENDING: Duration = Duration::from_secs(20);

/// A vendor over HTTP.
#[derive(Clone)]
pub struct Provider<H, T> {
    http: H,
    timer: T,
    name: &'static str,
}

impl<H: Http, T: Timer> Provider<H, T> {
    /// `name` is the vendor's, for sentences: `Jenkins`.
    pub fn new(http: H, timer: T, name: &'static str) -> Self {
        Self { http, timer, name }
    }

    /// The vendor's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Asks, and asks again where that is safe and may help: any call that certainly did nothing (no connection, 429,
    /// 503 with `Retry-After`), and a repeatable one also after a lost answer or another 5xx. All within `budget`; a
    /// vendor that wants to be left alone for more than [`super::LONGEST_WAIT`] is not waited for here.
    /// Answers are 2xx and 3xx only.
    ///
    /// # Errors
    /// The last trouble.
    pub async fn ask(
        &self,
        call: &Call,
        budget: Duration,
        now: Timestamp,
    ) -> Result<Answer, ProviderError> {
        let mut deadline = pin!(self.timer.sleep(budget));
        let streams = call.save_to.is_some() || matches!(call.payload, Payload::File { .. });
        let timeout = if streams {
            budget
        } else {
            budget.min(ONE_SENDING)
        };
        let mut waited = Duration::ZERO;
        for attempt in 1.. {
            let sent = pin!(self.http.send(call, timeout));
            let mut outcome = match select(sent, deadline.as_mut()).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(_) => return Err(self.error(call, Trouble::Lost)),
            };
            let moment = now + waited;
            let Err(trouble) = judge(call, &outcome, moment) else {
                if let Ok(answer) = &mut outcome {
                    answer.from = self.origin(call);
                }
                return outcome.map_err(|_| self.error(call, Trouble::Lost));
            };
            let left = budget.saturating_sub(waited);
            let next = again(call, &trouble, attempt, left, dice(moment, attempt));
            let mut error = self.error(call, trouble);
            error.source = outcome.err().map(Into::into);
            let Some(wait) = next else {
                return Err(error);
            };
            if is_first(self.timer.sleep(wait), deadline.as_mut()).await {
                waited += wait;
            } else {
                return Err(error);
            }
        }
        Err(self.error(call, Trouble::Lost))
    }

    /// An error about one of this vendor's calls, for what only its connector can judge.
    pub fn error(&self, call: &Call, trouble: Trouble) -> ProviderError {
        let Origin { provider, what } = self.origin(call);
        ProviderError {
            provider,
            what,
            trouble,
            source: None,
        }
    }

    fn origin(&self, call: &Call) -> Origin {
        Origin {
            provider: self.name,
            what: call.what,
        }
    }
}

async fn is_first(one: impl Future<Output = ()>, other: impl Future<Output = ()> + Unpin) -> bool {
    matches!(select(pin!(one), other).await, Either::Left(_))
}

/// A number that differs from call to call, from the time alone.
fn dice(now: Timestamp, attempt: u32) -> u64 {
    let nanoseconds = now.as_nanosecond().unsigned_abs();
    let seed = u64::try_from(nanoseconds % u128::from(u64::MAX)).unwrap_or_default();
    let mixed = (seed ^ u64::from(attempt)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed >> 32
}

impl<H, T> fmt::Debug for Provider<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.name)
    }
}
