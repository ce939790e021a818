//! Distributed Map: a map run, whose iterations are child executions.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Turn, fields, parallel::join};
use crate::{
    batch,
    definition::{Batch, Kind, Map},
    effect::{Effect, MapRun, Outcome},
    history::Details,
    machine::{Item, Mapping, Phase, Stream},
    results,
    retry::Failure,
    trouble::Trouble,
};

impl<'a> Turn<'a> {
    /// Tolerance, batches and the run's ARN, before anything begins.
    pub(super) fn plan_run(
        &mut self,
        id: u32,
        map: &'a Map,
        mapping: &mut Mapping,
    ) -> Result<(), Trouble> {
        let Some(distributed) = &map.distributed else {
            return Ok(());
        };
        let (count, percentage) = self.with_env(id, None, |env| map.tolerance(env))?;
        if let Some(batch) = &distributed.batch {
            self.batch(id, map, batch, mapping)?;
        }
        mapping.tolerated = (count, percentage);
        if distributed.writer.is_some() {
            mapping.ends = Some(vec![None; mapping.items.len()]);
        }
        let name = &self.machine.identity.machine_name;
        let label = map
            .label
            .clone()
            .unwrap_or_else(|| self.chance.borrow_mut().uuid());
        let prefix = self
            .machine
            .identity
            .machine_arn
            .replacen(":stateMachine:", ":mapRun:", 1);
        let prefix = prefix
            .strip_suffix(name.as_str())
            .unwrap_or(&prefix)
            .to_owned();
        mapping.run = Some(format!(
            "{prefix}{name}/{label}:{}",
            self.chance.borrow_mut().uuid()
        ));
        Ok(())
    }

    /// `ItemBatcher`: items in groups, each with the same `BatchInput`.
    fn batch(
        &self,
        id: u32,
        map: &'a Map,
        batch: &Batch,
        mapping: &mut Mapping,
    ) -> Result<(), Trouble> {
        let limits = self.with_env(id, None, |env| batch.limits(&env.at(&mapping.input)))?;
        let select = |(index, value): (usize, &Arc<Value>)| {
            let item = Item {
                index,
                value: Arc::clone(value),
            };
            match &map.selector {
                Some(template) => self.with_env(id, Some(&item), |env| {
                    template.render(&env.at(&mapping.input))
                }),
                None => Ok(Value::clone(value)),
            }
        };
        let items: Result<_, Trouble> = mapping.items.iter().enumerate().map(select).collect();
        let groups = batch::group(items?, &limits);
        mapping.items = groups.into_iter().map(Arc::new).collect();
        mapping.selected = true;
        mapping.batched = true;
        mapping.waiting = (0..).take(mapping.items.len()).collect();
        mapping.results = vec![None; mapping.items.len()];
        Ok(())
    }

    pub(super) fn begin_run(&mut self, id: u32, map: &Map) {
        let Some(arn) = self.mapping(id).and_then(|m| m.run.clone()) else {
            return;
        };
        debug_assert!(
            map.distributed.is_some(),
            "only a distributed Map has a run"
        );
        let details = fields([("mapRunArn", arn.into())]);
        self.note(
            id,
            "MapRunStarted",
            Details::Other("mapRunStartedEventDetails", details),
        );
        self.show_run(id, "RUNNING");
    }

    /// Tells the engine where the run stands.
    pub(super) fn show_run(&mut self, id: u32, status: &'static str) {
        let Some(mapping) = self.mapping(id) else {
            return;
        };
        let Some(arn) = mapping.run.clone() else {
            return;
        };
        let run = MapRun {
            arn,
            status,
            concurrency: mapping.most as u64,
            tolerated_count: mapping.tolerated.0.unwrap_or(0),
            tolerated_percentage: mapping.tolerated.1.unwrap_or(0),
            total: mapping.items.len() as u64,
            items: mapping.total(),
            writes: mapping.ends.is_some(),
        };
        self.effects.push(Effect::MapRun(run));
    }

    /// Begins a child execution; its frame.
    pub(super) fn begin_child(&mut self, id: u32, slot: u32, map: &Map, input: Arc<Value>) -> u32 {
        let stream = self.machine.next_stream;
        self.machine.next_stream += 1;
        let run = self
            .mapping(id)
            .and_then(|m| m.run.clone())
            .unwrap_or_default();
        let items = self.mapping(id).map_or(1, |m| m.size(slot));
        let name = self.chance.borrow_mut().uuid();
        let place = run.replacen(":mapRun:", ":execution:", 1);
        let place = place
            .rsplit_once(':')
            .map_or(place.as_str(), |(head, _)| head);
        let arn = format!("{place}:{name}");
        let started = Stream {
            arn: arn.clone(),
            name,
            input: Arc::clone(&input),
            started: self.now,
            last: 0,
        };
        self.machine.streams.insert(stream, started);
        self.effects.push(Effect::ChildStarted {
            stream,
            arn,
            map_run: run,
            input: Arc::clone(&input),
            items,
        });
        let role = self.machine.identity.role_arn.clone();
        let details = Details::Started {
            input: Arc::clone(&input),
            role,
        };
        self.record(stream, 0, "ExecutionStarted", details);
        // A child execution sees no variables of its parent.
        self.open(
            Some((id, slot)),
            stream,
            map.processor,
            input,
            Arc::default(),
            None,
            0,
        )
    }

    pub(super) fn child_succeeded(
        &mut self,
        id: u32,
        slot: u32,
        child: u32,
        stream: u32,
        last: u64,
        output: Arc<Value>,
    ) {
        let ran = self.child_ended(stream, last, Outcome::Succeeded(Arc::clone(&output)));
        self.keep_end(id, slot, ran);
        if let Some(mapping) = self.mapping(id) {
            mapping.running.remove(&child);
            mapping.results[slot as usize] = Some(output);
        }
        if let Err(trouble) = self.pump(id) {
            self.map_trouble(id, &trouble);
        }
    }

    /// A child execution failed: counted, and too many end the run.
    pub(super) fn child_failed(&mut self, child: u32, failure: &Failure) {
        let Some((id, slot)) = self.frame(child).parent else {
            return;
        };
        let (stream, last) = (self.frame(child).stream, self.frame(child).last);
        self.close_children(child, None);
        self.halt(child);
        self.machine.frames.remove(&child);
        let outcome = Outcome::Failed(failure.error.clone(), failure.cause.clone());
        let ran = self.child_ended(stream, last, outcome);
        self.keep_end(id, slot, ran);
        let Some(mapping) = self.mapping(id) else {
            return;
        };
        mapping.running.remove(&child);
        mapping.failed += mapping.size(slot);
        if mapping.fails() {
            let cause = "The specified tolerated failure threshold was exceeded";
            self.run_failed(
                id,
                Failure::new(
                    "States.ExceedToleratedFailureThreshold",
                    Some(cause.to_owned()),
                ),
            );
            return;
        }
        if let Err(trouble) = self.pump(id) {
            self.map_trouble(id, &trouble);
        }
    }

    fn run_failed(&mut self, id: u32, failure: Failure) {
        self.close_children(id, None);
        if let Some(mapping) = self.mapping(id) {
            mapping.running.clear();
        }
        self.show_run(id, "FAILED");
        // What there is is written; whether that succeeds changes nothing.
        self.write(id).ok();
        let details = Details::Failure(
            "mapRunFailedEventDetails",
            fields([]),
            failure.error.clone(),
            failure.cause.clone(),
        );
        self.note(id, "MapRunFailed", details);
        self.failed(id, failure);
    }

    /// Every child execution is over.
    pub(super) fn run_ended(&mut self, id: u32) -> Result<(), Trouble> {
        self.show_run(id, "SUCCEEDED");
        if let Some(task) = self.write(id)? {
            let arn = self.mapping(id).and_then(|m| m.run.clone());
            self.machine.tasks.insert(task, id);
            self.frame_mut(id).phase = Phase::Writing {
                task,
                arn: arn.unwrap_or_default(),
            };
            return Ok(());
        }
        let state = self.state(id);
        let writer = match &state.kind {
            Kind::Map(map) => map.distributed.as_ref().and_then(|d| d.writer.as_ref()),
            _ => None,
        };
        let Some(mapping) = self.mapping(id) else {
            return Ok(());
        };
        let result = match (writer, &mapping.ends) {
            (Some(writer), Some(ends)) => results::shown(ends, &writer.config),
            _ => join(std::mem::take(&mut mapping.results)),
        };
        self.note(id, "MapRunSucceeded", Details::None);
        self.note(id, "MapStateSucceeded", Details::None);
        self.complete(id, Arc::new(result))
    }

    /// Has the results written, where there is a place to write them to; the writing task.
    fn write(&mut self, id: u32) -> Result<Option<u64>, Trouble> {
        let state = self.state(id);
        let Kind::Map(map) = &state.kind else {
            return Ok(None);
        };
        let writer = map.distributed.as_ref().and_then(|d| d.writer.as_ref());
        let Some((writer, resource)) = writer.and_then(|w| Some((w, w.resource.clone()?))) else {
            return Ok(None);
        };
        let Some(mapping) = self.mapping(id) else {
            return Ok(None);
        };
        let run = mapping.run.clone().unwrap_or_default();
        let ends = mapping.ends.as_deref().unwrap_or_default();
        let files = results::files(ends, &mapping.items, &writer.config);
        let outer = Arc::clone(&mapping.input);
        let arguments = self.with_env(id, None, |env| {
            let arguments = writer.arguments.as_ref();
            arguments.map(|t| t.render(&env.at(&outer))).transpose()
        })?;
        let task = self.machine.next_task;
        self.machine.next_task += 1;
        self.effects.push(Effect::WriteResults {
            task,
            run,
            resource,
            arguments: arguments.unwrap_or(Value::Null),
            files,
        });
        Ok(Some(task))
    }

    /// The results were written: where is the Map's result.
    pub(super) fn written(&mut self, id: u32, arn: &str, place: &Value) {
        let result = json!({"MapRunArn": arn, "ResultWriterDetails": place});
        self.note(id, "MapRunSucceeded", Details::None);
        self.note(id, "MapStateSucceeded", Details::None);
        if let Err(trouble) = self.complete(id, Arc::new(result)) {
            self.trouble(id, &trouble);
        }
    }

    /// The child executions that gave no output begin again.
    pub(super) fn redrive_map_run(&mut self, id: u32) {
        let Some(mapping) = self.mapping(id) else {
            return;
        };
        mapping.failed = 0;
        mapping.waiting = (0..)
            .zip(&mapping.results)
            .filter(|(_, result)| result.is_none())
            .map(|(slot, _)| slot)
            .collect();
        for slot in &mapping.waiting {
            if let Some(ends) = &mut mapping.ends {
                ends[*slot as usize] = None;
            }
        }
        let arn = mapping.run.clone().unwrap_or_default();
        let details = fields([
            ("mapRunArn", arn.into()),
            ("redriveCount", self.machine.redrives.into()),
        ]);
        self.note(
            id,
            "MapRunRedriven",
            Details::Other("mapRunRedrivenEventDetails", details),
        );
        self.show_run(id, "RUNNING");
        if let Err(trouble) = self.pump(id) {
            self.map_trouble(id, &trouble);
        }
    }
}
