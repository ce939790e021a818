//! Reading what stands beside the pipelines: webhooks, action types, tags, and their ARNs.

use std::collections::BTreeMap;

use crate::{
    action_type,
    definition::{ActionDeclaration, ActionTypeId, CustomActionType},
    event::Resource,
    state::State,
    webhook::Webhook,
};

impl State {
    /// The ARN of a webhook.
    pub fn webhook_arn(&self, name: &str) -> String {
        self.pipeline_arn(&format!("webhook:{name}"))
    }

    /// The ARN of a custom action type, named `Custom/Category/Provider/Version`.
    pub fn action_type_arn(&self, name: &str) -> String {
        self.pipeline_arn(&format!("actionType:{name}"))
    }

    /// The ARN of what carries tags beside pipelines.
    pub fn arn(&self, resource: &Resource) -> String {
        match resource {
            Resource::Webhook { name } => self.webhook_arn(name),
            Resource::ActionType { name } => self.action_type_arn(name),
        }
    }

    /// Its tags, if there is such a thing.
    pub fn tags(&self, resource: &Resource) -> Option<&BTreeMap<String, String>> {
        match resource {
            Resource::Webhook { name } => self.webhooks.get(name).map(|it| &it.tags),
            Resource::ActionType { name } => self.action_type_tags.get(name),
        }
    }

    /// The custom or partner type of that id, a deleted one too.
    pub fn custom_type(&self, id: &ActionTypeId) -> Option<&CustomActionType> {
        action_type::find_custom(&self.action_types, id)
            .or_else(|| action_type::find_custom(&self.deleted_action_types, id))
    }

    /// The webhook whose URL ends with this key.
    pub fn webhook_at(&self, key: &str) -> Option<&Webhook> {
        self.webhooks.values().find(|it| it.key.reveal() == key)
    }

    /// The newest definition of the action that a webhook starts.
    pub fn webhook_action(&self, webhook: &Webhook) -> Option<&ActionDeclaration> {
        let definition = &self
            .pipelines
            .get(&webhook.definition.target_pipeline)?
            .definition;
        definition
            .stages
            .first()?
            .action(&webhook.definition.target_action)
    }
}
