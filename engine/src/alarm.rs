//! CloudWatch alarms: states that people and tests set, for CloudWatchAlarm rules. No metric is ever evaluated.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::vault::write_private;

/// All alarms; clones share them. They survive a restart.
#[derive(Clone)]
pub struct Alarms {
    inner: Arc<Inner>,
}

struct Inner {
    file: PathBuf,
    kept: Mutex<BTreeMap<String, Alarm>>,
    changed: watch::Sender<u64>,
}

/// One metric alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// The members of PutMetricAlarm but for its tags, as they were sent.
    pub configuration: Map<String, Value>,
    /// When they were sent.
    pub configured: Timestamp,
    /// What it says now.
    pub state: AlarmState,
    /// Why, in words.
    pub reason: String,
    /// Why, as JSON.
    pub reason_data: Option<String>,
    /// When state or reason were set.
    pub updated: Timestamp,
    /// When the state became another one.
    pub transitioned: Timestamp,
}

/// `StateValue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    Ok,
    Alarm,
    InsufficientData,
}

impl AlarmState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Alarm, Self::InsufficientData];

    /// As on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    /// The state of that name.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl Alarms {
    /// Opens the alarms kept in `file`.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn open(file: &Path) -> io::Result<Self> {
        let kept = match fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let text = format!("{} is not a file of alarms: {error}", file.display());
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                file: file.to_owned(),
                kept: Mutex::new(kept),
                changed: watch::Sender::new(0),
            }),
        })
    }

    /// The alarm of that name.
    pub fn get(&self, name: &str) -> Option<Alarm> {
        self.lock().get(name).cloned()
    }

    /// All, by name.
    pub fn all(&self) -> BTreeMap<String, Alarm> {
        self.lock().clone()
    }

    /// Makes an alarm, which then has too little data, or changes one, which keeps its state.
    ///
    /// # Errors
    /// It cannot be stored.
    pub fn put(
        &self,
        name: &str,
        configuration: Map<String, Value>,
        now: Timestamp,
    ) -> io::Result<()> {
        self.change(|kept| {
            let alarm = kept.entry(name.to_owned()).or_insert_with(|| Alarm {
                configuration: Map::new(),
                configured: now,
                state: AlarmState::InsufficientData,
                reason: "Unchecked: Initial alarm creation".to_owned(),
                reason_data: None,
                updated: now,
                transitioned: now,
            });
            alarm.configuration = configuration;
            alarm.configured = now;
        })
    }

    /// Sets what an alarm says; `false`: there is none of that name.
    ///
    /// # Errors
    /// It cannot be stored.
    pub fn set(
        &self,
        name: &str,
        state: AlarmState,
        reason: &str,
        reason_data: Option<&str>,
        now: Timestamp,
    ) -> io::Result<bool> {
        self.change(|kept| {
            let Some(alarm) = kept.get_mut(name) else {
                return false;
            };
            if alarm.state != state {
                alarm.transitioned = now;
            }
            alarm.state = state;
            reason.clone_into(&mut alarm.reason);
            alarm.reason_data = reason_data.map(str::to_owned);
            alarm.updated = now;
            true
        })
    }

    /// Deletes alarms; `false`: one of them was not there (the others are gone).
    ///
    /// # Errors
    /// It cannot be stored.
    pub fn delete(&self, names: &[String]) -> io::Result<bool> {
        self.change(|kept| {
            let missing: Vec<_> = names
                .iter()
                .filter(|name| kept.remove(*name).is_none())
                .collect();
            missing.is_empty()
        })
    }

    /// Tells of every change from now on.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    fn change<R>(&self, change: impl FnOnce(&mut BTreeMap<String, Alarm>) -> R) -> io::Result<R> {
        let mut kept = self.lock();
        let mut next = kept.clone();
        let answer = change(&mut next);
        if next != *kept {
            let text = serde_json::to_vec(&next)?;
            write_private(&self.inner.file, &text)?;
            *kept = next;
            drop(kept);
            self.inner.changed.send_modify(|count| *count += 1);
        }
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Alarm>> {
        self.inner
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_keep_their_state_over_changes_and_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alarms.json");
        let alarms = Alarms::open(&file).unwrap();
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        assert!(!alarms.set("a", AlarmState::Ok, "", None, at(1)).unwrap());
        alarms.put("a", Map::new(), at(2)).unwrap();
        assert_eq!(alarms.get("a").unwrap().state, AlarmState::InsufficientData);
        assert!(alarms.set("a", AlarmState::Ok, "so", None, at(3)).unwrap());
        assert!(
            alarms
                .set("a", AlarmState::Ok, "still", None, at(4))
                .unwrap()
        );
        alarms.put("a", Map::new(), at(5)).unwrap();
        alarms.put("b", Map::new(), at(5)).unwrap();
        drop(alarms);
        let alarms = Alarms::open(&file).unwrap();
        let alarm = alarms.get("a").unwrap();
        assert_eq!(
            (alarm.state, alarm.reason.as_str()),
            (AlarmState::Ok, "still")
        );
        assert_eq!((alarm.configured, alarm.updated), (at(5), at(4)));
        assert_eq!(alarm.transitioned, at(3));
        let names = ["b".to_owned(), "x".to_owned(), "a".to_owned()];
        assert!(!alarms.delete(&names).unwrap());
        assert!(alarms.all().is_empty());
        fs::write(&file, "no").unwrap();
        assert!(Alarms::open(&file).is_err());
    }
}
