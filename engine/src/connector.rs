//! `[connector.PROVIDER]`: actions of vendors, as pipeline definitions have them, done by functions of this workspace.

mod keys;
mod vendor;

use std::collections::BTreeMap;

use engine_plan::{
    action_type,
    check::parse_action_type,
    definition::{ActionTypeId, CUSTOM, CustomActionType},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use keys::{Unmapped, parameters};
pub use vendor::{Becomes, VENDORS, Vendor, of_type};

/// The settings of all connectors, by provider.
pub type Connectors = BTreeMap<String, Connector>;

/// `[connector.PROVIDER]`; for a vendor that the engine knows an empty table is enough.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connector {
    /// The function that does the work; the vendor's own when absent.
    pub function: Option<String>,
    /// Category of a provider that the engine does not know.
    pub category: Option<String>,
    /// Owner of such a provider.
    pub owner: Option<String>,
    /// Version of the action type.
    pub version: Option<String>,
    /// Parameters for all actions; what an action's configuration says wins.
    pub parameters: Map<String, Value>,
    /// More configuration keys: which parameter each is.
    pub keys: BTreeMap<String, String>,
}

/// What does an action's work, and how.
#[derive(Debug, Clone, Copy)]
pub struct Route<'a> {
    /// The function's name.
    pub function: &'a str,
    /// The vendor, when the engine knows it.
    pub vendor: Option<&'static Vendor>,
    /// The settings.
    pub settings: &'a Connector,
}

/// The connector of an action type, if one is configured.
pub fn route<'a>(connectors: &'a Connectors, id: &ActionTypeId) -> Option<Route<'a>> {
    let settings = connectors.get(&id.provider)?;
    settings
        .types(&id.provider)
        .iter()
        .any(|it| it == id)
        .then(|| settings.route(&id.provider))?
}

/// The action types that connectors bring and CodePipeline's own list has not.
pub fn action_types(connectors: &Connectors) -> Vec<CustomActionType> {
    connectors
        .iter()
        .flat_map(|(provider, settings)| settings.declared(provider))
        .collect()
}

impl Connector {
    /// What is wrong with the table, if anything.
    pub fn problem(&self, provider: &str) -> Option<String> {
        let vendor = vendor::of_provider(provider);
        if vendor.is_some() && (self.category.is_some() || self.owner.is_some()) {
            return Some("category and owner are the vendor's own: leave them out".to_owned());
        }
        if vendor.is_none() && (self.function.is_none() || self.category.is_none()) {
            let known: Vec<_> = VENDORS.iter().map(|it| it.provider).collect();
            return Some(format!(
                "must name function and category, or be one of {}",
                known.join(", ")
            ));
        }
        let mut ids = self.types(provider).into_iter();
        ids.find_map(|id| match action_type::find(&id) {
            Some(_) => None,
            None => self.declare(&id).err(),
        })
    }

    /// The function that does the work.
    pub fn function(&self, provider: &str) -> Option<&str> {
        let known = || vendor::of_provider(provider).map(|vendor| vendor.function);
        self.function.as_deref().or_else(known)
    }

    fn route(&self, provider: &str) -> Option<Route<'_>> {
        Some(Route {
            function: self.function(provider)?,
            vendor: vendor::of_provider(provider),
            settings: self,
        })
    }

    /// The action types that the table is about.
    fn types(&self, provider: &str) -> Vec<ActionTypeId> {
        let version = self.version.as_deref().unwrap_or("1");
        let id = |category: &str, owner: &str| ActionTypeId {
            category: category.to_owned(),
            owner: owner.to_owned(),
            provider: provider.to_owned(),
            version: version.to_owned(),
        };
        match vendor::of_provider(provider) {
            Some(vendor) => {
                let owners = vendor.owners.iter();
                owners
                    .flat_map(|owner| vendor.categories.iter().map(|it| id(it, owner)))
                    .collect()
            }
            None => {
                let owner = self.owner.as_deref().unwrap_or(CUSTOM);
                let category = self.category.iter();
                category.map(|category| id(category, owner)).collect()
            }
        }
    }

    fn declared(&self, provider: &str) -> Vec<CustomActionType> {
        let new = |id: &ActionTypeId| action_type::find(id).is_none();
        let ids = self.types(provider).into_iter().filter(new);
        ids.filter_map(|id| self.declare(&id).ok()).collect()
    }

    fn declare(&self, id: &ActionTypeId) -> Result<CustomActionType, String> {
        let vendor = vendor::of_provider(&id.provider);
        let known = vendor.iter().flat_map(|vendor| vendor.keys);
        let known = known.map(|(key, becomes)| (*key, matches!(becomes, Becomes::Secret(_))));
        let own = self.keys.keys().map(|key| (key.as_str(), false));
        let properties: Vec<Value> = known
            .chain(own)
            .map(|(key, secret)| json!({"name": key, "required": false, "key": false, "secret": secret}))
            .collect();
        let counts = json!({"minimumCount": 0, "maximumCount": 5});
        let declared = json!({
            "category": id.category,
            "provider": id.provider,
            "version": id.version,
            "configurationProperties": properties,
            "inputArtifactDetails": counts,
            "outputArtifactDetails": counts,
        });
        let mut kind = parse_action_type(declared).map_err(|it| it.refusal.message)?;
        kind.owner.clone_from(&id.owner);
        Ok(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(category: &str, owner: &str, provider: &str) -> ActionTypeId {
        ActionTypeId {
            category: category.to_owned(),
            owner: owner.to_owned(),
            provider: provider.to_owned(),
            version: "1".to_owned(),
        }
    }

    fn connectors(text: &str) -> Connectors {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn every_vendor_is_declared_as_definitions_name_it() {
        for vendor in VENDORS {
            let all = connectors(&format!("['{}']", vendor.provider));
            assert_eq!(all[vendor.provider].problem(vendor.provider), None);
            for owner in vendor.owners {
                for category in vendor.categories {
                    let id = id(category, owner, vendor.provider);
                    let found = route(&all, &id).map(|route| route.function);
                    assert_eq!(found, Some(vendor.function), "{id:?}");
                    let known = action_type::find(&id).is_some();
                    let declared = action_types(&all).iter().any(|it| it.is(&id));
                    assert!(known != declared, "{id:?}: once, by either");
                }
            }
        }
    }

    #[test]
    fn only_what_is_configured_is_routed() {
        let all = connectors(
            "[Jenkins]\n[Mine]\nfunction = 'action-http-check'\ncategory = 'Test'\nkeys = { Page = 'url' }",
        );
        assert!(route(&all, &id("Test", "ThirdParty", "GhostInspector")).is_none());
        assert!(route(&all, &id("Deploy", "Custom", "Jenkins")).is_none());
        assert!(route(&all, &id("Test", "Custom", "Jenkins")).is_some());
        let mine = route(&all, &id("Test", "Custom", "Mine")).map(|it| it.function);
        assert_eq!(mine, Some("action-http-check"));
    }

    #[test]
    fn tables_are_checked() {
        for (provider, text, expected) in [
            (
                "Mine",
                "function = 'f'",
                Some("must name function and category"),
            ),
            (
                "Mine",
                "function = 'f'\ncategory = 'Wild'",
                Some("enum value set"),
            ),
            ("Mine", "function = 'f'\ncategory = 'Test'", None),
            ("Jenkins", "category = 'Test'", Some("the vendor's own")),
        ] {
            let table: Connector = toml::from_str(text).unwrap();
            let found = table.problem(provider);
            match expected {
                None => assert_eq!(found, None, "{provider} {text}"),
                Some(part) => assert!(
                    found.as_ref().is_some_and(|it| it.contains(part)),
                    "{provider} {text}: {found:?}"
                ),
            }
        }
    }
}
