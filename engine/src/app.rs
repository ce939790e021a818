//! Everything one engine is made of, shared by faces, providers, console and command line.

use std::{path::PathBuf, sync::Arc};

use crate::{
    alarm::Alarms,
    bus::Bus,
    clock::Clock,
    config::Config,
    desk::Desk,
    eventbridge::EventRules,
    face::calls::Calls,
    lambda::LambdaHost,
    logs::Logs,
    mail::MailSink,
    states::Workflows,
    store::{keys::Keys, objects::ObjectStore, tables::Tables},
    topic::Topics,
    vault::Vault,
};

/// One running engine.
#[derive(Clone)]
pub struct App {
    /// Time of this engine.
    pub clock: Clock,
    /// The one writer of pipeline state.
    pub desk: Desk,
    /// S3.
    pub objects: ObjectStore,
    /// DynamoDB.
    pub tables: Tables,
    /// KMS.
    pub keys: Keys,
    /// SNS.
    pub topics: Topics,
    /// CloudWatch.
    pub alarms: Alarms,
    /// SES and SNS e-mail end here.
    pub mail: MailSink,
    /// EventBridge events that went out.
    pub bus: Bus,
    /// EventBridge rules and their targets.
    pub rules: EventRules,
    /// Step Functions.
    pub workflows: Workflows,
    /// Output of builds and functions, by action execution.
    pub logs: Logs,
    /// Starts function binaries.
    pub lambda: LambdaHost,
    /// Endpoint that gets calls of services without a face (`--upstream`).
    pub upstream: Option<Arc<str>>,
    /// What functions use of AWS.
    pub calls: Calls,
    /// Credentials that open one job's artifacts.
    pub vault: Vault,
    /// What `stagewright.toml` and the options say.
    pub config: Arc<Config>,
    /// `http://127.0.0.1:PORT`, known once the listener is bound.
    pub base_url: Arc<str>,
    /// Where everything is kept.
    pub state_dir: Arc<PathBuf>,
}
