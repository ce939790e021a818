//! Action types that the account or its configuration brings: create, delete, restore (`codepipeline.md` 5.1).

use std::collections::BTreeMap;

use super::{Answer, Turn, pipeline::checked_tags};
use crate::{
    check::check_action_type, definition::CustomActionType, event::Settings, limit,
    refusal::Refusal,
};

impl Turn<'_> {
    /// Takes the engine's settings, and the partner types that they declare in place of the earlier ones.
    pub(super) fn configured(&mut self, settings: &Settings) -> Answer {
        let types = std::mem::take(&mut self.state.action_types);
        for old in types {
            if old.is_custom() {
                self.state.action_types.push(old);
            } else if !settings.third_party.contains(&old) {
                self.retire(old);
            }
        }
        for new in &settings.third_party {
            self.state.deleted_action_types.retain(|it| !same(it, new));
            self.state.action_types.push(new.clone());
        }
        self.state.settings = Some(settings.clone());
        Answer::Done
    }

    pub(super) fn create_action_type(
        &mut self,
        action_type: &CustomActionType,
        tags: &BTreeMap<String, String>,
    ) -> Result<Answer, Refusal> {
        check_action_type(action_type)?;
        let find = |types: &[CustomActionType]| {
            let mut all = types.iter();
            all.find(|it| same(it, action_type)).cloned()
        };
        // both texts and their class are unconfirmed: the shape exists, no operation lists it
        let exists = |how: &str| {
            Err(Refusal::new(
                "ActionTypeAlreadyExistsException",
                format!("Action type {} {how}", action_type.path()),
            ))
        };
        match find(&self.state.action_types) {
            Some(kept) if kept == *action_type => return Ok(Answer::Done),
            Some(_) => return exists("already exists with another definition"),
            None => {}
        }
        if find(&self.state.deleted_action_types).is_some_and(|kept| kept != *action_type) {
            return exists(
                "was deleted and can only be restored with the same definition: use another version",
            );
        }
        let custom = self.state.action_types.iter().filter(|it| it.is_custom());
        if custom.count() >= limit::CUSTOM_ACTION_TYPES {
            return Err(Refusal::new(
                "LimitExceededException",
                format!(
                    "The account cannot have more than {} custom action types in a region",
                    limit::CUSTOM_ACTION_TYPES
                ),
            ));
        }
        checked_tags(tags, &self.state.action_type_arn(&action_type.path()))?;
        let deleted = &mut self.state.deleted_action_types;
        deleted.retain(|it| !same(it, action_type));
        self.state.action_types.push(action_type.clone());
        self.state
            .action_type_tags
            .insert(action_type.path(), tags.clone());
        Ok(Answer::Done)
    }

    /// Marks a type as deleted. What it calls secret stays masked in the pipelines that use it.
    pub(super) fn delete_action_type(
        &mut self,
        category: &str,
        provider: &str,
        version: &str,
    ) -> Answer {
        let found = self.state.action_types.iter().position(|it| {
            it.is_custom()
                && (
                    it.category.as_str(),
                    it.provider.as_str(),
                    it.version.as_str(),
                ) == (category, provider, version)
        });
        if let Some(at) = found {
            let old = self.state.action_types.remove(at);
            self.state.action_type_tags.remove(&old.path());
            self.retire(old);
        }
        Answer::Done
    }

    fn retire(&mut self, old: CustomActionType) {
        let deleted = &mut self.state.deleted_action_types;
        deleted.retain(|it| !same(it, &old));
        deleted.push(old);
    }
}

fn same(a: &CustomActionType, b: &CustomActionType) -> bool {
    (&a.owner, &a.category, &a.provider, &a.version)
        == (&b.owner, &b.category, &b.provider, &b.version)
}
