//! State machines with versions and aliases, and activities.

use std::collections::BTreeMap;

use engine_states::definition::Type;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All of them, by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Book {
    /// State machines.
    pub machines: BTreeMap<String, StateMachine>,
    /// Activities.
    pub activities: BTreeMap<String, Activity>,
}

/// A state machine as it is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StateMachine {
    /// Its ARN.
    pub arn: String,
    /// Standard or express.
    pub kind: Type,
    /// The definition's text.
    pub definition: String,
    /// The role it runs with.
    pub role: String,
    /// When it was made.
    pub created: Timestamp,
    /// Changes with every update.
    pub revision: String,
    /// `loggingConfiguration`, `tracingConfiguration`, `encryptionConfiguration` as they were sent.
    pub settings: Value,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Published versions.
    pub versions: BTreeMap<u64, Version>,
    /// The number of the last version ever published.
    pub last_version: u64,
    /// Aliases.
    pub aliases: BTreeMap<String, Alias>,
}

impl StateMachine {
    /// A new one without a definition, versions, tags.
    pub fn new(arn: String, kind: Type, role: String, created: Timestamp) -> Self {
        Self {
            arn,
            kind,
            definition: String::new(),
            role,
            created,
            revision: String::new(),
            settings: Value::Object(serde_json::Map::new()),
            tags: BTreeMap::new(),
            versions: BTreeMap::new(),
            last_version: 0,
            aliases: BTreeMap::new(),
        }
    }
}

/// A published version: a machine that does not change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    /// The definition's text.
    pub definition: String,
    /// The role it runs with.
    pub role: String,
    /// The revision it was published from.
    pub revision: String,
    /// In words.
    pub description: String,
    /// When.
    pub created: Timestamp,
}

/// An alias: one version, or two by weight.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Alias {
    /// In words.
    pub description: String,
    /// Version and weight; the weights sum to 100.
    pub routes: Vec<(u64, u64)>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed.
    pub updated: Timestamp,
}

/// An activity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Activity {
    /// Its ARN.
    pub arn: String,
    /// When it was made.
    pub created: Timestamp,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// What an execution is started of.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The machine's name.
    pub name: String,
    /// Its ARN, without version or alias.
    pub arn: String,
    /// Standard or express.
    pub kind: Type,
    /// The definition's text.
    pub definition: String,
    /// The role it runs with.
    pub role: String,
    /// The version's ARN, when one was named or an alias led to it.
    pub version: Option<String>,
    /// The alias's ARN, when one was named.
    pub alias: Option<String>,
}

impl Book {
    /// The machine an ARN names, with what follows its name.
    pub fn find<'a>(
        &'a self,
        arn: &'a str,
    ) -> Option<(&'a str, &'a StateMachine, Option<&'a str>)> {
        let rest = arn.split_once(":stateMachine:")?.1;
        let (name, qualifier) = match rest.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (rest, None),
        };
        let (name, machine) = self.machines.get_key_value(name)?;
        let base = qualifier.map_or(arn, |q| &arn[..arn.len() - q.len() - 1]);
        (machine.arn == base).then_some((name.as_str(), machine, qualifier))
    }

    /// What an execution of this ARN runs; `weight` from 0 up to 100 chooses between an alias's versions.
    pub fn choose(&self, arn: &str, weight: u64) -> Option<Chosen> {
        let (name, machine, qualifier) = self.find(arn)?;
        let mut chosen = Chosen {
            name: name.to_owned(),
            arn: machine.arn.clone(),
            kind: machine.kind,
            definition: machine.definition.clone(),
            role: machine.role.clone(),
            version: None,
            alias: None,
        };
        let Some(qualifier) = qualifier else {
            return Some(chosen);
        };
        let number = if let Ok(number) = qualifier.parse() {
            number
        } else {
            let alias = machine.aliases.get(qualifier)?;
            chosen.alias = Some(arn.to_owned());
            let mut sum = 0;
            alias
                .routes
                .iter()
                .find(|(_, share)| {
                    sum += share;
                    weight < sum
                })?
                .0
        };
        let version = machine.versions.get(&number)?;
        chosen.definition.clone_from(&version.definition);
        chosen.role.clone_from(&version.role);
        chosen.version = Some(format!("{}:{number}", machine.arn));
        Some(chosen)
    }
}
