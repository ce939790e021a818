//! The limits of Step Functions, each with its source.

/// Bytes of UTF-8 JSON a state, a task or an execution may take or give ("Quotas", Step Functions developer guide).
pub const PAYLOAD_BYTES: usize = 262_144;
/// Levels of nesting a payload may have. Ours: the journal is read with `serde_json`, which stops at 128.
pub const PAYLOAD_DEPTH: usize = 100;
/// Events in the history of one standard execution (developer guide, "Quotas"; the 25,001st is not written).
pub const HISTORY_EVENTS: u64 = 25_000;
/// Bytes of a definition (developer guide, "Quotas").
pub const DEFINITION_BYTES: usize = 1_048_576;
/// Characters of a state's name (Amazon States Language, "States").
pub const STATE_NAME: usize = 80;
/// Characters of a variable's name (developer guide, "Passing data between states with variables").
pub const VARIABLE_NAME: usize = 80;
/// Bytes of one variable, and of one `Assign` (the same page).
pub const VARIABLE_BYTES: usize = 262_144;
/// Characters of a Map's `Label` (developer guide, "Map state in Distributed mode").
pub const LABEL: usize = 40;
/// Characters of an error's name (API reference, `HistoryEvent`).
pub const ERROR: usize = 256;
/// Characters of a cause (API reference, `HistoryEvent`).
pub const CAUSE: usize = 32_768;
/// Iterations of an inline Map that run at once (developer guide, "Map state in Inline mode").
pub const INLINE_CONCURRENCY: usize = 40;
/// Child executions of a distributed Map that run at once (developer guide, "Quotas").
pub const DISTRIBUTED_CONCURRENCY: usize = 10_000;
/// Seconds before an express execution ends with `States.Timeout` (developer guide, "Quotas").
pub const EXPRESS_SECONDS: u64 = 300;
/// Seconds `TimeoutSeconds` may say (Amazon States Language, "Timeouts and heartbeats").
pub const TIMEOUT_SECONDS: u64 = 99_999_999;
/// Parts `$partition`, `$range`, `States.ArrayRange` may give (developer guide, "Intrinsic functions").
pub const ARRAY_RANGE: usize = 1_000;
/// Characters `States.Hash`, `States.Base64Encode` and `-Decode` take (developer guide, "Intrinsic functions").
pub const TEXT_ARGUMENT: usize = 10_000;
/// States entered in one step before the machine asks to be called again. Ours: keeps one step short.
pub const ENTERED_PER_STEP: usize = 20_000;
/// Retry defaults (Amazon States Language, "Retrying after error").
pub const RETRY_INTERVAL_SECONDS: f64 = 1.0;
/// As above.
pub const RETRY_ATTEMPTS: u64 = 3;
/// As above.
pub const RETRY_BACKOFF: f64 = 2.0;
