//! The table's ledger in memory: runs, open jobs, filed progress.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::{
    id::JobId,
    port::{
        Intent, Ledger, LedgerEntry, OpenJob, OpenJobs, OpenRun, OpenRuns, PortError, Shelf,
        WaitingTask, WaitingTasks,
    },
};

use super::{Shared, lock};

/// The ledger.
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger(Shared<State>);

#[derive(Debug, Default)]
struct State {
    runs: BTreeMap<String, LedgerEntry>,
    open: BTreeMap<(String, JobId), OpenJob>,
    noted: BTreeMap<(String, String, String), OpenRun>,
    shelf: BTreeMap<(String, String), String>,
    waiting: BTreeMap<(String, String), WaitingTask>,
}

fn conflict(what: &str) -> PortError {
    PortError::Conflict {
        what: what.to_owned(),
    }
}

impl MemoryLedger {
    /// All entries.
    pub fn entries(&self) -> BTreeMap<String, LedgerEntry> {
        lock(&self.0).runs.clone()
    }

    /// Puts an entry as if it had always been there.
    pub fn set(&self, key: &str, entry: LedgerEntry) {
        lock(&self.0).runs.insert(key.to_owned(), entry);
    }

    /// Takes an entry away, as TTL does.
    pub fn forget(&self, key: &str) {
        lock(&self.0).runs.remove(key);
    }

    /// All jobs noted as open.
    pub fn open_jobs(&self) -> Vec<OpenJob> {
        lock(&self.0).open.values().cloned().collect()
    }

    /// All tasks that wait with a token.
    pub fn waiting_tasks(&self) -> Vec<WaitingTask> {
        lock(&self.0).waiting.values().cloned().collect()
    }

    /// All filed texts.
    pub fn filed(&self) -> Vec<String> {
        lock(&self.0).shelf.values().cloned().collect()
    }
}

impl Ledger for MemoryLedger {
    async fn read(&self, key: &str) -> Result<Option<LedgerEntry>, PortError> {
        Ok(lock(&self.0).runs.get(key).cloned())
    }
    async fn intend(&self, key: &str, intent: &Intent) -> Result<(), PortError> {
        let runs = &mut lock(&self.0).runs;
        match runs.get(key) {
            None => {}
            Some(LedgerEntry::Intended(there)) if there.by == intent.by => {}
            Some(_) => return Err(conflict("the ledger has an entry")),
        }
        runs.insert(key.to_owned(), LedgerEntry::Intended(intent.clone()));
        Ok(())
    }
    async fn take_over(&self, key: &str, old: &Intent, intent: &Intent) -> Result<(), PortError> {
        let runs = &mut lock(&self.0).runs;
        if runs.get(key) != Some(&LedgerEntry::Intended(old.clone())) {
            return Err(conflict("the ledger has another entry"));
        }
        runs.insert(key.to_owned(), LedgerEntry::Intended(intent.clone()));
        Ok(())
    }
    async fn withdraw(&self, key: &str, by: &str) -> Result<(), PortError> {
        let runs = &mut lock(&self.0).runs;
        match runs.get(key) {
            Some(LedgerEntry::Intended(there)) if there.by == by => {
                runs.remove(key);
                Ok(())
            }
            _ => Err(conflict("the ledger has another entry")),
        }
    }
    async fn started(&self, key: &str, run: &str) -> Result<(), PortError> {
        let runs = &mut lock(&self.0).runs;
        if runs.get(key) == Some(&LedgerEntry::Finished) {
            return Err(conflict("the run is finished"));
        }
        let run = run.to_owned();
        runs.insert(key.to_owned(), LedgerEntry::Started { run });
        Ok(())
    }
    async fn finished(&self, key: &str) -> Result<(), PortError> {
        self.set(key, LedgerEntry::Finished);
        Ok(())
    }
}

impl OpenJobs for MemoryLedger {
    async fn open(&self, action: &str, job: &OpenJob) -> Result<(), PortError> {
        let open = &mut lock(&self.0).open;
        let place = (action.to_owned(), job.job.clone());
        if open.get(&place).is_some_and(|there| there.by != job.by) {
            return Err(conflict("the job is open"));
        }
        open.insert(place, job.clone());
        Ok(())
    }
    async fn left_open(
        &self,
        action: &str,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<OpenJob>, PortError> {
        let state = lock(&self.0);
        let left = state
            .open
            .iter()
            .filter(|((of, _), job)| of == action && job.until < now);
        Ok(left.take(most).map(|(_, job)| job.clone()).collect())
    }
    async fn reopen(&self, action: &str, old: &OpenJob, new: &OpenJob) -> Result<(), PortError> {
        let open = &mut lock(&self.0).open;
        let place = (action.to_owned(), old.job.clone());
        if open.get(&place) != Some(old) {
            return Err(conflict("the job is another's"));
        }
        open.insert(place, new.clone());
        Ok(())
    }
    async fn close(&self, action: &str, job: &JobId) -> Result<(), PortError> {
        let place = (action.to_owned(), job.clone());
        lock(&self.0).open.remove(&place);
        Ok(())
    }
}

impl OpenRuns for MemoryLedger {
    async fn note(&self, action: &str, run: &OpenRun) -> Result<(), PortError> {
        let place = (
            action.to_owned(),
            run.execution.clone(),
            run.run_key.clone(),
        );
        lock(&self.0).noted.insert(place, run.clone());
        Ok(())
    }
    async fn noted(&self, action: &str, execution: &str) -> Result<Vec<OpenRun>, PortError> {
        let state = lock(&self.0);
        let noted = state.noted.iter();
        let found = noted.filter(|((of, part_of, _), _)| of == action && part_of == execution);
        Ok(found.map(|(_, run)| run.clone()).collect())
    }
}

impl WaitingTasks for MemoryLedger {
    async fn keep(&self, action: &str, task: &WaitingTask) -> Result<(), PortError> {
        let waiting = &mut lock(&self.0).waiting;
        let place = (action.to_owned(), task.run_key.clone());
        match waiting.get(&place) {
            Some(there) if there.token == task.token && there.by != task.by => {
                return Err(conflict("the task is kept"));
            }
            _ => {}
        }
        waiting.insert(place, task.clone());
        Ok(())
    }
    async fn waiting(
        &self,
        action: &str,
        now: Timestamp,
        due: Timestamp,
        most: usize,
    ) -> Result<Vec<WaitingTask>, PortError> {
        let state = lock(&self.0);
        let found = state
            .waiting
            .iter()
            .filter(|((of, _), task)| of == action && task.until <= now && task.due <= due);
        Ok(found.take(most).map(|(_, task)| task.clone()).collect())
    }
    async fn keep_on(
        &self,
        action: &str,
        old: &WaitingTask,
        new: &WaitingTask,
    ) -> Result<(), PortError> {
        let waiting = &mut lock(&self.0).waiting;
        let place = (action.to_owned(), old.run_key.clone());
        let same = |there: &WaitingTask| {
            let old_ones = there.by == old.by && there.until == old.until;
            there.token == old.token && (old_ones || there.by == new.by)
        };
        if !waiting.get(&place).is_some_and(same) {
            return Err(conflict("the task is another's"));
        }
        waiting.insert(place, new.clone());
        Ok(())
    }
    async fn forget(&self, action: &str, task: &WaitingTask) -> Result<(), PortError> {
        let waiting = &mut lock(&self.0).waiting;
        let place = (action.to_owned(), task.run_key.clone());
        match waiting.get(&place) {
            Some(there) if there.by != task.by => Err(conflict("the task is another's")),
            _ => {
                waiting.remove(&place);
                Ok(())
            }
        }
    }
}

impl Shelf for MemoryLedger {
    async fn put(&self, key: &str, name: &str, text: &str) -> Result<(), PortError> {
        let place = (key.to_owned(), name.to_owned());
        lock(&self.0).shelf.insert(place, text.to_owned());
        Ok(())
    }
    async fn get(&self, key: &str, name: &str) -> Result<Option<String>, PortError> {
        let place = (key.to_owned(), name.to_owned());
        Ok(lock(&self.0).shelf.get(&place).cloned())
    }
}
