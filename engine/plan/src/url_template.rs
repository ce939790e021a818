//! URL templates of custom action types (`codepipeline.md` 5.1): `{Config:Property}` and `{ExternalExecutionId}`.

use std::collections::BTreeMap;

use crate::definition::{ConfigurationProperty, CustomActionType};

/// The links that an action type's settings describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// `entityUrlTemplate`: what the action works on.
    Entity,
    /// `executionUrlTemplate`: one run of it.
    Execution,
    /// `revisionUrlTemplate`: where its configuration is changed.
    Revision,
}

impl Link {
    const ALL: [Self; 3] = [Self::Entity, Self::Execution, Self::Revision];

    const fn setting(self) -> &'static str {
        match self {
            Self::Entity => "entityUrlTemplate",
            Self::Execution => "executionUrlTemplate",
            Self::Revision => "revisionUrlTemplate",
        }
    }

    fn template(self, action_type: &CustomActionType) -> Option<&str> {
        action_type.settings.as_ref()?.get(self.setting())?.as_str()
    }
}

/// The link, if the type has such a template and everything in it is known.
pub fn link(
    action_type: &CustomActionType,
    link: Link,
    configuration: &BTreeMap<String, String>,
    external_id: Option<&str>,
) -> Option<String> {
    let mut url = String::new();
    for part in parts(link.template(action_type)?) {
        url += match part {
            Part::Text(text) => text,
            Part::Config(name) => configuration.get(name)?,
            Part::ExternalId => external_id?,
        };
    }
    Some(url)
}

/// Why the templates of an action type cannot be used: a placeholder must name a required, non-secret property.
pub(crate) fn problem(action_type: &CustomActionType) -> Option<String> {
    let properties = &action_type.configuration_properties;
    let fits = |name: &str| {
        let fits = |it: &ConfigurationProperty| it.name == name && it.required && !it.secret;
        properties.iter().any(fits)
    };
    Link::ALL.iter().find_map(|link| {
        parts(link.template(action_type)?).find_map(|part| match part {
            Part::Config(name) if !fits(name) => Some(format!(
                "Invalid configuration property '{name}' in {}. Properties in URL templates must be required and non-secret.",
                link.setting()
            )),
            _ => None,
        })
    })
}

enum Part<'a> {
    Text(&'a str),
    Config(&'a str),
    ExternalId,
}

fn parts(template: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((inner, after)) = rest.strip_prefix('{').and_then(|it| it.split_once('}')) {
            let known = match inner.split_once(':') {
                Some(("Config", name)) => Some(Part::Config(name)),
                None if inner == "ExternalExecutionId" => Some(Part::ExternalId),
                _ => None,
            };
            if let Some(part) = known {
                rest = after;
                return Some(part);
            }
        }
        let skip = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[skip..].find('{').map_or(rest.len(), |at| at + skip);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Part::Text(text))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn action_type(execution: &str) -> CustomActionType {
        let property = |name: &str, required: bool, secret: bool| json!({"name": name, "required": required, "key": true, "secret": secret});
        crate::check::parse_action_type(json!({
            "category": "Build", "provider": "Jenkins", "version": "1",
            "settings": {"executionUrlTemplate": execution, "entityUrlTemplate": "https://ci.example.com/"},
            "configurationProperties": [property("ProjectName", true, false), property("Password", true, true), property("Note", false, false)],
            "inputArtifactDetails": {"minimumCount": 0, "maximumCount": 1},
            "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 1},
        }))
        .expect("an action type")
    }

    #[test]
    fn links_are_filled_when_everything_is_known() {
        let configuration = BTreeMap::from([("ProjectName".to_owned(), "shop".to_owned())]);
        for (template, id, expected) in [
            (
                "https://ci.example.com/job/{Config:ProjectName}/{ExternalExecutionId}",
                Some("7"),
                Some("https://ci.example.com/job/shop/7"),
            ),
            ("https://x/{ExternalExecutionId}", None, None),
            (
                "https://x/{Other}/{Config:ProjectName}{",
                None,
                Some("https://x/{Other}/shop{"),
            ),
        ] {
            let kind = action_type(template);
            let url = link(&kind, Link::Execution, &configuration, id);
            assert_eq!(url.as_deref(), expected, "{template}");
            assert_eq!(link(&kind, Link::Revision, &configuration, id), None);
        }
    }

    #[test]
    fn placeholders_name_required_open_properties() {
        for (template, name) in [
            ("https://x/{Config:ProjectName}", None),
            ("https://x/{Config:Password}", Some("Password")),
            ("https://x/{Config:Note}", Some("Note")),
            ("https://x/{Config:None}", Some("None")),
        ] {
            let found = problem(&action_type(template));
            let expected = name.map(|name| {
                format!("Invalid configuration property '{name}' in executionUrlTemplate. Properties in URL templates must be required and non-secret.")
            });
            assert_eq!(found, expected);
        }
    }
}
