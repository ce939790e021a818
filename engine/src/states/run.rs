//! Executions: begun, told what happened, looked at, gone on with after a restart.

use std::{collections::BTreeMap, sync::Arc};

use engine_states::{
    definition::{Definition, Type, parse},
    effect::{Effect, Outcome},
    event::{Event, Input},
    history::HistoryEvent,
    machine::{Machine, Status},
    step::{self, Refusal},
};
use jiff::Timestamp;

use super::{
    Kept, Workflows,
    news::News,
    perform::{self, Open},
    record::{Begun, Child, Ended, Listed, Look, Run},
    store::StoreError,
};
use crate::app::App;

/// An execution in memory.
pub struct Live {
    begun: Arc<Begun>,
    definition: Arc<Definition>,
    machine: Machine,
    seq: i64,
    history: Vec<HistoryEvent>,
    runs: BTreeMap<String, Run>,
    children: BTreeMap<u32, Child>,
    ended: Option<Ended>,
    redriven: Option<Timestamp>,
    open: Open,
}

/// Why an execution did not take what it was told.
#[derive(Debug, thiserror::Error)]
pub enum Told {
    /// There is none of that ARN.
    #[error("Execution Does Not Exist: '{0}'")]
    Unknown(String),
    /// It does not fit what the execution waits for.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A seed that nobody can guess.
pub fn seed() -> u128 {
    uuid::Uuid::new_v4().as_u128() ^ (uuid::Uuid::new_v4().as_u128() << 64)
}

impl Live {
    /// From the beginning through all inputs; what is open then is in `open`.
    pub(super) fn replay(begun: Begun, inputs: &[Input]) -> Result<Self, StoreError> {
        let refused = |_| StoreError::Definition(begun.identity.machine_arn.clone());
        let definition = parse(&begun.definition, begun.kind).map_err(refused)?;
        let (machine, effects) = step::start(
            &definition,
            begun.kind,
            begun.identity.clone(),
            begun.input.clone(),
            begun.at,
            begun.seed,
        );
        let mut live = Self {
            begun: Arc::new(begun),
            definition: Arc::new(definition),
            machine,
            seq: 0,
            history: Vec::new(),
            runs: BTreeMap::new(),
            children: BTreeMap::new(),
            ended: None,
            redriven: None,
            open: Open::default(),
        };
        let at = live.begun.at;
        live.take(&effects, at);
        for input in inputs {
            live.open.told(&input.event);
            // A journaled input was taken once.
            if let Ok(effects) = step::step(&mut live.machine, &live.definition, input) {
                live.took(&input.event, input.at);
                live.take(&effects, input.at);
            }
            live.seq += 1;
        }
        Ok(live)
    }

    #[cfg(test)]
    pub(super) fn history(&self) -> &[HistoryEvent] {
        &self.history
    }

    /// What is to be told: that it runs (from its beginning or again), that it has ended.
    fn news(&self, app: &App, runs: bool) -> Vec<News> {
        let news = |ended: Option<Ended>| News {
            begun: Arc::clone(&self.begun),
            ended,
            redriven: (self.machine.redrives(), self.redriven),
            busy: app.clock.busy(),
        };
        let runs = runs.then(|| news(None));
        let ended = self.ended.clone().map(|ended| news(Some(ended)));
        runs.into_iter().chain(ended).collect()
    }

    fn took(&mut self, event: &Event, at: Timestamp) {
        if *event == Event::Redrive {
            self.redriven = Some(at);
            self.ended = None;
        }
    }

    /// Keeps what effects tell.
    fn take(&mut self, effects: &[Effect], at: Timestamp) {
        for effect in effects {
            self.open.asked(effect);
            match effect {
                // An express execution has no history to ask for.
                Effect::Record(event) if self.begun.kind == Type::Standard => {
                    self.history.push(event.clone())
                }
                Effect::MapRun(run) => {
                    let known = self.runs.entry(run.arn.clone());
                    known
                        .or_insert_with(|| Run::new(run.clone(), at))
                        .stands(run, at);
                }
                Effect::ChildStarted {
                    stream,
                    arn,
                    map_run,
                    input,
                    items,
                } => {
                    if let Some(run) = self.runs.get_mut(map_run) {
                        run.began(*items);
                    }
                    let child = Child {
                        stream: *stream,
                        arn: arn.clone(),
                        run: map_run.clone(),
                        input: Arc::clone(input),
                        items: *items,
                        at,
                        ended: None,
                    };
                    self.children.insert(*stream, child);
                }
                Effect::ChildFinished { stream, outcome } => self.child_ended(*stream, outcome, at),
                Effect::Finished(outcome) => self.ended = Some(Ended::of(outcome, at)),
                _ => {}
            }
        }
    }
}

impl Live {
    fn child_ended(&mut self, stream: u32, outcome: &Outcome, at: Timestamp) {
        let Some(child) = self.children.get_mut(&stream) else {
            return;
        };
        child.ended = Some(Ended::of(outcome, at));
        if let Some(run) = self.runs.get_mut(&child.run) {
            run.over(child.items, outcome);
        }
    }
}

impl Workflows {
    /// Begins an execution.
    ///
    /// # Errors
    /// It cannot be kept.
    pub fn begin(&self, app: &App, begun: Begun) -> Result<(), StoreError> {
        let arn = begun.identity.arn.clone();
        let (open, news) = {
            let mut kept = self.kept();
            let mut live = Live::replay(begun, &[])?;
            let transaction = kept.store.db.unchecked_transaction()?;
            kept.store.begin(&live.begun)?;
            keep(&kept, &arn, &live)?;
            transaction.commit()?;
            let news = live.news(app, true);
            let open = std::mem::take(&mut live.open);
            if live.machine.status() == Status::Running {
                kept.live.insert(arn.clone(), live);
            }
            (open, news)
        };
        news.into_iter().for_each(|n| self.announce(n));
        perform::all(app, &arn, open);
        self.inner.changed.send_modify(|n| *n += 1);
        Ok(())
    }

    /// Tells an execution what happened: kept first, then applied, then performed.
    ///
    /// # Errors
    /// [`Told`]
    pub fn tell(&self, app: &App, arn: &str, event: Event) -> Result<(), Told> {
        let redriven = event == Event::Redrive;
        let (open, news) = {
            let mut guard = self.kept();
            let kept = &mut *guard;
            let mut live = match kept.live.remove(arn) {
                Some(live) => live,
                None => load(kept, arn)?,
            };
            let result = apply(kept, arn, &mut live, event, self.inner.clock.now());
            let open = std::mem::take(&mut live.open);
            // After a failure of the disk the machine may be ahead of the file: it is read again when it is next needed.
            let sound = !matches!(result, Err(Told::Store(_)));
            let news = live.news(app, redriven);
            if sound && live.machine.status() == Status::Running {
                kept.live.insert(arn.to_owned(), live);
            }
            result.map(|()| (open, news))?
        };
        news.into_iter().for_each(|n| self.announce(n));
        perform::all(app, arn, open);
        self.inner.changed.send_modify(|n| *n += 1);
        Ok(())
    }

    /// Everything about an execution.
    ///
    /// # Errors
    /// [`Told::Unknown`], or the disk's.
    pub fn look(&self, arn: &str) -> Result<Look, Told> {
        let kept = self.kept();
        let loaded;
        let live = match kept.live.get(arn) {
            Some(live) => live,
            None => {
                loaded = load(&kept, arn)?;
                &loaded
            }
        };
        Ok(Look {
            begun: Begun::clone(&live.begun),
            ended: live.ended.clone(),
            history: live.history.clone(),
            children: live.children.values().cloned().collect(),
            runs: live.runs.clone(),
            redriven: (live.machine.redrives(), live.redriven),
        })
    }

    /// An execution's beginning and end.
    ///
    /// # Errors
    /// The disk's.
    pub fn listed(&self, arn: &str) -> Result<Option<Listed>, StoreError> {
        self.kept().store.execution(arn)
    }

    /// Executions of a machine, the newest first.
    ///
    /// # Errors
    /// The disk's.
    pub fn list(&self, machine: &str, status: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        self.kept().store.executions(machine, status)
    }

    /// The execution and task that a token answers.
    ///
    /// # Errors
    /// The disk's.
    pub fn task_of(&self, token: &str) -> Result<Option<(String, u64)>, StoreError> {
        self.kept().store.task_of(token)
    }

    /// The execution that a map run belongs to, with the run's own ARN; `run` may end with `:%` for any id.
    ///
    /// # Errors
    /// The disk's.
    pub fn execution_of(&self, run: &str) -> Result<Option<(String, String)>, StoreError> {
        self.kept().store.execution_of(run)
    }

    /// Waits until an execution has ended.
    ///
    /// # Errors
    /// The disk's, or it does not exist.
    pub async fn wait(&self, arn: &str) -> Result<Listed, Told> {
        let mut changed = self.inner.changed.subscribe();
        loop {
            let listed = self
                .listed(arn)?
                .ok_or_else(|| Told::Unknown(arn.to_owned()))?;
            if listed.ended.is_some() || changed.changed().await.is_err() {
                return Ok(listed);
            }
        }
    }

    pub(super) fn running(&self) -> Vec<String> {
        self.kept().store.running().unwrap_or_else(|error| {
            tracing::error!(%error, "executions of an earlier run cannot be read");
            Vec::new()
        })
    }

    /// Goes on with an execution of an earlier run: what was open is done again.
    pub(super) fn resume(&self, app: &App, arn: &str) {
        let open = {
            let mut kept = self.kept();
            match load(&kept, arn) {
                Ok(mut live) => {
                    let open = std::mem::take(&mut live.open);
                    kept.live.insert(arn.to_owned(), live);
                    open
                }
                Err(error) => {
                    app.logs
                        .notice(format!("execution {arn} does not go on: {error}"));
                    return;
                }
            }
        };
        perform::all(app, arn, open);
    }
}

fn load(kept: &Kept, arn: &str) -> Result<Live, Told> {
    let listed = kept
        .store
        .execution(arn)?
        .ok_or_else(|| Told::Unknown(arn.to_owned()))?;
    let inputs = kept.store.inputs(arn)?;
    let mut live = Live::replay(listed.begun, &inputs)?;
    if live.machine.status() != Status::Running {
        live.open = Open::default();
    }
    Ok(live)
}

/// One input: written, applied, committed. A refused one leaves no trace.
fn apply(kept: &Kept, arn: &str, live: &mut Live, event: Event, at: Timestamp) -> Result<(), Told> {
    // What is left from loading is being done already.
    live.open = Open::default();
    let transaction = kept
        .store
        .db
        .unchecked_transaction()
        .map_err(StoreError::from)?;
    let input = Input {
        at,
        seed: seed(),
        event,
    };
    kept.store.input(arn, live.seq, &input)?;
    let effects = step::step(&mut live.machine, &live.definition, &input)?;
    live.seq += 1;
    live.took(&input.event, at);
    live.take(&effects, at);
    keep(kept, arn, live)?;
    if input.event == Event::Redrive {
        kept.store.stand(arn, live.ended.as_ref())?;
    }
    transaction.commit().map_err(StoreError::from)?;
    Ok(())
}

/// What else belongs into the transaction of an input.
fn keep(kept: &Kept, arn: &str, live: &Live) -> Result<(), StoreError> {
    for order in live.open.tasks() {
        if let Some(token) = &order.token {
            kept.store.token(token, arn, order.task)?;
        }
    }
    for run in live.runs.keys() {
        kept.store.map_run(run, arn)?;
    }
    if live.ended.is_some() {
        kept.store.stand(arn, live.ended.as_ref())?;
    }
    Ok(())
}
