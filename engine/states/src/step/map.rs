//! Map: its items, and its iterations.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

use super::{Refusal, Turn, fields, parallel::join};
use crate::{
    definition::{Items, Kind, Map, State},
    effect::Effect,
    event::Content,
    history::Details,
    items, limit,
    machine::{Item, Mapping, Phase},
    trouble::Trouble,
};

impl<'a> Turn<'a> {
    pub(super) fn map(&mut self, id: u32, state: &'a State, map: &'a Map) -> Result<(), Trouble> {
        let list = self.with_env(id, None, |env| map.list(state, env))?;
        match list {
            Ok(items) => self.iterate(id, state, map, items),
            Err(reading) => {
                let task = self.machine.next_task;
                self.machine.next_task += 1;
                self.machine.tasks.insert(task, id);
                self.frame_mut(id).phase = Phase::Reading { task };
                self.effects.push(Effect::ReadItems {
                    task,
                    resource: reading.resource.to_owned(),
                    arguments: reading.arguments,
                    config: reading.config.clone(),
                });
                Ok(())
            }
        }
    }

    pub(super) fn items_read(&mut self, task: u64, content: &Content) -> Result<(), Refusal> {
        let id = *self.machine.tasks.get(&task).ok_or(Refusal::NoTask(task))?;
        let state = self.state(id);
        let (Phase::Reading { .. }, Kind::Map(map)) = (&self.frame(id).phase, &state.kind) else {
            return Err(Refusal::NoTask(task));
        };
        self.machine.tasks.remove(&task);
        let Items::Reader(reader) = &map.items else {
            return Err(Refusal::NoTask(task));
        };
        let begun = (|| {
            let mut items = match content {
                Content::Items(items) => items.clone(),
                Content::Text(text) => items::read(text, &reader.config)?,
            };
            if let Some(most) = &reader.most {
                let most = self.with_env(id, None, |env| most.whole(env))?;
                if most > 0 {
                    items.truncate(usize::try_from(most).unwrap_or(usize::MAX));
                }
            }
            self.iterate(id, state, map, items)
        })();
        if let Err(trouble) = begun {
            self.trouble(id, &trouble);
        }
        Ok(())
    }

    /// Begins the iterations over these items.
    fn iterate(
        &mut self,
        id: u32,
        state: &'a State,
        map: &'a Map,
        items: Vec<Value>,
    ) -> Result<(), Trouble> {
        let length = items.len();
        let (input, most) = self.with_env(id, None, |env| {
            let input = state.io.input_path.apply(env)?.into_owned();
            let most = map.concurrency.as_ref().map(|a| a.whole(env)).transpose()?;
            Ok((input, most.unwrap_or(0)))
        })?;
        let cap = if map.distributed.is_some() {
            limit::DISTRIBUTED_CONCURRENCY
        } else {
            limit::INLINE_CONCURRENCY
        };
        let most = match usize::try_from(most) {
            Ok(0) | Err(_) => cap,
            Ok(most) => most.min(cap),
        };
        let mut mapping = Mapping {
            input: Arc::new(input),
            items: items.into_iter().map(Arc::new).collect(),
            selected: map.selector.is_none(),
            waiting: (0..).take(length).collect(),
            results: vec![None; length],
            running: BTreeSet::new(),
            most,
            failed: 0,
            tolerated: (None, None),
            batched: false,
            run: None,
            ends: None,
        };
        let details = fields([("length", length.into())]);
        self.note(
            id,
            "MapStateStarted",
            Details::Other("mapStateStartedEventDetails", details),
        );
        if map.distributed.is_some() {
            self.plan_run(id, map, &mut mapping)?;
        }
        self.frame_mut(id).phase = Phase::Map(Box::new(mapping));
        self.begin_run(id, map);
        self.pump(id)
    }

    pub(super) fn mapping(&mut self, id: u32) -> Option<&mut Mapping> {
        match &mut self.machine.frames.get_mut(&id)?.phase {
            Phase::Map(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// Begins as many iterations as may run at once; ends the Map when none is left.
    pub(super) fn pump(&mut self, id: u32) -> Result<(), Trouble> {
        loop {
            let Some(mapping) = self.mapping(id) else {
                return Ok(());
            };
            if mapping.running.len() >= mapping.most {
                return Ok(());
            }
            let Some(slot) = mapping.waiting.pop_front() else {
                break;
            };
            self.begin(id, slot)?;
        }
        let Some(mapping) = self.mapping(id) else {
            return Ok(());
        };
        if !mapping.running.is_empty() {
            return Ok(());
        }
        if mapping.run.is_some() {
            return self.run_ended(id);
        }
        let results = std::mem::take(&mut mapping.results);
        self.note(id, "MapStateSucceeded", Details::None);
        self.complete(id, Arc::new(join(results)))
    }

    /// Begins one iteration.
    fn begin(&mut self, id: u32, slot: u32) -> Result<(), Trouble> {
        let state = self.state(id);
        let Kind::Map(map) = &state.kind else {
            return Ok(());
        };
        let Some(mapping) = self.mapping(id) else {
            return Ok(());
        };
        let item = Arc::new(Item {
            index: slot as usize,
            value: Arc::clone(&mapping.items[slot as usize]),
        });
        let (outer, selected, distributed) = (
            Arc::clone(&mapping.input),
            mapping.selected,
            mapping.run.is_some(),
        );
        let input = match &map.selector {
            Some(template) if !selected => {
                Arc::new(self.with_env(id, Some(&item), |env| template.render(&env.at(&outer)))?)
            }
            _ => Arc::clone(&item.value),
        };
        let child = if distributed {
            self.begin_child(id, slot, map, input)
        } else {
            let name = Arc::clone(&state.name);
            let more = fields([("name", (&*name).into()), ("index", slot.into())]);
            let last = self.note(
                id,
                "MapIterationStarted",
                Details::Other("mapIterationStartedEventDetails", more),
            );
            let (stream, variables) =
                (self.frame(id).stream, Arc::clone(&self.frame(id).variables));
            self.open(
                Some((id, slot)),
                stream,
                map.processor,
                input,
                variables,
                Some(item),
                last,
            )
        };
        if let Some(mapping) = self.mapping(id) {
            mapping.running.insert(child);
        }
        Ok(())
    }

    /// An iteration of an inline Map gave its output.
    pub(super) fn iteration_succeeded(
        &mut self,
        id: u32,
        slot: u32,
        child: u32,
        output: Arc<Value>,
    ) {
        let name = Arc::clone(&self.state(id).name);
        let more = fields([("name", (&*name).into()), ("index", slot.into())]);
        self.note(
            id,
            "MapIterationSucceeded",
            Details::Other("mapIterationSucceededEventDetails", more),
        );
        if let Some(mapping) = self.mapping(id) {
            mapping.running.remove(&child);
            mapping.results[slot as usize] = Some(output);
        }
        if let Err(trouble) = self.pump(id) {
            self.map_trouble(id, &trouble);
        }
    }

    /// The Map itself cannot go on: what runs inside it ends first.
    pub(super) fn map_trouble(&mut self, id: u32, trouble: &Trouble) {
        self.close_children(id, None);
        self.trouble(id, trouble);
    }
}
