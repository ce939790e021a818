//! Every recorded event of `tests/events/` is read by the code that must read it, and has its provenance.

use std::{collections::BTreeSet, fs, path::Path};

use shared::{
    event::{State, StateChange, Subject},
    host::Kind,
    job::Job,
    wire::{eventbridge::Event, job_event::JobEvent},
};
use shared_testkit::events::recorded;

fn job(name: &str) -> Job {
    let event = recorded(name);
    assert_eq!(Kind::of(&event), Ok(Kind::Invoke));
    let job = JobEvent::try_from(event).and_then(Job::try_from);
    job.expect("a job")
}

#[test]
fn job_events_are_read() {
    let first = job("codepipeline-job.json");
    assert_eq!(first.inputs[0].name.as_str(), "SourceArtifact");
    assert!(first.continuation.is_none() && first.encryption_key.is_none());
    assert!(!format!("{first:?}").contains("EXAMPLE"));
    assert!(
        job("codepipeline-job-continuation.json")
            .continuation
            .is_some()
    );
    assert!(
        job("codepipeline-job-encryption-key.json")
            .encryption_key
            .is_some()
    );
}

#[test]
fn state_changes_are_read() {
    let change = |name| {
        let event = Event::try_from(recorded(name));
        event.and_then(StateChange::try_from).expect("a change")
    };
    let started = change("eventbridge-pipeline-started.json");
    assert_eq!(started.state, State::Started);
    assert!(matches!(
        started.subject,
        Subject::Execution {
            trigger: Some(_),
            ..
        }
    ));
    let failed = change("eventbridge-action-failed.json");
    assert_eq!(failed.state, State::Failed);
    assert!(matches!(failed.subject, Subject::Action(action) if action.result.is_some()));
}

#[test]
fn every_recorded_event_has_its_provenance() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/events");
    let readme = fs::read_to_string(folder.join("README.md")).expect("a README");
    let listed: BTreeSet<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let there: BTreeSet<String> = fs::read_dir(&folder)
        .expect("listed")
        .map(|entry| entry.expect("listed").file_name())
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name != "README.md")
        .collect();
    assert_eq!(
        there.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        listed
    );
}
