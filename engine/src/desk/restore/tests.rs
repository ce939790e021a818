//! What a start makes of a journal: the same from a snapshot, from all records, and from what a crash left.

use std::{collections::BTreeMap, path::PathBuf};

use engine_plan::{
    event::{Event, ExecutionDetails, Outcome, RetryMode},
    limit::ENDED_EXECUTIONS_AT_MOST,
    state::Execution,
    step::Answer,
};
use jiff::SignedDuration;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::{super::writer::decide, *};

const MODES: [&str; 3] = ["SUPERSEDED", "QUEUED", "PARALLEL"];
const STAGES: [&str; 3] = ["Source", "Build", "Deploy"];

/// A journal and the state that goes with it, told by hand.
struct Bench {
    _folder: TempDir,
    path: PathBuf,
    journal: Journal,
    now: Restored,
    clock: Timestamp,
    ids: Vec<String>,
    chance: u64,
}

/// All that a start gives, and the archive.
type Picture = (State, Timestamp, Vec<String>, BTreeMap<usize, Execution>);

impl Bench {
    fn new(chance: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.sqlite");
        let mut journal = Journal::open(&path).unwrap();
        let now = restore(&mut journal).unwrap();
        Self {
            _folder: folder,
            path,
            journal,
            now,
            clock: "2026-01-02T03:04:05Z".parse().unwrap(),
            ids: Vec::new(),
            chance,
        }
    }

    /// Pseudo-random, below `end`.
    fn below(&mut self, end: usize) -> usize {
        // splitmix64
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end.max(1) as u64).unwrap()
    }

    /// As the writer does it, in a transaction of its own.
    fn tell(&mut self, event: Event) -> Option<Answer> {
        self.clock += SignedDuration::from_secs(1);
        let input = Input {
            at: self.clock,
            seed: self.clock.as_nanosecond().unsigned_abs(),
            event,
        };
        let mut batch = self.journal.batch().unwrap();
        let decided = decide(&mut self.now.state, &mut batch, &input).unwrap();
        batch.commit().unwrap();
        let (answer, follows) = decided.ok()?;
        self.now.last = input.at;
        self.now.events.extend(follows.events);
        if let Answer::Execution(id) = &answer
            && !self.ids.contains(id)
        {
            self.ids.push(id.clone());
        }
        Some(answer)
    }

    fn create(&mut self, mode: usize) {
        let action = |name: &str, kind: [&str; 2], configuration: serde_json::Value| {
            let id =
                json!({"category": kind[0], "owner": "AWS", "provider": kind[1], "version": "1"});
            let (inputs, outputs) = match kind[0] {
                "Source" => (json!([]), json!([{"name": "Code"}])),
                _ => (json!([{"name": "Code"}]), json!([])),
            };
            json!({"name": name, "actionTypeId": id, "configuration": configuration,
                "inputArtifacts": inputs, "outputArtifacts": outputs})
        };
        let source = json!({"S3Bucket": "b", "S3ObjectKey": "k"});
        let build = json!({"ProjectName": "p"});
        let definition = json!({
            "name": "p", "roleArn": "arn:aws:iam::123456789012:role/p", "pipelineType": "V2",
            "executionMode": MODES[mode],
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": [
                {"name": STAGES[0], "actions": [action("s", ["Source", "S3"], source)]},
                {"name": STAGES[1], "actions": [action("b", ["Build", "CodeBuild"], build.clone())]},
                {"name": STAGES[2], "actions": [action("c", ["Build", "CodeBuild"], build)]},
            ],
        });
        self.tell(Event::CreatePipeline {
            definition: engine_plan::check::parse(definition).unwrap(),
            tags: BTreeMap::new(),
            start: false,
        });
    }

    /// Anything may happen, also to executions long archived.
    fn anything(&mut self, mode: usize) {
        let pipeline = || "p".to_owned();
        let stage = STAGES[self.below(3)].to_owned();
        let at = self.below(self.ids.len());
        let execution = self.ids.get(at).cloned().unwrap_or_default();
        let running: Vec<String> = self.now.state.running.keys().cloned().collect();
        let event = match self.below(100) {
            0..25 => crate::desk::scripted::start_of("p"),
            25..80 if !running.is_empty() => {
                let action_execution = running[self.below(running.len())].clone();
                let details = ExecutionDetails::default();
                let outcome = match self.below(8) {
                    0 => Outcome::Failed {
                        code: "JobFailed".to_owned(),
                        message: "no".to_owned(),
                        details,
                    },
                    _ => Outcome::Succeeded {
                        details,
                        variables: BTreeMap::new(),
                        revision: None,
                    },
                };
                Event::Finished {
                    action_execution,
                    outcome,
                }
            }
            80..88 => Event::Retry {
                pipeline: pipeline(),
                stage,
                execution,
                mode: RetryMode::AllActions,
            },
            88..95 => Event::Rollback {
                pipeline: pipeline(),
                stage,
                target: execution,
                by: "dana".to_owned(),
            },
            95..98 => Event::Stop {
                pipeline: pipeline(),
                execution,
                abandon: true,
                reason: None,
            },
            98 if self.below(6) == 0 => {
                self.tell(Event::DeletePipeline { name: pipeline() });
                return self.create(mode);
            }
            _ => Event::TimePassed,
        };
        self.tell(event);
    }

    fn keep_snapshot(&mut self) {
        let bus = Bus::new();
        for event in self.now.events.iter().cloned() {
            bus.publish(event);
        }
        let body = snapshot(&self.now.state, self.now.last, &bus).unwrap();
        self.journal.keep_snapshot(&body).unwrap();
    }

    /// What the next start gives; the one before was not ended well.
    fn restarted(&mut self) -> Picture {
        let other = Journal::open(&self.path.with_extension("other")).unwrap();
        drop(std::mem::replace(&mut self.journal, other));
        self.journal = Journal::open(&self.path).unwrap();
        self.now = restore(&mut self.journal).unwrap();
        picture(&self.now, &self.journal)
    }

    fn change(&mut self, sql: &str) {
        let other = Journal::open(&self.path.with_extension("other")).unwrap();
        drop(std::mem::replace(&mut self.journal, other));
        let db = Connection::open(&self.path).unwrap();
        db.execute_batch(sql).unwrap();
        drop(db);
        self.journal = Journal::open(&self.path).unwrap();
    }

    /// What all records give in a journal that has never seen a snapshot.
    fn all_records_again(&mut self) -> Picture {
        let mut fresh = Self::new(0);
        let mut batch = fresh.journal.batch().unwrap();
        for (_, input) in self.journal.records(0, 1_000_000).unwrap() {
            batch.append(&input).unwrap();
        }
        batch.commit().unwrap();
        fresh.restarted()
    }
}

fn picture(now: &Restored, journal: &Journal) -> Picture {
    let rows = journal.older("p", usize::MAX, None, usize::MAX).unwrap();
    let archive: BTreeMap<usize, Execution> = rows
        .into_iter()
        .map(|row| (row.number, row.decode("p").unwrap().execution))
        .collect();
    for stage in STAGES {
        let listed = journal
            .older("p", usize::MAX, Some(stage), usize::MAX)
            .unwrap();
        let listed: Vec<_> = listed.iter().map(|row| row.number).collect();
        let well = |run: &Execution| run.stage(stage).map(|it| format!("{:?}", it.status));
        let succeeded: Vec<_> = archive
            .iter()
            .rev()
            .filter(|(_, run)| well(run).as_deref() == Some("Succeeded"))
            .map(|(number, _)| *number)
            .collect();
        assert_eq!(listed, succeeded, "succeeded in {stage}");
    }
    let events = now.events.iter().rev().take(EVENTS_KEPT);
    let ids = events.map(|event| event["id"].to_string()).collect();
    (now.state.clone(), now.last, ids, archive)
}

#[test]
fn snapshots_and_what_follows_give_what_all_records_give() {
    for seed in 0..3 {
        let mode = usize::try_from(seed % 3).unwrap();
        let mut bench = Bench::new(seed);
        bench.create(mode);
        let (mut recalls, mut snapshot) = (0, false);
        for _ in 0..5 {
            for _ in 0..60 + bench.below(200) {
                bench.anything(mode);
            }
            let live = picture(&bench.now, &bench.journal);
            // killed here: with the last snapshot, and with all records
            assert!(bench.restarted() == live, "seed {seed}: restarted");
            assert_eq!(bench.now.snapshot.is_some(), snapshot, "seed {seed}");
            assert!(bench.all_records_again() == live, "seed {seed}: rebuilt");
            recalls += usize::from(bench.journal.recalled_any());
            if bench.below(3) > 0 {
                bench.keep_snapshot();
                snapshot = true;
                assert!(!bench.journal.recalled_any());
            }
        }
        assert!(bench.ids.len() > ENDED_EXECUTIONS_AT_MOST, "seed {seed}");
        assert!(
            recalls > 0,
            "seed {seed}: nothing came back from the archive"
        );
    }
}

#[test]
fn a_snapshot_that_cannot_be_used_is_made_anew() {
    for damage in [
        "UPDATE snapshot SET body = substr(body, 1, length(body) / 2)",
        "UPDATE snapshot SET body = x'7b7d', checksum = 2745614147",
        "UPDATE snapshot SET shape = shape + 1",
        "UPDATE snapshot SET seq = seq + 1000000",
        "DELETE FROM snapshot",
        // a start that was killed while it made the archive anew
        "DELETE FROM snapshot; DELETE FROM success; DELETE FROM execution WHERE number % 2",
    ] {
        let mut bench = Bench::new(7);
        bench.create(2);
        for round in 0..400 {
            bench.anything(2);
            if round == 300 {
                bench.keep_snapshot();
            }
        }
        let live = picture(&bench.now, &bench.journal);
        assert!(live.3.len() > 20);
        bench.change(damage);
        assert!(bench.restarted() == live, "{damage}");
    }
    assert_eq!(crc32fast::hash(b"{}"), 2_745_614_147);
}

#[test]
fn a_journal_of_version_1_is_taken_over() {
    let mut bench = Bench::new(3);
    bench.create(0);
    for _ in 0..500 {
        bench.anything(0);
    }
    let live = picture(&bench.now, &bench.journal);
    bench.change(
        "DROP TABLE execution; DROP TABLE success; DROP TABLE recalled; DROP TABLE snapshot; PRAGMA user_version = 1",
    );
    assert!(bench.restarted() == live);
}

#[test]
fn an_archived_execution_that_cannot_be_read_is_made_anew_at_the_next_start() {
    let mut bench = Bench::new(5);
    bench.create(2);
    for _ in 0..500 {
        bench.anything(2);
    }
    bench.keep_snapshot();
    let live = picture(&bench.now, &bench.journal);
    let (number, _) = live.3.last_key_value().unwrap();
    bench.change(&format!(
        "UPDATE execution SET body = x'00' WHERE number = {number}"
    ));
    let row = bench.journal.archived_number("p", *number).unwrap();
    assert!(row.unwrap().decode("p").is_err());
    bench.journal.distrust().unwrap();
    assert!(!bench.journal.has_news());
    assert!(bench.restarted() == live);
}

#[test]
fn history_ends_after_a_year() {
    let mut bench = Bench::new(11);
    bench.create(2);
    for _ in 0..500 {
        bench.anything(2);
    }
    let (_, _, _, archive) = picture(&bench.now, &bench.journal);
    let mut ends: Vec<Timestamp> = archive.values().map(|run| run.updated).collect();
    ends.sort_unstable();
    let middle = ends[ends.len() / 2];
    let old = ends.iter().filter(|at| **at < middle).count();
    assert_eq!(bench.journal.expire(middle).unwrap(), old);
    let (_, _, _, left) = picture(&bench.now, &bench.journal);
    assert_eq!(left.len(), archive.len() - old);
    assert!(left.values().all(|run| run.updated >= middle));
}
