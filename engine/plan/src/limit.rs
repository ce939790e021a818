//! Limits with their sources (`codepipeline.md` section 10 unless said otherwise).

/// Stages per pipeline.
pub const STAGES: std::ops::RangeInclusive<usize> = 2..=50;
/// Actions per stage.
pub const ACTIONS_PER_STAGE: usize = 50;
/// Actions per pipeline.
pub const ACTIONS_PER_PIPELINE: usize = 1000;
/// Pipelines per region and account.
pub const PIPELINES: usize = 1000;
/// Webhooks per region.
pub const WEBHOOKS: usize = 300;
/// Custom action types per region.
pub const CUSTOM_ACTION_TYPES: usize = 50;
/// Executions of a QUEUED or PARALLEL pipeline that have not ended.
pub const CONCURRENT_EXECUTIONS: usize = 50;
/// Actions of one PARALLEL execution that run at once.
pub const CONCURRENT_ACTIONS: usize = 5;
/// Automatic retries of one run of a stage.
pub const AUTOMATIC_RETRIES: u32 = 1;
/// Days that history is kept: 12 months.
pub const HISTORY_DAYS: i64 = 365;
/// Days after its start in which an execution may be a rollback's target.
pub const ROLLBACK_TARGET_DAYS: i64 = HISTORY_DAYS;
/// Characters of a configuration value. The model and the quotas say 1,000; refusals of the service seen in public
/// since 2022 say 50,000.
pub const CONFIGURATION_VALUE: usize = 1000;
/// Days a transition may be disabled for waiting executions to go on when it is enabled (section 3.3).
pub const DISABLED_TRANSITION_DAYS: i64 = 30;
/// Days without an execution or a change of the pipeline after which its sources are not polled any more (section 8.2).
pub const POLLING_IDLE_DAYS: i64 = 30;
/// Tags of a resource.
pub const TAGS: usize = 50;
/// Bytes of all output variables of one action.
pub const OUTPUT_VARIABLES_BYTES: usize = 122_880;
/// Bytes of an action's resolved configuration.
pub const RESOLVED_CONFIGURATION_BYTES: usize = 100 * 1024;
/// Minutes a Lambda function may be silent.
pub const LAMBDA_SILENCE_MINUTES: i64 = 20;
/// Ours: seconds after which a job that was polled and not acknowledged is offered again.
pub const LEASE_SECONDS: i64 = 60;
/// Ours: ended jobs that are still answered with `InvalidJobStateException` instead of `JobNotFoundException`.
pub const ENDED_JOBS_KEPT: usize = 10_000;
/// Ours: ended executions of a pipeline that stay in memory besides those its stages show.
pub const ENDED_EXECUTIONS_KEPT: usize = 16;
/// Ours: ended executions that may gather before the older ones leave memory together.
pub const ENDED_EXECUTIONS_AT_MOST: usize = 2 * ENDED_EXECUTIONS_KEPT;
/// Ours: executions of a pipeline whose client token is remembered.
pub const CLIENT_TOKENS_KEPT: usize = 1_000;
