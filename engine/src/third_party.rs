//! `[third-party.PROVIDER]`: partners whose jobs a worker of the user does, and how such a worker shows who it is.

use std::collections::BTreeMap;

use engine_plan::{
    action_type,
    check::{check_action_type, parse_action_type},
    definition::{CustomActionType, THIRD_PARTY},
};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use shared::secret::Secret;
use uuid::{Builder, Uuid};

/// The settings of all partners, by provider.
pub type Partners = BTreeMap<String, Partner>;

/// `[third-party.PROVIDER]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partner {
    /// What the worker shows with each job, 1 to 256 characters.
    pub client_token: Secret,
    /// A UUID, given out with each job; made from account and provider when absent.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Category of a type that the engine does not know; absent for one that it knows.
    #[serde(default)]
    pub category: Option<String>,
    /// Its version.
    #[serde(default = "first")]
    pub version: String,
    /// Least and most input artifacts.
    #[serde(default)]
    pub inputs: [u32; 2],
    /// Least and most output artifacts.
    #[serde(default)]
    pub outputs: [u32; 2],
    /// Its configuration keys.
    #[serde(default)]
    pub properties: Vec<Property>,
}

/// One configuration key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// The key.
    pub name: String,
    /// Whether it must be there.
    #[serde(default)]
    pub required: bool,
    /// Whether it reads back masked.
    #[serde(default)]
    pub secret: bool,
}

fn first() -> String {
    "1".to_owned()
}

impl Partner {
    /// The client id that its jobs carry.
    pub fn client_id(&self, account: &str, provider: &str) -> String {
        self.client_id.clone().unwrap_or_else(|| {
            let digest = Sha256::digest(format!("stagewright client id\n{account}\n{provider}"));
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&digest[..16]);
            Builder::from_custom_bytes(bytes).into_uuid().to_string()
        })
    }

    /// Whether that is the worker's token. Equal digests are compared, so that time tells nothing about the token.
    pub fn is_token(&self, shown: &str) -> bool {
        Sha256::digest(shown) == Sha256::digest(self.client_token.reveal())
    }

    /// The action type it declares.
    fn action_type(&self, provider: &str) -> Result<Option<CustomActionType>, String> {
        let known = action_type::KNOWN
            .iter()
            .find(|it| it.owner == THIRD_PARTY && it.provider == provider);
        let Some(category) = &self.category else {
            return match known {
                Some(_) => Ok(None),
                None => {
                    Err("must name its category: the engine does not know this type".to_owned())
                }
            };
        };
        if known.is_some() {
            return Err(
                "must not name a category: the engine knows this type, it needs only client_token"
                    .to_owned(),
            );
        }
        let properties: Vec<_> = self
            .properties
            .iter()
            .map(|it| json!({"name": it.name, "required": it.required, "key": it.required, "secret": it.secret}))
            .collect();
        let counts = |[least, most]: [u32; 2]| json!({"minimumCount": least, "maximumCount": most});
        let declared = json!({
            "category": category,
            "provider": provider,
            "version": self.version,
            "configurationProperties": properties,
            "inputArtifactDetails": counts(self.inputs),
            "outputArtifactDetails": counts(self.outputs),
        });
        let mut kind = parse_action_type(declared).map_err(|it| it.refusal.message)?;
        check_action_type(&kind).map_err(|refusal| refusal.message)?;
        THIRD_PARTY.clone_into(&mut kind.owner);
        Ok(Some(kind))
    }

    /// What is wrong with the table, if anything.
    pub fn problem(&self, provider: &str) -> Option<String> {
        let length = self.client_token.reveal().chars().count();
        if !(1..=256).contains(&length) {
            return Some("client_token must have 1 to 256 characters".to_owned());
        }
        let id = self.client_id.as_deref();
        if id.is_some_and(|id| {
            Uuid::try_parse(id).is_err() || id.len() != 36 || id != id.to_lowercase()
        }) {
            return Some("client_id must be a UUID in lower case".to_owned());
        }
        if provider == "GitHub" {
            return Some("needs no worker: GitHub is a source of the engine".to_owned());
        }
        self.action_type(provider).err()
    }
}

/// The action types that all partners declare; tables with problems declare none.
pub fn action_types(partners: &Partners) -> Vec<CustomActionType> {
    partners
        .iter()
        .filter_map(|(provider, partner)| partner.action_type(provider).ok()?)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partner(text: &str) -> Partner {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn tables_are_checked() {
        for (provider, text, expected) in [
            ("AlexaSkillsKit", "client_token = 'x'", None),
            (
                "AlexaSkillsKit",
                "client_token = 'x'\ncategory = 'Deploy'",
                Some("must not name a category"),
            ),
            ("Mine", "client_token = 'x'", Some("must name its category")),
            (
                "Mine",
                "client_token = 'x'\ncategory = 'Wild'",
                Some("enum value set"),
            ),
            (
                "Mine",
                "client_token = 'x'\ncategory = 'Test'\ninputs = [2, 1]",
                Some("has to be greater"),
            ),
            (
                "Mine",
                "client_token = 'x'\ncategory = 'Test'\nproperties = [{ name = 'Suite', secret = true }]",
                None,
            ),
            ("GitHub", "client_token = 'x'", Some("GitHub is a source")),
            ("AlexaSkillsKit", "client_token = ''", Some("client_token")),
            (
                "AlexaSkillsKit",
                "client_token = 'x'\nclient_id = 'me'",
                Some("client_id"),
            ),
        ] {
            let found = partner(text).problem(provider);
            match expected {
                None => assert_eq!(found, None, "{provider} {text}"),
                Some(part) => assert!(
                    found.as_ref().is_some_and(|it| it.contains(part)),
                    "{provider} {text}: {found:?}"
                ),
            }
        }
    }

    #[test]
    fn a_worker_is_known_by_its_token() {
        let partner = partner("client_token = 'PLANTED'");
        assert!(partner.is_token("PLANTED") && !partner.is_token("PLANTE"));
        assert!(!format!("{partner:?}").contains("PLANTED"));
        let id = partner.client_id("123456789012", "Mine");
        assert_eq!(id.len(), 36);
        assert_eq!(id, partner.client_id("123456789012", "Mine"));
        assert_ne!(id, partner.client_id("123456789012", "Other"));
    }
}
