//! A vendor on stage: requests are kept, and tricks are played on demand.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use crate::{Asked, Reply, StandIn};

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trick {
    /// Answered with this, and not handled: 401, 429, 503, a redirect, anything.
    Reply(Reply),
    /// Handled, and answered with this.
    ReplyAfter(Reply),
    /// The connection ends without a request having arrived. In memory the client knows that nothing was sent; over HTTP it
    /// cannot know.
    NeverArrives,
    /// Handled; the connection ends before the answer.
    LostAnswer,
    /// Handled; the answer breaks off in the middle.
    Truncated,
    /// Handled; never answered.
    Hang,
    /// Handled; answered after this time.
    Slow(Duration),
}

impl Trick {
    /// A status with an HTML body, as of a proxy.
    pub fn status(status: u16) -> Self {
        Self::Reply(Reply::html(status, &format!("Error {status}")))
    }

    /// 429; `retry_after` may be seconds or an HTTP date.
    pub fn throttled(retry_after: Option<&str>) -> Self {
        let reply = Reply::html(429, "Too Many Requests");
        Self::Reply(match retry_after {
            Some(text) => reply.header("Retry-After", text),
            None => reply,
        })
    }

    /// A login page with status 200.
    pub fn html() -> Self {
        Self::Reply(Reply::html(200, "Sign in"))
    }

    /// 200 without a body.
    pub fn empty() -> Self {
        Self::Reply(Reply::empty(200))
    }

    /// 10 MB of JSON with status 200.
    pub fn huge() -> Self {
        let body = format!("{{\"a\":\"{}\"}}", "x".repeat(10 * 1024 * 1024));
        Self::Reply(Reply::of_type(200, "application/json", body))
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The stand-in handled it, whatever became of the answer; this is its status.
    Handled(u16),
    /// A trick kept it away from the stand-in.
    KeptAway,
}

/// A request that came, in order.
#[derive(Debug, Clone)]
pub struct Record {
    /// The request.
    pub asked: Asked,
    /// What became of it.
    pub answered: Answered,
}

/// A stand-in that keeps every request and plays tricks. Clones are one stage.
#[derive(Debug)]
pub struct Stage<S>(Arc<Mutex<Inner<S>>>);

#[derive(Debug)]
struct Inner<S> {
    stand_in: S,
    records: Vec<Record>,
    tricks: Vec<Planned>,
}

#[derive(Debug)]
struct Planned {
    method: String,
    part: String,
    times: usize,
    trick: Trick,
}

impl<S> Clone for Stage<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: StandIn + Default> Default for Stage<S> {
    fn default() -> Self {
        Self::new(S::default())
    }
}

/// How an exchange goes on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wire {
    Whole(Reply),
    /// After this time.
    Late(Reply, Duration),
    /// Half of it.
    Half(Reply),
    /// The connection ends; whether the request arrived.
    Cut {
        arrived: bool,
    },
    Hang,
}

impl<S: StandIn> Stage<S> {
    /// Puts a vendor on stage.
    pub fn new(stand_in: S) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            stand_in,
            records: Vec::new(),
            tricks: Vec::new(),
        })))
    }

    /// Plays a trick on the next `times` requests of this method whose path, query or AWS operation holds `part`. An empty method or
    /// part is any. Of several the first planned goes first.
    pub fn trick(&self, method: &str, part: &str, times: usize, trick: Trick) -> &Self {
        self.inner(|inner| {
            inner.tricks.push(Planned {
                method: method.to_owned(),
                part: part.to_owned(),
                times,
                trick,
            });
        });
        self
    }

    /// The same for ever, until [`Stage::behave`].
    pub fn always(&self, method: &str, part: &str, trick: Trick) -> &Self {
        self.trick(method, part, usize::MAX, trick)
    }

    /// No more tricks.
    pub fn behave(&self) {
        self.inner(|inner| inner.tricks.clear());
    }

    /// All requests so far.
    pub fn records(&self) -> Vec<Record> {
        self.inner(|inner| inner.records.clone())
    }

    /// How many requests of this method (empty: any) had this in their path.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let records = self.records();
        let asked = records.iter().map(|record| &record.asked);
        asked
            .filter(|asked| {
                (method.is_empty() || asked.method == method) && asked.path.contains(part)
            })
            .count()
    }

    /// Looks at the stand-in, or changes it as somebody else at the vendor would.
    pub fn with<V>(&self, act: impl FnOnce(&mut S) -> V) -> V {
        self.inner(|inner| act(&mut inner.stand_in))
    }

    pub(crate) fn ask(&self, asked: Asked, now: Timestamp) -> Wire {
        self.inner(|inner| {
            let trick = inner.take_trick(&asked);
            let (answered, wire) = match trick {
                Some(Trick::Reply(reply)) => (Answered::KeptAway, Wire::Whole(reply)),
                Some(Trick::NeverArrives) => (Answered::KeptAway, Wire::Cut { arrived: false }),
                trick => {
                    let reply = inner.stand_in.handle(&asked, now);
                    let answered = Answered::Handled(reply.status);
                    let wire = match trick {
                        Some(Trick::ReplyAfter(other)) => Wire::Whole(other),
                        Some(Trick::LostAnswer) => Wire::Cut { arrived: true },
                        Some(Trick::Truncated) => Wire::Half(reply),
                        Some(Trick::Hang) => Wire::Hang,
                        Some(Trick::Slow(time)) => Wire::Late(reply, time),
                        _ => Wire::Whole(reply),
                    };
                    (answered, wire)
                }
            };
            inner.records.push(Record { asked, answered });
            wire
        })
    }

    fn inner<V>(&self, act: impl FnOnce(&mut Inner<S>) -> V) -> V {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S> Inner<S> {
    fn take_trick(&mut self, asked: &Asked) -> Option<Trick> {
        let query: Vec<String> = asked
            .query
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        // AWS's JSON services tell operations by a header.
        let operation = asked.header("x-amz-target").unwrap_or_default();
        let target = format!("{}?{} {operation}", asked.path, query.join("&"));
        let found = self.tricks.iter().position(|planned| {
            (planned.method.is_empty() || planned.method == asked.method)
                && target.contains(&planned.part)
        })?;
        let planned = &mut self.tricks[found];
        let trick = planned.trick.clone();
        planned.times = planned.times.saturating_sub(1);
        if planned.times == 0 {
            self.tricks.remove(found);
        }
        Some(trick)
    }
}
