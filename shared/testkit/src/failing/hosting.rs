//! The wrapper round the ports of the hosts and the ledger.

use jiff::Timestamp;
use serde_json::Value;
use shared::{
    fault::Fault,
    id::JobId,
    job::{ActionState, ArtifactCredentials, ArtifactRef, Job, Place},
    port::{
        ArtifactFiles, CustomType, Execution, ExecutionStart, Intent, JobSource, Ledger,
        LedgerEntry, OpenJob, OpenJobs, OpenRun, OpenRuns, Polled, PortError, SecretStore,
        ServiceCall, Services, Shelf, StateMachines, TaskCallback, TaskOutcome, WaitingTask,
        WaitingTasks,
    },
    secret::{Secret, SecretRef},
};

use super::Failing;

impl<P: Ledger> Ledger for Failing<P> {
    async fn read(&self, key: &str) -> Result<Option<LedgerEntry>, PortError> {
        let call = Ledger::read(&self.inner, key);
        self.plan.around("ledger read", call).await
    }
    async fn intend(&self, key: &str, intent: &Intent) -> Result<(), PortError> {
        let call = Ledger::intend(&self.inner, key, intent);
        self.plan.around("ledger intend", call).await
    }
    async fn take_over(&self, key: &str, old: &Intent, intent: &Intent) -> Result<(), PortError> {
        let call = Ledger::take_over(&self.inner, key, old, intent);
        self.plan.around("ledger take over", call).await
    }
    async fn withdraw(&self, key: &str, by: &str) -> Result<(), PortError> {
        let call = Ledger::withdraw(&self.inner, key, by);
        self.plan.around("ledger withdraw", call).await
    }
    async fn started(&self, key: &str, run: &str) -> Result<(), PortError> {
        let call = Ledger::started(&self.inner, key, run);
        self.plan.around("ledger started", call).await
    }
    async fn finished(&self, key: &str) -> Result<(), PortError> {
        let call = Ledger::finished(&self.inner, key);
        self.plan.around("ledger finished", call).await
    }
}

impl<P: OpenJobs> OpenJobs for Failing<P> {
    async fn open(&self, action: &str, job: &OpenJob) -> Result<(), PortError> {
        let call = OpenJobs::open(&self.inner, action, job);
        self.plan.around("open job", call).await
    }
    async fn left_open(
        &self,
        action: &str,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<OpenJob>, PortError> {
        let call = OpenJobs::left_open(&self.inner, action, now, most);
        self.plan.around("left open", call).await
    }
    async fn reopen(&self, action: &str, old: &OpenJob, new: &OpenJob) -> Result<(), PortError> {
        let call = OpenJobs::reopen(&self.inner, action, old, new);
        self.plan.around("reopen job", call).await
    }
    async fn close(&self, action: &str, job: &JobId) -> Result<(), PortError> {
        let call = OpenJobs::close(&self.inner, action, job);
        self.plan.around("close job", call).await
    }
}

impl<P: OpenRuns> OpenRuns for Failing<P> {
    async fn note(&self, action: &str, run: &OpenRun) -> Result<(), PortError> {
        let call = OpenRuns::note(&self.inner, action, run);
        self.plan.around("note run", call).await
    }
    async fn noted(&self, action: &str, execution: &str) -> Result<Vec<OpenRun>, PortError> {
        let call = OpenRuns::noted(&self.inner, action, execution);
        self.plan.around("noted runs", call).await
    }
}

impl<P: WaitingTasks> WaitingTasks for Failing<P> {
    async fn keep(&self, action: &str, task: &WaitingTask) -> Result<(), PortError> {
        let call = WaitingTasks::keep(&self.inner, action, task);
        self.plan.around("keep task", call).await
    }
    async fn waiting(
        &self,
        action: &str,
        now: Timestamp,
        due: Timestamp,
        most: usize,
    ) -> Result<Vec<WaitingTask>, PortError> {
        let call = WaitingTasks::waiting(&self.inner, action, now, due, most);
        self.plan.around("waiting tasks", call).await
    }
    async fn keep_on(
        &self,
        action: &str,
        old: &WaitingTask,
        new: &WaitingTask,
    ) -> Result<(), PortError> {
        let call = WaitingTasks::keep_on(&self.inner, action, old, new);
        self.plan.around("keep task on", call).await
    }
    async fn forget(&self, action: &str, task: &WaitingTask) -> Result<(), PortError> {
        let call = WaitingTasks::forget(&self.inner, action, task);
        self.plan.around("forget task", call).await
    }
}

impl<P: Shelf> Shelf for Failing<P> {
    async fn put(&self, key: &str, name: &str, text: &str) -> Result<(), PortError> {
        let call = Shelf::put(&self.inner, key, name, text);
        self.plan.around("shelf put", call).await
    }
    async fn get(&self, key: &str, name: &str) -> Result<Option<String>, PortError> {
        let call = Shelf::get(&self.inner, key, name);
        self.plan.around("shelf get", call).await
    }
}

impl<P: JobSource> JobSource for Failing<P> {
    async fn poll(
        &self,
        kind: &CustomType,
        query: Option<(&str, &str)>,
        most: usize,
    ) -> Result<Vec<Polled>, PortError> {
        let call = JobSource::poll(&self.inner, kind, query, most);
        self.plan.around("poll", call).await
    }
    async fn acknowledge(&self, job: &JobId, nonce: &str) -> Result<bool, PortError> {
        let call = JobSource::acknowledge(&self.inner, job, nonce);
        self.plan.around("acknowledge", call).await
    }
    async fn details(&self, job: &JobId) -> Result<Result<Job, Fault>, PortError> {
        let call = JobSource::details(&self.inner, job);
        self.plan.around("job details", call).await
    }
    async fn place(&self, job: &JobId) -> Result<Option<Place>, PortError> {
        let call = JobSource::place(&self.inner, job);
        self.plan.around("job place", call).await
    }
    async fn state(&self, place: &Place) -> Result<Option<ActionState>, PortError> {
        let call = JobSource::state(&self.inner, place);
        self.plan.around("action state", call).await
    }
}

impl<P: TaskCallback> TaskCallback for Failing<P> {
    async fn finish(&self, token: &Secret, outcome: &TaskOutcome) -> Result<(), PortError> {
        let call = TaskCallback::finish(&self.inner, token, outcome);
        self.plan.around("finish task", call).await
    }
    async fn heartbeat(&self, token: &Secret) -> Result<(), PortError> {
        let call = TaskCallback::heartbeat(&self.inner, token);
        self.plan.around("heartbeat", call).await
    }
}

impl<P: ArtifactFiles> ArtifactFiles for Failing<P> {
    async fn read(
        &self,
        credentials: Option<&ArtifactCredentials>,
        artifact: &ArtifactRef,
        path: &str,
        limit: u64,
    ) -> Result<Vec<u8>, PortError> {
        let call = ArtifactFiles::read(&self.inner, credentials, artifact, path, limit);
        self.plan.around("artifact file", call).await
    }
}

impl<P: SecretStore> SecretStore for Failing<P> {
    async fn read(&self, secret: &SecretRef) -> Result<Secret, PortError> {
        let call = SecretStore::read(&self.inner, secret);
        self.plan.around("secret read", call).await
    }
}

impl<P: Services> Services for Failing<P> {
    async fn call(&self, call: &ServiceCall<'_>) -> Result<Value, PortError> {
        let made = self.inner.call(call);
        self.plan.around(call.operation, made).await
    }
}

impl<P: StateMachines> StateMachines for Failing<P> {
    async fn kind(&self, machine: &str) -> Result<String, PortError> {
        let call = StateMachines::kind(&self.inner, machine);
        self.plan.around("DescribeStateMachine", call).await
    }
    async fn start(&self, start: ExecutionStart<'_>) -> Result<String, PortError> {
        let call = StateMachines::start(&self.inner, start);
        self.plan.around("StartExecution", call).await
    }
    async fn execution(&self, arn: &str) -> Result<Execution, PortError> {
        let call = StateMachines::execution(&self.inner, arn);
        self.plan.around("DescribeExecution", call).await
    }
    async fn stop(&self, arn: &str, error: &str, cause: &str) -> Result<(), PortError> {
        let call = StateMachines::stop(&self.inner, arn, error, cause);
        self.plan.around("StopExecution", call).await
    }
}
