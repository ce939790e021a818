//! The one door to executions that have left memory.

use std::{
    borrow::Cow,
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine_plan::{
    effect::Archived,
    refusal::Refusal,
    state::{Execution, Pipeline, StageStatus, State},
};

use crate::journal::{Journal, JournalError, Row};

/// The journal, shared by the writer and those who read the past; empty once the writer has ended.
pub(super) type Shelf = Arc<Mutex<Option<Journal>>>;

/// Everything that has left memory, as of the state it is lent with.
#[derive(Debug)]
pub struct Past<'a> {
    journal: &'a Shelf,
}

/// Executions of a pipeline, newest first, wherever they are.
#[derive(Debug)]
pub struct History<'a> {
    past: &'a Past<'a>,
    pipeline: &'a Pipeline,
    /// Only those that succeeded in this stage.
    stage: Option<&'a str>,
    /// How many are read at once.
    chunk: usize,
    /// Numbers from here on were given or passed over.
    end: usize,
    /// Archived ones below `end`, newest first.
    read: VecDeque<Archived>,
    /// The archive may hold more than was read, below this number.
    more: Option<usize>,
}

impl<'a> Past<'a> {
    pub(super) const fn new(journal: &'a Shelf) -> Self {
        Self { journal }
    }

    /// The execution of that id and its number, in memory or not.
    ///
    /// # Errors
    /// An InternalFailure, if the archive cannot be read; the log says why.
    pub fn find<'p>(
        &self,
        pipeline: &'p Pipeline,
        id: &str,
    ) -> Result<Option<(usize, Cow<'p, Execution>)>, Refusal> {
        if let Some(number) = pipeline.execution_index.get(id) {
            let run = pipeline.executions.get(*number);
            return Ok(run.map(|run| (*number, Cow::Borrowed(run))));
        }
        if pipeline.executions.started() == pipeline.executions.len() {
            return Ok(None);
        }
        let name = &pipeline.definition.name;
        let rows = self.rows(|journal| Ok(journal.archived(name, id)?.into_iter().collect()))?;
        let found = self.decoded(name, rows)?.pop_front();
        Ok(found.map(|it| (it.number, Cow::Owned(it.execution))))
    }

    /// The execution of that number, which is not in memory.
    ///
    /// # Errors
    /// As [`Past::find`].
    pub fn numbered(
        &self,
        state: &State,
        pipeline: &str,
        number: usize,
    ) -> Result<Option<Execution>, Refusal> {
        if !state.pipelines.contains_key(pipeline) {
            return Ok(None);
        }
        let rows = self.rows(|journal| {
            let row = journal.archived_number(pipeline, number)?;
            Ok(row.into_iter().collect())
        })?;
        let found = self.decoded(pipeline, rows)?.pop_front();
        Ok(found.map(|it| it.execution))
    }

    /// Executions with numbers below `end`, newest first; if a stage is given, only those that succeeded there. About
    /// `expected` of them will be asked for.
    pub fn history(
        &'a self,
        pipeline: &'a Pipeline,
        end: Option<usize>,
        stage: Option<&'a str>,
        expected: usize,
    ) -> History<'a> {
        let started = pipeline.executions.started();
        let end = end.unwrap_or(started).min(started);
        History {
            past: self,
            pipeline,
            stage,
            chunk: expected.clamp(1, 128),
            end,
            read: VecDeque::new(),
            more: Some(end),
        }
    }

    fn rows(
        &self,
        read: impl FnOnce(&Journal) -> Result<Vec<Row>, JournalError>,
    ) -> Result<Vec<Row>, Refusal> {
        let journal = locked(self.journal);
        let Some(journal) = journal.as_ref() else {
            return Err(super::stopping());
        };
        read(journal).map_err(|error| unreadable(&error))
    }

    /// Decodes without holding the journal. One that cannot be read is made anew at the next start.
    fn decoded(&self, pipeline: &str, rows: Vec<Row>) -> Result<VecDeque<Archived>, Refusal> {
        let decoded: Result<_, _> = rows.into_iter().map(|row| row.decode(pipeline)).collect();
        decoded.map_err(|error| {
            if let Some(journal) = locked(self.journal).as_mut()
                && let Err(error) = journal.distrust()
            {
                tracing::error!(%error, "the snapshot cannot be given up");
            }
            unreadable(&error)
        })
    }
}

impl<'a> Iterator for History<'a> {
    type Item = Result<(usize, Cow<'a, Execution>), Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let below = self.end.checked_sub(1)?;
            let executions = &self.pipeline.executions;
            let kept = executions.before(self.end).next_back();
            let number = match kept {
                // nothing archived can lie between
                Some((number, _)) if number == below => number,
                kept => {
                    if let Err(refusal) = self.fill() {
                        self.end = 0;
                        return Some(Err(refusal));
                    }
                    let archived = self.read.front().map(|it| it.number);
                    match (kept.map(|(number, _)| number), archived) {
                        (None, None) => {
                            self.end = 0;
                            return None;
                        }
                        (kept, archived) if kept > archived => kept.unwrap_or_default(),
                        _ => {
                            let it = self.read.pop_front()?;
                            self.end = it.number;
                            return Some(Ok((it.number, Cow::Owned(it.execution))));
                        }
                    }
                }
            };
            self.end = number;
            let run = executions.get(number)?;
            if self.stage.is_none_or(|stage| succeeded(run, stage)) {
                return Some(Ok((number, Cow::Borrowed(run))));
            }
        }
    }
}

impl History<'_> {
    /// Reads on, if nothing that was read is left.
    fn fill(&mut self) -> Result<(), Refusal> {
        let Some(before) = self.more.filter(|_| self.read.is_empty()) else {
            return Ok(());
        };
        let before = before.min(self.end);
        let name = &self.pipeline.definition.name;
        let (stage, chunk) = (self.stage, self.chunk);
        let rows = self
            .past
            .rows(|journal| journal.older(name, before, stage, chunk))?;
        let last = rows.last().map(|row| row.number);
        self.more = last.filter(|_| rows.len() == chunk);
        self.read = self.past.decoded(name, rows)?;
        Ok(())
    }
}

fn succeeded(run: &Execution, stage: &str) -> bool {
    run.stage(stage)
        .is_some_and(|run| run.status == StageStatus::Succeeded)
}

pub(super) fn locked(journal: &Mutex<Option<Journal>>) -> MutexGuard<'_, Option<Journal>> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The log gets the cause, the caller AWS's word for it.
pub(super) fn unreadable(error: &JournalError) -> Refusal {
    let error: &dyn std::error::Error = error;
    tracing::error!(error, "the archive cannot be read");
    Refusal::internal("the history of this pipeline cannot be read: see the engine's log")
}
