//! Pipelines that tasks start, and the tokens that wait for them.

use std::collections::BTreeMap;

use shared::{
    approval::task_answer::TaskAnswer,
    id::{ExecutionId, PipelineName},
    port::PortError,
    resume::{End, Pipelines, Tasks, Waiters, Wanted},
    secret::Secret,
};

use super::{Shared, lock};

/// CodePipeline, the table and Step Functions as far as a task that starts a pipeline needs them.
#[derive(Debug, Clone, Default)]
pub struct MemoryResume(Shared<State>);

#[derive(Debug, Default)]
struct State {
    started: BTreeMap<String, ExecutionId>,
    ended: BTreeMap<String, End>,
    waiting: BTreeMap<String, String>,
    answers: BTreeMap<String, TaskAnswer>,
    closed: Vec<String>,
    beats: u32,
}

impl MemoryResume {
    /// Executions so far.
    pub fn started(&self) -> Vec<ExecutionId> {
        lock(&self.0).started.values().cloned().collect()
    }

    /// Executions end so, those to come too.
    pub fn end_all(&self, end: End) {
        lock(&self.0).ended.insert(String::new(), end);
    }

    /// The machine no longer waits with this token.
    pub fn close(&self, token: &str) {
        lock(&self.0).closed.push(token.to_owned());
    }

    /// What a token was answered.
    pub fn answer_of(&self, token: &str) -> Option<TaskAnswer> {
        lock(&self.0).answers.get(token).cloned()
    }

    /// Heartbeats so far.
    pub fn beats(&self) -> u32 {
        lock(&self.0).beats
    }

    /// The token that is kept for an execution.
    pub fn waiter(&self, execution: &ExecutionId) -> Option<String> {
        lock(&self.0).waiting.get(execution.as_str()).cloned()
    }
}

impl State {
    fn open(&self, token: &str) -> Result<(), PortError> {
        if self.answers.contains_key(token) || self.closed.iter().any(|t| t == token) {
            let what = "the task".to_owned();
            return Err(PortError::Conflict { what });
        }
        Ok(())
    }
}

impl Pipelines for MemoryResume {
    async fn start(&self, wanted: &Wanted) -> Result<ExecutionId, PortError> {
        let mut state = lock(&self.0);
        let number = state.started.len() + 1;
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let id = id.parse().map_err(|_| PortError::NotFound { what: id })?;
        Ok(state
            .started
            .entry(wanted.once.clone())
            .or_insert(id)
            .clone())
    }

    async fn end(&self, _: &PipelineName, _: &ExecutionId) -> Result<Option<End>, PortError> {
        Ok(lock(&self.0).ended.get("").copied())
    }
}

impl Waiters for MemoryResume {
    async fn keep(&self, execution: &ExecutionId, token: &Secret) -> Result<(), PortError> {
        let key = execution.as_str().to_owned();
        lock(&self.0).waiting.insert(key, token.reveal().clone());
        Ok(())
    }

    async fn find(&self, execution: &ExecutionId) -> Result<Option<Secret>, PortError> {
        Ok(self.waiter(execution).map(Secret::new))
    }

    async fn forget(&self, execution: &ExecutionId, token: &Secret) -> Result<(), PortError> {
        let mut state = lock(&self.0);
        if state.waiting.get(execution.as_str()) == Some(token.reveal()) {
            state.waiting.remove(execution.as_str());
        }
        Ok(())
    }
}

impl Tasks for MemoryResume {
    async fn answer(&self, token: &Secret, answer: &TaskAnswer) -> Result<(), PortError> {
        let mut state = lock(&self.0);
        state.open(token.reveal())?;
        state.answers.insert(token.reveal().clone(), answer.clone());
        Ok(())
    }

    async fn beat(&self, token: &Secret) -> Result<(), PortError> {
        let mut state = lock(&self.0);
        state.open(token.reveal())?;
        state.beats += 1;
        Ok(())
    }
}
