//! One SDK configuration for every client, made for a short-lived function.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion, http::SharedHttpClient,
    stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};
use shared::job::ArtifactCredentials;

use crate::{
    deadline::Deadline,
    environment::Environment,
    http::{self, CONNECT, READ, Roots, RootsError},
};

/// The way to AWS: environment, HTTP client and deadline, shared by all ports. Cheap to clone; clients are made from it at first use.
#[derive(Clone)]
pub struct Aws(Arc<Inner>);

struct Inner {
    environment: Environment,
    roots: Roots,
    http: OnceLock<SharedHttpClient>,
    deadline: Deadline,
}

/// The wait before the first retry is drawn from 0 to this. The SDK's default of one second turns a single 500
/// into 430 ms of billed time.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// Standard retry's own default, stated.
const ATTEMPTS: u32 = 3;
/// How long a transfer may carry no byte: the default of 5 s ends healthy slow transfers.
const STALL_GRACE: Duration = Duration::from_secs(20);

impl Aws {
    /// Prepares access to AWS. Reads the configured root certificates; connects to nothing.
    pub fn new(environment: Environment) -> Result<Self, RootsError> {
        let roots = Roots::load(environment.ca_bundle().map(std::path::PathBuf::as_path))?;
        Ok(Self(Arc::new(Inner {
            environment,
            roots,
            http: OnceLock::new(),
            deadline: Deadline::default(),
        })))
    }

    /// The variables this function was started with.
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// The deadline of the event in hand.
    pub fn deadline(&self) -> &Deadline {
        &self.0.deadline
    }

    pub(crate) fn roots(&self) -> &Roots {
        &self.0.roots
    }

    pub(crate) fn http(&self) -> SharedHttpClient {
        self.0
            .http
            .get_or_init(|| http::client(&self.0.roots))
            .clone()
    }

    /// The function's own credentials.
    pub(crate) fn credentials(&self) -> Credentials {
        let own = self.0.environment.credentials();
        credentials(
            own.access_key_id.reveal(),
            own.secret_access_key.reveal(),
            own.session_token
                .as_ref()
                .map(|token| token.reveal().as_str()),
            "Environment",
        )
    }

    /// Configuration for a service of small requests and answers. `service` is its id in capitals, as `CODEPIPELINE`.
    pub(crate) fn config(&self, service: &str) -> SdkConfig {
        self.configure(
            service,
            self.credentials(),
            StalledStreamProtectionConfig::disabled(),
        )
    }

    /// The same with other credentials.
    pub(crate) fn config_as(&self, service: &str, credentials: Credentials) -> SdkConfig {
        self.configure(
            service,
            credentials,
            StalledStreamProtectionConfig::disabled(),
        )
    }

    /// Configuration for S3, with the function's own credentials or a job's.
    pub(crate) fn transfer_config(&self, job: Option<&ArtifactCredentials>) -> SdkConfig {
        let credentials = match job {
            None => self.credentials(),
            Some(job) => credentials(
                job.access_key_id.reveal(),
                job.secret_access_key.reveal(),
                Some(job.session_token.reveal().as_str()).filter(|token| !token.is_empty()),
                "Job",
            ),
        };
        let stall = StalledStreamProtectionConfig::enabled()
            .grace_period(STALL_GRACE)
            .build();
        self.configure("S3", credentials, stall)
    }

    fn configure(
        &self,
        service: &str,
        credentials: Credentials,
        stall: StalledStreamProtectionConfig,
    ) -> SdkConfig {
        let environment = &self.0.environment;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            .build();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(environment.region().to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(self.http())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .timeout_config(timeouts)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS)
                    .with_initial_backoff(FIRST_BACKOFF),
            )
            .stalled_stream_protection(stall);
        config.set_endpoint_url(environment.endpoint(service).map(str::to_owned));
        config.build()
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.environment.fmt(f)
    }
}

fn credentials(id: &str, key: &str, token: Option<&str>, from: &'static str) -> Credentials {
    Credentials::new(id, key, token.map(str::to_owned), None, from)
}
