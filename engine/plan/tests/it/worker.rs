//! Custom and partner action types and the jobs that workers poll for (`codepipeline.md` 5).

use std::collections::BTreeMap;

use engine_plan::{
    check::parse_action_type,
    definition::{ActionTypeId, CustomActionType, THIRD_PARTY},
    event::{Event, Resource, Settings},
    limit::{CUSTOM_ACTION_TYPES, LEASE_SECONDS},
    state::JobStatus,
    step::Answer,
};
use serde_json::{Value, json};

use crate::harness::{Desk, declared, job_succeeded, pipeline};

fn kind(version: &str) -> CustomActionType {
    parse_action_type(json!({
        "category": "Test", "provider": "Worker", "version": version,
        "configurationProperties": [{"name": "Job", "required": true, "key": true, "secret": true}],
        "inputArtifactDetails": {"minimumCount": 0, "maximumCount": 1},
        "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 0},
    }))
    .unwrap()
}

fn create(action_type: CustomActionType) -> Event {
    Event::CreateCustomActionType {
        action_type,
        tags: BTreeMap::new(),
    }
}

fn id() -> ActionTypeId {
    ActionTypeId {
        category: "Test".to_owned(),
        owner: "Custom".to_owned(),
        provider: "Worker".to_owned(),
        version: "1".to_owned(),
    }
}

/// A pipeline of workers; its first stage has ended.
fn desk(workers: &[&str]) -> Desk {
    let mut desk = Desk::new();
    desk.tell(create(kind("1")));
    desk.tell(Event::CreatePipeline {
        definition: declared(pipeline(&[("Source", &["s"]), ("Deploy", workers)])),
        tags: BTreeMap::new(),
        start: true,
    });
    desk.succeed("s");
    desk
}

fn offered(desk: &Desk) -> Vec<String> {
    let jobs = desk.state.offered_jobs(&id(), desk.now);
    jobs.iter().map(|job| job.id.clone()).collect()
}

fn poll(desk: &mut Desk, jobs: &[String]) -> Vec<String> {
    let jobs = jobs.to_vec();
    match desk.tell(Event::JobsPolled { jobs }) {
        Answer::Jobs(given) => given,
        other => panic!("{other:?}"),
    }
}

#[test]
fn s5_2_a_job_is_one_workers_until_its_lease_ends() {
    let mut desk = desk(&["w1", "w2"]);
    let both = offered(&desk);
    assert_eq!(both.len(), 2);
    // two workers saw the same list: each job goes to one of them
    assert_eq!(poll(&mut desk, &both[..1]), both[..1]);
    assert_eq!(poll(&mut desk, &both), both[1..]);
    assert!(offered(&desk).is_empty());
    let nonce = desk.state.jobs[&both[1]].nonce.clone();
    let acknowledge = Event::JobAcknowledged {
        job: both[1].clone(),
        nonce,
    };
    desk.tell(acknowledge.clone());
    desk.pass(LEASE_SECONDS - 1);
    assert!(offered(&desk).is_empty());
    desk.pass(1);
    // the silent one comes back, the acknowledged one does not
    assert_eq!(offered(&desk), both[..1]);
    assert_eq!(poll(&mut desk, &both), both[..1]);
    assert!(desk.refused(acknowledge).starts_with("InvalidNonce"));
    assert!(desk.replayed() == desk.state);
    // what ends is no longer offered
    let execution = desk.state.pipelines["p"].executions[0].id.clone();
    desk.stop(&execution, true).unwrap();
    desk.pass(LEASE_SECONDS);
    assert!(offered(&desk).is_empty());
    assert!(desk.state.dispatched_jobs.is_empty());
    for job in &both {
        let late = desk.refused(job_succeeded(job, None));
        assert!(late.starts_with("InvalidJobState"), "{late}");
    }
}

#[test]
fn s5_2_an_acknowledged_job_may_be_silent_for_a_day() {
    let mut desk = desk(&["w"]);
    let jobs = offered(&desk);
    poll(&mut desk, &jobs);
    let nonce = desk.state.jobs[&jobs[0]].nonce.clone();
    desk.tell(Event::JobAcknowledged {
        job: jobs[0].clone(),
        nonce,
    });
    desk.pass(24 * 3600 - 1);
    assert_eq!(desk.statuses(), "InProgress");
    desk.pass(1);
    assert_eq!(desk.statuses(), "Failed");
    assert_eq!(desk.state.jobs[&jobs[0]].status, JobStatus::TimedOut);
}

#[test]
fn s5_2_jobs_are_offered_oldest_first() {
    let mut desk = desk(&["w1", "w2@2", "w3@3"]);
    for _ in 0..5 {
        desk.pass(1);
        desk.start();
        desk.succeed("s");
    }
    let oldest = desk.state.offered_jobs(&id(), desk.now);
    assert!(oldest.is_sorted_by_key(|job| job.created));
}

#[test]
fn s5_1_a_deleted_type_comes_back_only_as_it_was() {
    let mut desk = desk(&["w"]);
    let delete = Event::DeleteCustomActionType {
        category: "Test".to_owned(),
        provider: "Worker".to_owned(),
        version: "1".to_owned(),
    };
    let mut other = kind("1");
    other.configuration_properties[0].secret = false;
    let exists = "ActionTypeAlreadyExistsException";
    assert!(desk.refused(create(other.clone())).starts_with(exists));
    desk.tell(delete.clone());
    desk.tell(delete);
    assert!(desk.state.action_types.is_empty());
    // its secrets stay secret in the pipelines that use it
    assert_eq!(desk.state.custom_type(&id()), Some(&kind("1")));
    let unknown = desk.refused(Event::UpdatePipeline {
        definition: declared(pipeline(&[("Source", &["s"]), ("Deploy", &["w"])])),
    });
    assert!(unknown.starts_with("InvalidActionDeclaration"), "{unknown}");
    assert!(desk.refused(create(other)).starts_with(exists));
    desk.tell(create(kind("1")));
    assert!(desk.state.deleted_action_types.is_empty());
    for n in 2..=CUSTOM_ACTION_TYPES {
        desk.tell(create(kind(&n.to_string())));
    }
    assert!(desk.refused(create(kind("x"))).starts_with("LimitExceeded"));
    let tags = BTreeMap::from([("aws:x".to_owned(), String::new())]);
    let tagged = desk.refused(Event::TagResource {
        resource: Resource::ActionType {
            name: "Custom/Test/Worker/1".to_owned(),
        },
        tags,
    });
    assert!(tagged.starts_with("InvalidTags"), "{tagged}");
    assert!(desk.replayed() == desk.state);
}

fn partner(property: Value) -> Settings {
    let mut kind = parse_action_type(json!({
        "category": "Test", "provider": "GhostInspector", "version": "1",
        "configurationProperties": [property],
        "inputArtifactDetails": {"minimumCount": 0, "maximumCount": 0},
        "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 0},
    }))
    .unwrap();
    kind.owner = THIRD_PARTY.to_owned();
    Settings {
        third_party: vec![kind],
        ..Settings::default()
    }
}

#[test]
fn s5_3_partners_types_come_and_go_with_the_configuration() {
    let mut desk = desk(&["w"]);
    let suite = json!({"name": "Suite", "required": true, "key": true, "secret": true});
    let mut definition = pipeline(&[("Source", &["s"]), ("Deploy", &["w"])]);
    definition["name"] = json!("partners");
    definition["stages"][1]["actions"][0]["actionTypeId"] = json!({"category": "Test", "owner": "ThirdParty", "provider": "GhostInspector", "version": "1"});
    definition["stages"][1]["actions"][0]["configuration"] = json!({"Suite": "PLANTED"});
    let definition = declared(definition);
    let id = definition.stages[1].actions[0].action_type_id.clone();
    let create = Event::CreatePipeline {
        definition,
        tags: BTreeMap::new(),
        start: true,
    };
    assert!(
        desk.refused(create.clone())
            .contains("'GhostInspector', Owner: 'ThirdParty'")
    );
    desk.tell(Event::Configured {
        settings: partner(suite),
    });
    desk.tell(create);
    desk.tasks.retain(|task| task.pipeline == "partners");
    desk.succeed("s");
    let job = desk.task("w").job.unwrap();
    assert_eq!(desk.state.offered_jobs(&id, desk.now)[0].id, job.id);
    let open = json!({"name": "Suite", "required": true, "key": true, "secret": false});
    desk.tell(Event::Configured {
        settings: partner(open),
    });
    assert_eq!(desk.state.action_types.len(), 2);
    desk.tell(Event::Configured {
        settings: Settings::default(),
    });
    assert_eq!(desk.state.action_types.len(), 1);
    assert!(desk.state.custom_type(&id).is_some());
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s5_2_a_custom_source_says_what_it_took() {
    let mut desk = Desk::new();
    let mut source = kind("1");
    source.category = "Source".to_owned();
    source.output_artifact_details = source.input_artifact_details;
    source.input_artifact_details.maximum_count = 0;
    desk.tell(create(source));
    let mut definition = pipeline(&[("Source", &["w"]), ("Build", &["b"])]);
    let action = &mut definition["stages"][0]["actions"][0];
    action["actionTypeId"]["category"] = json!("Source");
    action["outputArtifacts"] = json!([{"name": "w"}]);
    desk.tell(Event::CreatePipeline {
        definition: declared(definition),
        tags: BTreeMap::new(),
        start: true,
    });
    let job = desk.task("w").job.unwrap();
    poll(&mut desk, std::slice::from_ref(&job.id));
    desk.tell(Event::JobAcknowledged {
        job: job.id.clone(),
        nonce: job.nonce,
    });
    let mut result = job_succeeded(&job.id, None);
    if let Event::JobSucceeded { revision, .. } = &mut result {
        *revision = Some(engine_plan::event::Revision {
            revision_id: "r7".to_owned(),
            ..Default::default()
        });
    }
    desk.tell(result);
    assert_eq!(desk.running(), "b");
    let execution = &desk.state.pipelines["p"].executions[0];
    let revision = execution.artifacts["w"].revision.as_ref().unwrap();
    assert_eq!(revision.revision_id, "r7");
    let (_, run) = desk.state.pipelines["p"].latest_run("Source", "w").unwrap();
    assert_eq!(run.revision.as_ref().unwrap().revision_id, "r7");
}
