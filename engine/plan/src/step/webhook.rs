//! Webhooks: put, deleted, delivered to; and tags of what is not a pipeline (`codepipeline.md` 2.2, 8.4).

use std::collections::BTreeMap;

use super::{Answer, Turn, pipeline::checked_tags, start::Wanted};
use crate::{
    event::{Resource, Trigger},
    hidden::Hidden,
    limit,
    refusal::Refusal,
    webhook::{Webhook, WebhookDefinition, WebhookError, check_placeholders},
};

/// Letters and digits in a webhook's URL: more than 128 bits.
const KEY_LENGTH: usize = 32;

impl Turn<'_> {
    /// Creates a webhook, or changes it in place: it keeps its URL and its other tags then.
    pub(super) fn put_webhook(
        &mut self,
        definition: &WebhookDefinition,
        tags: &BTreeMap<String, String>,
    ) -> Result<Answer, Refusal> {
        self.check_target(definition)?;
        let old = self.state.webhooks.get(&definition.name);
        if old.is_none() && self.state.webhooks.len() >= limit::WEBHOOKS {
            return Err(Refusal::new(
                "LimitExceededException",
                format!(
                    "The account cannot have more than {} webhooks in a region",
                    limit::WEBHOOKS
                ),
            ));
        }
        let mut all = old.map(|it| it.tags.clone()).unwrap_or_default();
        all.extend(tags.clone());
        checked_tags(&all, &self.state.webhook_arn(&definition.name))?;
        if let Some(known) = self.state.webhooks.get_mut(&definition.name) {
            known.definition = definition.clone();
            known.tags = all;
            known.error = None;
        } else {
            let webhook = Webhook {
                definition: definition.clone(),
                tags: all,
                key: Hidden::new(self.ids.letters(KEY_LENGTH)),
                last_triggered: None,
                error: None,
            };
            self.state.webhooks.insert(definition.name.clone(), webhook);
        }
        Ok(Answer::Done)
    }

    /// The texts are unconfirmed.
    fn check_target(&self, definition: &WebhookDefinition) -> Result<(), Refusal> {
        let pipeline = &self.pipeline(&definition.target_pipeline)?.definition;
        let source = pipeline
            .stages
            .first()
            .and_then(|stage| stage.action(&definition.target_action))
            .ok_or_else(|| {
                Refusal::new(
                    "ValidationException",
                    format!(
                        "The source stage of pipeline '{}' does not have an action with name '{}'",
                        definition.target_pipeline, definition.target_action
                    ),
                )
            })?;
        let custom = self.state.custom_type(&source.action_type_id);
        for filter in &definition.filters {
            let text = filter.match_equals.as_deref().unwrap_or_default();
            check_placeholders(text, &source.configuration, custom).map_err(|error| {
                Refusal::new(
                    "InvalidWebhookFilterPatternException",
                    format!("Invalid matchEquals value '{text}': {error}"),
                )
            })?;
        }
        Ok(())
    }

    /// Deletes a webhook; an absent one is no error.
    pub(super) fn delete_webhook(&mut self, name: &str) -> Answer {
        self.state.webhooks.remove(name);
        Answer::Done
    }

    /// A delivery that was let in starts the pipeline.
    pub(super) fn webhook_delivered(
        &mut self,
        name: &str,
        key: &Hidden,
    ) -> Result<Answer, Refusal> {
        let webhook = self.webhook(name)?;
        if webhook.key != *key {
            return Err(webhook_not_found(name));
        }
        let trigger = Trigger {
            trigger_type: "Webhook".to_owned(),
            trigger_detail: self.state.webhook_arn(name),
            reference: None,
        };
        let pipeline = webhook.definition.target_pipeline.clone();
        let wanted = Wanted {
            trigger: &trigger,
            variables: &BTreeMap::new(),
            source_revisions: &[],
            client_token: None,
        };
        let answer = self.start(&pipeline, wanted)?;
        if let Some(webhook) = self.state.webhooks.get_mut(name) {
            webhook.last_triggered = Some(self.at);
            webhook.error = None;
        }
        Ok(answer)
    }

    pub(super) fn webhook_noted(
        &mut self,
        name: &str,
        error: Option<&WebhookError>,
    ) -> Result<Answer, Refusal> {
        self.webhook(name)?;
        if let Some(webhook) = self.state.webhooks.get_mut(name) {
            webhook.error = error.cloned();
        }
        Ok(Answer::Done)
    }

    pub(super) fn tag_resource(
        &mut self,
        resource: &Resource,
        tags: &BTreeMap<String, String>,
    ) -> Result<Answer, Refusal> {
        let arn = self.state.arn(resource);
        let kept = self.tags_mut(resource, &arn)?;
        let mut all = kept.clone();
        all.extend(tags.clone());
        checked_tags(&all, &arn)?;
        *kept = all;
        Ok(Answer::Done)
    }

    pub(super) fn untag_resource(
        &mut self,
        resource: &Resource,
        keys: &[String],
    ) -> Result<Answer, Refusal> {
        let arn = self.state.arn(resource);
        self.tags_mut(resource, &arn)?
            .retain(|key, _| !keys.contains(key));
        Ok(Answer::Done)
    }

    fn tags_mut(
        &mut self,
        resource: &Resource,
        arn: &str,
    ) -> Result<&mut BTreeMap<String, String>, Refusal> {
        match resource {
            Resource::Webhook { name } => self.state.webhooks.get_mut(name).map(|it| &mut it.tags),
            Resource::ActionType { name } => self.state.action_type_tags.get_mut(name),
        }
        .ok_or_else(|| {
            Refusal::new(
                "ResourceNotFoundException",
                format!("The resource {arn} was not found"),
            )
        })
    }

    fn webhook(&self, name: &str) -> Result<&Webhook, Refusal> {
        self.state
            .webhooks
            .get(name)
            .ok_or_else(|| webhook_not_found(name))
    }
}

fn webhook_not_found(name: &str) -> Refusal {
    Refusal::new(
        "WebhookNotFoundException",
        format!("Webhook with name '{name}' could not be found"),
    )
}
