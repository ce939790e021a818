//! A stage asked in memory, under the test's clock.

use std::{fs, future::pending, time::Duration};

use shared::{
    port::{Clock, Timer},
    provider::{Answer, Call, Http, Payload, SendError},
};

use crate::{Asked, Reply, Stage, StandIn, stage::Wire};

/// The port [`Http`] over a stage: every address leads to it.
#[derive(Debug)]
pub struct InMemory<S, T> {
    stage: Stage<S>,
    time: T,
}

impl<S, T: Clone> Clone for InMemory<S, T> {
    fn clone(&self) -> Self {
        Self {
            stage: self.stage.clone(),
            time: self.time.clone(),
        }
    }
}

impl<S: StandIn> Stage<S> {
    /// The port over this stage; `time` is clock and timer, as `World::time` of the testkit.
    pub fn http<T: Clock + Timer>(&self, time: T) -> InMemory<S, T> {
        InMemory {
            stage: self.clone(),
            time,
        }
    }
}

impl<S: StandIn, T: Clock + Timer> Http for InMemory<S, T> {
    async fn send(&self, call: &Call, timeout: Duration) -> Result<Answer, SendError> {
        let wire = self.stage.ask(asked(call)?, self.time.now());
        let late = async |time: Duration| {
            self.time.sleep(time).await;
            Err(SendError::Lost("timed out".into()))
        };
        match wire {
            Wire::Whole(reply) => answer(call, reply),
            Wire::Late(reply, time) if time < timeout => {
                self.time.sleep(time).await;
                answer(call, reply)
            }
            Wire::Late(..) => late(timeout).await,
            Wire::Half(_) => Err(SendError::Lost("the answer broke off".into())),
            Wire::Cut { arrived: true } => Err(SendError::Lost("connection closed".into())),
            Wire::Cut { arrived: false } => Err(SendError::NotSent("connection refused".into())),
            Wire::Hang if timeout == Duration::MAX => pending().await,
            Wire::Hang => late(timeout).await,
        }
    }
}

fn asked(call: &Call) -> Result<Asked, SendError> {
    let own =
        |(name, value): &(_, shared::secret::Secret)| (String::clone(name), value.reveal().clone());
    let headers = call
        .headers
        .iter()
        .map(|(name, value)| (name.clone().into_owned(), value.clone()));
    let mut headers: Vec<(String, String)> = headers.map(|pair| own(&pair)).collect();
    if let Some(kind) = call.payload.content_type() {
        headers.push(("content-type".to_owned(), kind.to_owned()));
    }
    let body = match &call.payload {
        Payload::File { path, .. } => {
            fs::read(path).map_err(|error| SendError::Unusable(error.into()))?
        }
        payload => payload.bytes().unwrap_or_default(),
    };
    Ok(Asked::new(call.method.as_str(), &call.url, headers, body))
}

fn answer(call: &Call, reply: Reply) -> Result<Answer, SendError> {
    let mut answer = Answer::new(reply.status, reply.headers, reply.body);
    answer.cut = answer.body.len() > call.limit;
    answer.body.truncate(call.limit);
    if let (Some(path), 200..300) = (&call.save_to, answer.status) {
        let body = std::mem::take(&mut answer.body);
        answer.saved = body.len() as u64;
        fs::write(path, body).map_err(|error| SendError::Unusable(error.into()))?;
    }
    Ok(answer)
}
