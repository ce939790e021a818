//! The append-only record (SQLite, WAL): every accepted input, in order, as versioned JSON.

use std::path::{Path, PathBuf};

use engine_plan::event::Input;
use rusqlite::{Connection, ErrorCode};
use serde::{Deserialize, Serialize};

/// Version of one record; a change of its shape raises it and keeps reading the older ones.
pub const RECORD_VERSION: u32 = 1;
/// Version of the tables.
const SCHEMA_VERSION: i64 = 1;
/// `PRAGMA application_id`: "SWJL".
const APPLICATION_ID: i64 = 0x5357_4a4c;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another engine runs on the same state folder.
    #[error(
        "{path} is in use by another stagewright: stop that one, or choose another folder with --state"
    )]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// Not ours, or of a newer version.
    #[error(
        "{path} is not a journal this version can read ({found}): use the version that wrote it, or another folder with --state"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// A record cannot be read back.
    #[error("record {seq} of {path} cannot be read")]
    Record {
        /// The journal.
        path: PathBuf,
        /// Its number, from 1.
        seq: i64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A record cannot be written as JSON.
    #[error("an input cannot be written down")]
    Encode(#[source] serde_json::Error),
    /// The file cannot be made.
    #[error("{path} cannot be made")]
    File {
        /// The journal.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The disk or SQLite failed.
    #[error("{path} cannot be read or written")]
    Storage {
        /// The journal.
        path: PathBuf,
        /// SQLite's error.
        #[source]
        source: rusqlite::Error,
    },
}

/// The open journal; it is locked against other processes as long as it lives.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    connection: Connection,
}

/// One line of the journal. The field names are the format: see the golden file in the tests.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record<I> {
    v: u32,
    input: I,
}

impl Journal {
    /// Opens or creates it.
    ///
    /// # Errors
    /// It is in use, not ours, or the disk refuses.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let fail = |e| storage(path, e);
        private(path).map_err(|source| JournalError::File {
            path: path.to_owned(),
            source,
        })?;
        let connection = Connection::open(path).map_err(fail)?;
        let journal = Self {
            path: path.to_owned(),
            connection,
        };
        journal.prepare()?;
        Ok(journal)
    }

    /// Reads every record in order.
    ///
    /// # Errors
    /// The first record that cannot be read, or the first error of `each`.
    pub fn replay<E: From<JournalError>>(
        &self,
        mut each: impl FnMut(i64, Input) -> Result<(), E>,
    ) -> Result<(), E> {
        let fail = |e| storage(&self.path, e);
        let mut query = self
            .connection
            .prepare("SELECT seq, body FROM input ORDER BY seq")
            .map_err(fail)?;
        let mut rows = query.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let seq = row.get(0).map_err(fail)?;
            let body = row.get_ref(1).and_then(|v| Ok(v.as_str()?)).map_err(fail)?;
            each(seq, self.decode(seq, body)?)?;
        }
        Ok(())
    }

    /// Adds records in one transaction: all of them are on disk afterwards, or none.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn append(&mut self, inputs: &[Input]) -> Result<(), JournalError> {
        let Self { path, connection } = self;
        let fail = |e| storage(path, e);
        let transaction = connection.transaction().map_err(fail)?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO input (body) VALUES (?1)")
                .map_err(fail)?;
            for input in inputs {
                insert.execute([encode(input)?]).map_err(fail)?;
            }
        }
        transaction.commit().map_err(fail)
    }

    fn prepare(&self) -> Result<(), JournalError> {
        let fail = |e| storage(&self.path, e);
        let db = &self.connection;
        // EXCLUSIVE: one engine per state folder, told at once; SQLite then also needs no shared-memory file.
        // NORMAL: in WAL mode a killed process loses nothing, because committed pages are with the kernel; only a
        // power cut may lose the newest commits, and never breaks the file. FULL would cost one fsync per batch.
        db.execute_batch(
            "PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;
             PRAGMA synchronous = NORMAL; BEGIN EXCLUSIVE; COMMIT;",
        )
        .map_err(fail)?;
        let pragma = |name| {
            db.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .map_err(fail)
        };
        match (pragma("application_id")?, pragma("user_version")?) {
            (0, 0) => db
                .execute_batch(&format!(
                    "BEGIN; CREATE TABLE input (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
                     PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                ))
                .map_err(fail),
            (APPLICATION_ID, SCHEMA_VERSION) => Ok(()),
            (APPLICATION_ID, other) => Err(self.foreign(format!("format {other}"))),
            _ => Err(self.foreign("another program's database".to_owned())),
        }
    }

    fn decode(&self, seq: i64, body: &str) -> Result<Input, JournalError> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let fail = |source| JournalError::Record {
            path: self.path.clone(),
            seq,
            source,
        };
        match serde_json::from_str::<Record<Input>>(body) {
            Ok(Record {
                v: RECORD_VERSION,
                input,
            }) => Ok(input),
            Ok(Record { v, .. }) => Err(self.foreign(format!("record {seq} has version {v}"))),
            Err(error) => match serde_json::from_str::<Version>(body) {
                Ok(Version { v }) if v != RECORD_VERSION => {
                    Err(self.foreign(format!("record {seq} has version {v}")))
                }
                _ => Err(fail(error)),
            },
        }
    }

    fn foreign(&self, found: String) -> JournalError {
        JournalError::Foreign {
            path: self.path.clone(),
            found,
        }
    }
}

/// Makes the file readable by its owner only: it holds approval tokens. SQLite gives its other files the same mode.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    // Only a new file: opening and closing one that is in use would drop this process's locks on it.
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

fn encode(input: &Input) -> Result<String, JournalError> {
    serde_json::to_string(&Record {
        v: RECORD_VERSION,
        input,
    })
    .map_err(JournalError::Encode)
}

fn storage(path: &Path, source: rusqlite::Error) -> JournalError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => JournalError::InUse { path },
        Some(ErrorCode::NotADatabase) => JournalError::Foreign {
            path,
            found: "not a database".to_owned(),
        },
        _ => JournalError::Storage { path, source },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use engine_plan::{
        definition::{ArtifactCount, CustomActionType, PipelineDeclaration},
        event::{
            Event, ExecutionDetails, Outcome, RetryMode, Revision, Settings,
            SourceRevisionOverride, Trigger,
        },
        gate::GateKind,
    };

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn details() -> ExecutionDetails {
        ExecutionDetails {
            summary: Some("half done".to_owned()),
            external_execution_id: Some("run-7".to_owned()),
            external_execution_url: Some("https://ci.example.com/7".to_owned()),
            percent_complete: Some(50),
        }
    }

    /// Fails to compile when a kind of event is new: add it below, and its line at the end of the golden file.
    fn every_kind_is_below(event: &Event) {
        match event {
            Event::Configured { .. }
            | Event::Resumed
            | Event::CreatePipeline { .. }
            | Event::UpdatePipeline { .. }
            | Event::DeletePipeline { .. }
            | Event::Tag { .. }
            | Event::Untag { .. }
            | Event::CreateCustomActionType { .. }
            | Event::DeleteCustomActionType { .. }
            | Event::Start { .. }
            | Event::Stop { .. }
            | Event::Retry { .. }
            | Event::Rollback { .. }
            | Event::Override { .. }
            | Event::SetTransition { .. }
            | Event::Approval { .. }
            | Event::JobsPolled { .. }
            | Event::JobAcknowledged { .. }
            | Event::JobSucceeded { .. }
            | Event::JobFailed { .. }
            | Event::Progress { .. }
            | Event::Finished { .. }
            | Event::TimePassed => {}
        }
    }

    /// One event of every kind.
    fn events() -> Vec<Event> {
        let text = |t: &str| t.to_owned();
        let definition: PipelineDeclaration = serde_json::from_value(serde_json::json!({
            "name": "shop", "roleArn": "arn:aws:iam::123456789012:role/pipe",
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": [{"name": "Source", "actions": [{
                "name": "Code",
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
                "configuration": {"S3Bucket": "b"}, "outputArtifacts": [{"name": "Out"}],
            }]}],
        }))
        .unwrap();
        let revision = Revision {
            revision_id: text("abc"),
            change_identifier: Some(text("c")),
            summary: Some(text("first")),
            url: Some(text("https://git.example.com/abc")),
            created: Some("2026-01-02T03:04:05.678Z".parse().unwrap()),
        };
        let counts = ArtifactCount {
            minimum_count: 0,
            maximum_count: 1,
        };
        vec![
            Event::Configured {
                settings: Settings {
                    account: text("123456789012"),
                    region: text("eu-west-1"),
                    continuation_seconds: 30,
                },
            },
            Event::CreatePipeline {
                definition: definition.clone(),
                tags: map(&[("team", "web")]),
                start: true,
            },
            Event::UpdatePipeline { definition },
            Event::DeletePipeline { name: text("shop") },
            Event::Tag {
                pipeline: text("shop"),
                tags: map(&[("team", "web")]),
            },
            Event::Untag {
                pipeline: text("shop"),
                keys: vec![text("team")],
            },
            Event::CreateCustomActionType {
                action_type: CustomActionType {
                    category: text("Build"),
                    provider: text("Mine"),
                    version: text("1"),
                    settings: None,
                    configuration_properties: Vec::new(),
                    input_artifact_details: counts,
                    output_artifact_details: counts,
                },
            },
            Event::DeleteCustomActionType {
                category: text("Build"),
                provider: text("Mine"),
                version: text("1"),
            },
            Event::Start {
                pipeline: text("shop"),
                trigger: Trigger {
                    trigger_type: text("StartPipelineExecution"),
                    trigger_detail: text("arn:aws:iam::123456789012:user/dana"),
                },
                variables: map(&[("stage", "test")]),
                source_revisions: vec![SourceRevisionOverride {
                    action_name: text("Code"),
                    revision_type: text("COMMIT_ID"),
                    revision_value: text("abc"),
                }],
                client_token: Some(text("once")),
            },
            Event::Stop {
                pipeline: text("shop"),
                execution: text("e-1"),
                abandon: true,
                reason: Some(text("wrong")),
            },
            Event::Retry {
                pipeline: text("shop"),
                stage: text("Build"),
                execution: text("e-1"),
                mode: RetryMode::FailedActions,
            },
            Event::SetTransition {
                pipeline: text("shop"),
                stage: text("Build"),
                inbound: true,
                enabled: false,
                reason: Some(text("freeze")),
                by: text("dana"),
            },
            Event::Approval {
                pipeline: text("shop"),
                stage: text("Gate"),
                action: text("Ask"),
                token: text("t-1").into(),
                approved: true,
                summary: text("fine"),
                by: text("dana"),
            },
            Event::JobsPolled {
                jobs: vec![text("j-1")],
            },
            Event::JobAcknowledged {
                job: text("j-1"),
                nonce: text("3"),
            },
            Event::JobSucceeded {
                job: text("j-1"),
                continuation: Some(text("more")),
                variables: map(&[("url", "u")]),
                details: details(),
                revision: Some(revision.clone()),
            },
            Event::JobFailed {
                job: text("j-1"),
                kind: text("JobFailed"),
                message: text("no"),
                external_id: None,
            },
            Event::Progress {
                action_execution: text("a-1"),
                details: details(),
            },
            Event::Finished {
                action_execution: text("a-1"),
                outcome: Outcome::Succeeded {
                    details: details(),
                    variables: map(&[("CommitId", "abc")]),
                    revision: Some(revision),
                },
            },
            Event::Finished {
                action_execution: text("a-1"),
                outcome: Outcome::Failed {
                    code: text("JobFailed"),
                    message: text("no"),
                    details: ExecutionDetails::default(),
                },
            },
            Event::Finished {
                action_execution: text("a-1"),
                outcome: Outcome::Stopped,
            },
            Event::TimePassed,
            Event::Resumed,
            Event::Rollback {
                pipeline: text("shop"),
                stage: text("Build"),
                target: text("e-1"),
                by: text("dana"),
            },
            Event::Override {
                pipeline: text("shop"),
                stage: text("Build"),
                execution: text("e-1"),
                gate: GateKind::BeforeEntry,
            },
        ]
    }

    fn inputs() -> Vec<Input> {
        let at = "2026-01-02T03:04:05.678901Z".parse().unwrap();
        let seed = |n: usize| u128::MAX - n as u128;
        let input = |(n, event)| Input {
            at,
            seed: seed(n),
            event,
        };
        events().into_iter().enumerate().map(input).collect()
    }

    fn read(journal: &Journal) -> Result<Vec<Input>, JournalError> {
        let mut all = Vec::new();
        journal.replay(|_, input| {
            all.push(input);
            Ok::<_, JournalError>(())
        })?;
        Ok(all)
    }

    /// A changed line means that journals of released versions cannot be read: raise the version instead.
    #[test]
    fn the_format_of_version_1_stays() {
        events().iter().for_each(every_kind_is_below);
        let golden = include_str!("journal_v1.golden");
        let written: String = inputs().iter().map(|i| encode(i).unwrap() + "\n").collect();
        assert!(
            written == golden,
            "the journal would now be written as:\n{written}"
        );
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("j")).unwrap();
        journal.append(&inputs()).unwrap();
        assert_eq!(read(&journal).unwrap(), inputs());
    }

    #[test]
    fn it_is_kept_and_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.sqlite");
        let mut first = Journal::open(&path).unwrap();
        first.append(&inputs()[..2]).unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            use std::os::unix::fs::PermissionsExt;
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?} can be read by others", file.path());
        }
        let second = Journal::open(&path).unwrap_err();
        assert!(matches!(second, JournalError::InUse { .. }), "{second:?}");
        drop(first);
        let again = Journal::open(&path).unwrap();
        assert_eq!(read(&again).unwrap(), inputs()[..2]);
    }

    #[test]
    fn what_is_not_ours_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            Journal::open(&folder.path().join(name))
                .and_then(|j| read(&j))
                .unwrap_err()
                .to_string()
        };
        let change = |name: &str, sql: &str| {
            Connection::open(folder.path().join(name))
                .unwrap()
                .execute_batch(sql)
                .unwrap()
        };
        std::fs::write(
            folder.path().join("text"),
            "not a database, but long enough to look like a file\n".repeat(50),
        )
        .unwrap();
        assert!(open("text").contains("not a database"), "{}", open("text"));
        change("other", "PRAGMA user_version = 5; CREATE TABLE t (x)");
        assert!(open("other").contains("another program's database"));
        for (name, sql, says) in [
            ("newer", "PRAGMA user_version = 9", "format 9"),
            (
                "record",
                r#"INSERT INTO input (body) VALUES ('{"v":2,"input":{"new":1}}')"#,
                "record 1 has version 2",
            ),
            (
                "broken",
                r#"INSERT INTO input (body) VALUES ('{"v":1,"input":{"at":"x"}}')"#,
                "record 1 of",
            ),
        ] {
            drop(Journal::open(&folder.path().join(name)).unwrap());
            change(name, sql);
            assert!(open(name).contains(says), "{name}: {}", open(name));
        }
    }
}
