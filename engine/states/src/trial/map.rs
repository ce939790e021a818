//! What can be said of a Map without running what is in it: its items, its limits.

use serde_json::{Value, json};

use super::Trial;
use crate::{
    batch,
    definition::{Language, Map},
    env::Env,
    items,
    trouble::Trouble,
};

impl Trial<'_> {
    /// Items, as far as they are known, and the Map's limits.
    pub(super) fn map(&mut self, map: &Map) -> Result<(), Trouble> {
        let state = self.state;
        let most = |env: &Env<'_>| map.concurrency.as_ref().map(|a| a.whole(env)).transpose();
        let most = self.with_env(most)?.unwrap_or(0);
        self.seen.insert("maxConcurrency".to_owned(), most.into());
        let (count, percentage) = self.with_env(|env| map.tolerance(env))?;
        let limits = [
            ("toleratedFailureCount", count),
            ("toleratedFailurePercentage", percentage),
        ];
        for (name, limit) in limits {
            if let Some(limit) = limit {
                self.seen.insert(name.to_owned(), limit.into());
            }
        }
        let Some(items) = self.items(map)? else {
            return Ok(());
        };
        if state.language == Language::JsonPath && self.given.items.is_none() {
            self.see("afterItemsPath", &Value::Array(items.clone()));
        }
        let mut inputs = items;
        if let Some(template) = &map.selector {
            let outer = self.with_env(|env| Ok(state.io.input_path.apply(env)?.into_owned()))?;
            let each = inputs.iter().enumerate().map(|(index, item)| {
                let mut context = self.context.clone();
                context["Map"] = json!({"Item": {"Index": index, "Value": item}});
                self.with_context(&context, |env| template.render(&env.at(&outer)))
            });
            inputs = each.collect::<Result<_, _>>()?;
            self.see("afterItemSelector", &Value::Array(inputs.clone()));
        }
        if let Some(batch) = map.distributed.as_ref().and_then(|d| d.batch.as_ref()) {
            let limits = self.with_env(|env| batch.limits(env))?;
            let groups = batch::group(inputs, &limits);
            self.see("afterItemBatcher", &Value::Array(groups));
        }
        Ok(())
    }

    /// The items; none where nobody says what the reader reads.
    fn items(&mut self, map: &Map) -> Result<Option<Vec<Value>>, Trouble> {
        let state = self.state;
        match self.with_env(|env| map.list(state, env))? {
            Ok(items) => Ok(Some(items)),
            Err(reading) => {
                let Some(text) = &self.given.items else {
                    return Ok(None);
                };
                let items = items::read(text, reading.config)?;
                if reading.config.get("ItemsPointer").is_some() {
                    self.see("afterItemsPointer", &Value::Array(items.clone()));
                }
                Ok(Some(items))
            }
        }
    }

    /// Whether more iterations failed than may. Without a limit AWS counts none here.
    pub(super) fn exceeded(&mut self, map: &Map) -> Result<bool, Trouble> {
        let (count, percentage) = self.with_env(|env| map.tolerance(env))?;
        let failed = self.given.failures;
        let total = self.items(map)?.map_or(0, |items| items.len() as u64);
        let share = percentage.is_some_and(|p| total > 0 && failed * 100 > p * total);
        Ok(count.is_some_and(|count| failed > count) || share)
    }
}
