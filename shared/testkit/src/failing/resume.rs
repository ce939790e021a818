//! A task's pipeline under a plan.

use shared::{
    approval::task_answer::TaskAnswer,
    id::{ExecutionId, PipelineName},
    port::PortError,
    resume::{End, Pipelines, Tasks, Waiters, Wanted},
    secret::Secret,
};

use super::Failing;

impl<P: Pipelines> Pipelines for Failing<P> {
    async fn start(&self, wanted: &Wanted) -> Result<ExecutionId, PortError> {
        self.plan.around("start", self.inner.start(wanted)).await
    }
    async fn end(
        &self,
        pipeline: &PipelineName,
        execution: &ExecutionId,
    ) -> Result<Option<End>, PortError> {
        let call = self.inner.end(pipeline, execution);
        self.plan.around("end", call).await
    }
}

impl<P: Waiters> Waiters for Failing<P> {
    async fn keep(&self, execution: &ExecutionId, token: &Secret) -> Result<(), PortError> {
        let call = self.inner.keep(execution, token);
        self.plan.around("keep", call).await
    }
    async fn find(&self, execution: &ExecutionId) -> Result<Option<Secret>, PortError> {
        self.plan.around("find", self.inner.find(execution)).await
    }
    async fn forget(&self, execution: &ExecutionId, token: &Secret) -> Result<(), PortError> {
        let call = self.inner.forget(execution, token);
        self.plan.around("forget", call).await
    }
}

impl<P: Tasks> Tasks for Failing<P> {
    async fn answer(&self, token: &Secret, answer: &TaskAnswer) -> Result<(), PortError> {
        let call = self.inner.answer(token, answer);
        self.plan.around("answer", call).await
    }
    async fn beat(&self, token: &Secret) -> Result<(), PortError> {
        self.plan.around("beat", self.inner.beat(token)).await
    }
}
