//! Builds one engine from configuration and options, and takes it down again.

mod buckets;
mod starts;
mod wire;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use engine_events::book::Home;
use engine_plan::{definition::PipelineDeclaration, event::Settings};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    alarm::Alarms,
    app::App,
    bus::{Bus, Follower},
    clock::Clock,
    config::Config,
    desk::{Desk, OpenError},
    eventbridge::{self, EventRules},
    face::{self, calls::Calls},
    lambda::{HostSettings, LambdaHost},
    logs::{LogLine, Logs},
    mail::MailSink,
    perform::Performer,
    provider,
    states::{self, StoreError as StoreFailure, Workflows, declared::DeclaredError},
    store::{
        keys::Keys,
        objects::{ObjectStore, StoreError},
        tables::{Tables, TablesError},
    },
    topic::{TopicSettings, Topics},
    vault::Vault,
};
pub use buckets::artifact_buckets;
use buckets::make_bucket;
use wire::{Wake, WireError};

/// Names a file: what functions use of AWS is added to it.
const CALLS: &str = "STAGEWRIGHT_CALLS";

/// What an engine is made from.
pub struct Options {
    /// `stagewright.toml` with the options over it.
    pub config: Config,
    /// Where everything is kept.
    pub state_dir: PathBuf,
    /// Address to listen at.
    pub listen: SocketAddr,
    /// Whether time jumps.
    pub fast_clock: bool,
    /// Where services without a face are forwarded.
    pub upstream: Option<String>,
    /// What `run` is about to run: topics of its approvals can be wired.
    pub definition: Option<PipelineDeclaration>,
    /// Where binaries named like a function are looked for; beside the running program when absent.
    pub binaries: Option<PathBuf>,
}

impl Options {
    /// An engine on any port of this machine, by the clock on the wall.
    pub fn new(config: Config, state_dir: impl Into<PathBuf>) -> Self {
        Self {
            config,
            state_dir: state_dir.into(),
            listen: ([127, 0, 0, 1], 0).into(),
            fast_clock: false,
            upstream: None,
            definition: None,
            binaries: None,
        }
    }
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file or folder of the state cannot be used.
    #[error("{what} {path} cannot be used")]
    State {
        /// What it is.
        what: &'static str,
        /// Where it is.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The address cannot be listened at.
    #[error("cannot listen at {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The journal.
    #[error("the journal cannot be opened")]
    Desk(#[from] OpenError),
    /// The tables.
    #[error("the tables cannot be opened")]
    Tables(#[from] TablesError),
    /// The state machines.
    #[error("the state machines cannot be opened")]
    States(#[source] StoreFailure),
    /// A state machine of the configuration.
    #[error(transparent)]
    Machine(#[from] DeclaredError),
    /// The objects.
    #[error("the objects cannot be opened")]
    Objects(#[source] StoreError),
    /// A bucket of the configuration or of a definition.
    #[error("the bucket {name} cannot be made")]
    Bucket {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The approvals that `[approval]` asks for.
    #[error("approvals cannot be wired")]
    Wire(#[from] WireError),
}

impl StartError {
    /// Whether the configuration is at fault, and not the engine or its machine.
    pub const fn is_request(&self) -> bool {
        matches!(self, Self::Wire(WireError::NoTopic) | Self::Machine(_))
    }
}

/// A listening engine.
pub struct Engine {
    /// Its parts.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    /// Output, events and notices from the first one on.
    pub followers: (Follower<LogLine>, Follower<Value>, Follower<String>),
    websites: Vec<String>,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

/// Makes the state folder and answers its absolute path.
///
/// # Errors
/// When it cannot be made.
pub fn state_dir(path: &Path) -> Result<PathBuf, StartError> {
    std::fs::create_dir_all(path)
        .and_then(|()| path.canonicalize())
        .map_err(unusable("the state folder", path))
}

fn unusable(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StartError {
    let path = path.display().to_string();
    move |source| StartError::State { what, path, source }
}

/// Opens everything and listens; nothing is performed before [`Engine::perform`]. Answers what was wired.
///
/// # Errors
/// A wrong configuration, an address in use, a state folder in use or broken.
pub async fn start(options: Options) -> Result<(Engine, Vec<String>), StartError> {
    let Options {
        mut config,
        state_dir,
        listen,
        fast_clock,
        upstream,
        definition,
        binaries,
    } = options;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|source| StartError::Listen {
            address: listen,
            source,
        })?;
    let address = listener.local_addr().map_err(|source| StartError::Listen {
        address: listen,
        source,
    })?;
    let base_url: Arc<str> = config
        .engine
        .base_url
        .clone()
        .unwrap_or_else(|| format!("http://{address}"))
        .into();
    wire::base_url(&mut config, &base_url);

    let clock = if fast_clock {
        Clock::fast()
    } else {
        Clock::real()
    };
    let bus = Bus::new();
    let settings = Settings {
        account: config.engine.account.clone(),
        region: config.engine.region.clone(),
        continuation_seconds: config.engine.continuation_seconds,
        third_party: config.action_types(),
    };
    let home = Home {
        account: config.engine.account.clone(),
        region: config.engine.region.clone(),
    };
    // Before the desk: its first events already go by the rules.
    let folder = state_dir.join("rules");
    let rules = EventRules::open(&folder, home.clone(), bus.clone(), clock.clone())
        .map_err(unusable("the rules in", &folder))?;
    let desk = Desk::open(
        &state_dir.join("journal.db"),
        clock.clone(),
        bus.clone(),
        settings,
    )?;
    // Only now: the journal's lock says that no other engine uses this folder.
    provider::clear_scratch(&state_dir);
    let folder = state_dir.join("keys");
    let keys = Keys::open(&folder, Arc::new(config.clone()), clock.clone())
        .map_err(unusable("the keys in", &folder))?;
    let tables = Tables::open(&state_dir.join("tables.db"))?;
    let wake = Wake {
        rules: &rules,
        fast_clock,
    };
    let notes = wire::approvals(
        &mut config,
        definition.as_ref(),
        &keys,
        &tables,
        wake,
        &base_url,
    )
    .await?;

    wire::connectors(&mut config, &tables).await?;
    starts::wire(&mut config, &tables, &rules).await?;
    let config = Arc::new(config);
    let logs = Logs::new(&state_dir);
    let notices = logs.follow_notices();
    let folder = state_dir.join("mail");
    let mail = MailSink::open(&folder, config.engine.smtp.clone(), clock.clone())
        .map_err(unusable("the mail sink in", &folder))?;
    let lambda = LambdaHost::new(HostSettings {
        config: Arc::clone(&config),
        clock: clock.clone(),
        logs: logs.clone(),
        base_url: Arc::clone(&base_url),
        binaries,
    });
    let folder = state_dir.join("topics");
    let topics = Topics::open(
        &folder,
        TopicSettings {
            config: Arc::clone(&config),
            clock: clock.clone(),
            lambda: lambda.clone(),
            logs: logs.clone(),
            mail: mail.clone(),
            base_url: Arc::clone(&base_url),
        },
    )
    .map_err(unusable("the topics in", &folder))?;
    let vault = state_dir.join("vault.key");
    let alarms = state_dir.join("alarms.json");
    let file = state_dir.join("states.db");
    let workflows = Workflows::open(&file, home, clock.clone()).map_err(StartError::States)?;
    workflows.declare(&config)?;
    let calls = match std::env::var_os(CALLS).map(PathBuf::from) {
        Some(file) => Calls::to(&file).map_err(unusable("the file of calls", &file))?,
        None => Calls::default(),
    };
    let app = App {
        calls,
        clock,
        desk,
        objects: ObjectStore::open(&state_dir.join("s3")).map_err(StartError::Objects)?,
        tables,
        keys,
        topics,
        alarms: Alarms::open(&alarms).map_err(unusable("the alarms in", &alarms))?,
        mail,
        bus,
        rules,
        workflows,
        logs,
        lambda,
        vault: Vault::open(&vault).map_err(unusable("the vault", &vault))?,
        config: Arc::clone(&config),
        base_url,
        upstream: upstream.map(Into::into),
        state_dir: Arc::new(state_dir),
    };
    for (name, bucket) in &config.bucket {
        make_bucket(&app, name, bucket).await?;
    }
    let followers = (app.logs.follow(), app.bus.follow(), notices);
    let websites = config
        .bucket
        .iter()
        .filter(|(_, b)| b.website)
        .map(|(n, _)| n.clone())
        .collect();
    let stop = CancellationToken::new();
    let serving = face::serve(app.clone(), listener, stop.clone());
    let server = tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the listener failed");
        }
    });
    Ok((
        Engine {
            app,
            address,
            followers,
            websites,
            stop,
            server,
        },
        notes,
    ))
}

impl Engine {
    /// Begins to carry out effects: first those that an earlier run of this state folder left.
    pub fn perform(&self) {
        self.app
            .desk
            .attach(Performer::new(self.app.clone(), provider::all()));
        eventbridge::start(&self.app);
        states::start(&self.app);
    }

    /// Ends functions, builds and the listener; what is journaled stays.
    pub async fn shut_down(self) {
        self.app.desk.close().await;
        self.stop.cancel();
        self.app.lambda.shutdown();
        // The server ends by itself once its connections are done; nobody waits for idle ones.
        let _ = tokio::time::timeout(std::time::Duration::from_millis(500), self.server).await;
    }

    /// What can be looked at when an execution has ended and the engine is gone: `again` serves the rest.
    pub fn places(&self, execution: &str) -> Vec<(String, String)> {
        let state = &self.app.state_dir;
        let config = &self.app.config.folder;
        let shown = |path: &Path| {
            let here = std::env::current_dir().unwrap_or_default();
            path.strip_prefix(here)
                .unwrap_or(path)
                .display()
                .to_string()
        };
        let served = "http://127.0.0.1:4599/_stagewright";
        let mut again = format!("stagewright serve --state {}", shown(state));
        if config.join("stagewright.toml").exists() {
            again.push_str(&format!(
                " --config {}",
                shown(&config.join("stagewright.toml"))
            ));
        }
        let mut places = vec![
            (
                "logs".to_owned(),
                shown(&state.join("logs").join(execution)),
            ),
            ("look again with".to_owned(), again),
            ("  console".to_owned(), format!("{served}/")),
        ];
        places.extend(self.websites.iter().map(|bucket| {
            (
                format!("  site {bucket}"),
                format!("{served}/site/{bucket}/"),
            )
        }));
        places
    }
}
