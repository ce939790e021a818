//! What `stagewright.toml` says of state machines: machines and activities that are there from the start, and the
//! connections of HTTP tasks.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use engine_states::{definition::Type, diagnostic::Refused};
use serde::Deserialize;
use shared::secret::Secret;

use super::{Activity, Book, StateMachine, StoreError, Workflows};
use crate::config::Config;

/// `[state-machine.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateMachineConfig {
    /// File with its definition in the Amazon States Language.
    pub definition: PathBuf,
    /// `STANDARD` or `EXPRESS`.
    #[serde(default = "standard", rename = "type")]
    pub kind: Type,
}

const fn standard() -> Type {
    Type::Standard
}

/// `[activity.NAME]`: nothing but the name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActivityConfig {}

/// `[http-connection.NAME]`: how HTTP tasks show who they are, as a connection of EventBridge does.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConnectionConfig {
    /// User name of basic authorization.
    pub user: Option<String>,
    /// Password of basic authorization.
    pub password: Option<Secret>,
    /// Headers that every request carries, such as an API key.
    pub headers: BTreeMap<String, Secret>,
}

/// Why a state machine of the configuration is not there.
#[derive(Debug, thiserror::Error)]
pub enum DeclaredError {
    /// The file cannot be read.
    #[error("[state-machine.{name}]: {file} cannot be read")]
    Read {
        /// Which machine.
        name: String,
        /// Which file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The definition is refused.
    #[error("[state-machine.{name}]: {file} is refused")]
    Refused {
        /// Which machine.
        name: String,
        /// Which file.
        file: String,
        /// Why.
        #[source]
        source: Refused,
    },
    /// It cannot be kept.
    #[error("the state machines of the configuration cannot be kept")]
    Store(#[from] StoreError),
}

impl Workflows {
    /// Makes the machines and activities that the configuration names, and gives those that are there its definitions.
    ///
    /// # Errors
    /// [`DeclaredError`]
    pub fn declare(&self, config: &Config) -> Result<(), DeclaredError> {
        let mut machines = Vec::new();
        for (name, wanted) in &config.state_machine {
            let path = config.path(&wanted.definition);
            machines.push((name, wanted.kind, read(name, wanted.kind, &path)?));
        }
        if machines.is_empty() && config.activity.is_empty() {
            return Ok(());
        }
        let now = self.inner.clock.now();
        self.change(|book: &mut Book| {
            for (name, kind, definition) in machines {
                let known = book.machines.get(name);
                if known.is_some_and(|m| m.kind == kind && m.definition == definition) {
                    continue;
                }
                let revision = uuid::Uuid::new_v4().to_string();
                let role = format!("arn:aws:iam::{}:role/{name}", self.inner.home.account);
                let arn = self.arn("stateMachine", name);
                let machine = book
                    .machines
                    .entry(name.clone())
                    .or_insert_with(|| StateMachine::new(arn, kind, role, now));
                machine.kind = kind;
                machine.definition = definition;
                machine.revision = revision;
            }
            for name in config.activity.keys() {
                let arn = self.arn("activity", name);
                book.activities
                    .entry(name.clone())
                    .or_insert_with(|| Activity {
                        arn,
                        created: now,
                        tags: BTreeMap::new(),
                    });
            }
            Ok(())
        })
    }
}

/// The checked text of a definition.
fn read(name: &str, kind: Type, path: &Path) -> Result<String, DeclaredError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| DeclaredError::Read {
        name: name.to_owned(),
        file: file.clone(),
        source,
    })?;
    match super::checked(&text, kind) {
        Ok(_) => Ok(text),
        Err(source) => Err(DeclaredError::Refused {
            name: name.to_owned(),
            file,
            source,
        }),
    }
}
