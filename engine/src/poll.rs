//! Polling: sources that ask for it are looked at every so often, and a new revision starts their pipeline.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use engine_plan::{
    definition::ActionDeclaration,
    event::{Event, Trigger},
};
use sha2::{Digest as _, Sha256};

use crate::{app::App, provider::git};

/// A source action that asks to be polled.
struct Source {
    pipeline: String,
    action: ActionDeclaration,
    /// What its last run took.
    taken: Option<String>,
}

type Key = (String, String);

/// Begins to poll, unless the configuration says never or the clock jumps (polling would make time run).
pub fn start(app: &App) {
    let seconds = app.config.engine.poll_seconds;
    if seconds > 0 && !app.clock.is_fast() {
        tokio::spawn(run(app.clone(), Duration::from_secs(seconds.into())));
    }
}

async fn run(app: App, every: Duration) {
    let mut seen: HashMap<Key, String> = HashMap::new();
    let mut failing: HashSet<Key> = HashSet::new();
    loop {
        app.clock.sleep(every).await;
        for source in sources(&app) {
            let key = (source.pipeline.clone(), source.action.name.clone());
            let newest = match newest(&app, &source.action).await {
                Ok(Some(newest)) => newest,
                Ok(None) => continue,
                Err(problem) => {
                    if failing.insert(key) {
                        app.logs.notice(format!(
                            "source {} of pipeline {} cannot be polled: {problem}",
                            source.action.name, source.pipeline
                        ));
                    }
                    continue;
                }
            };
            failing.remove(&key);
            let before = seen.insert(key, newest.clone());
            let known = [before.as_ref(), source.taken.as_ref()];
            // What was never seen before is no change.
            if known.contains(&Some(&newest)) || known == [None, None] {
                continue;
            }
            let known = source.taken.or(before).unwrap_or_default();
            let event = begin(&source.pipeline, &source.action.name, &known, &newest);
            if let Err(refusal) = app.desk.submit(event).await {
                app.logs.notice(format!(
                    "pipeline {} was not started by a new revision of {}: {refusal}",
                    source.pipeline, source.action.name
                ));
            }
        }
    }
}

fn sources(app: &App) -> Vec<Source> {
    let now = app.clock.now();
    app.desk.read(|state| {
        let mut sources = Vec::new();
        for (name, pipeline) in &state.pipelines {
            let Some(stage) = pipeline.definition.stages.first() else {
                continue;
            };
            if pipeline.polling_disabled_at(now).is_some() {
                continue;
            }
            for action in stage.actions.iter().filter(|action| action.is_polled()) {
                let latest = pipeline.latest_run(&stage.name, &action.name);
                let revision = latest.and_then(|(_, run)| run.revision.as_ref());
                sources.push(Source {
                    pipeline: name.clone(),
                    action: action.clone(),
                    taken: revision.map(|revision| revision.revision_id.clone()),
                });
            }
        }
        sources
    })
}

/// The revision that the source would take now.
async fn newest(app: &App, action: &ActionDeclaration) -> Result<Option<String>, String> {
    if action.action_type_id.provider == "S3" {
        let setting = |name: &str| action.configuration.get(name).map_or("", String::as_str);
        let object = app
            .objects
            .head(setting("S3Bucket"), setting("S3ObjectKey"), None);
        // An object that is not there yet is not a problem: it will be new.
        return Ok(object.await.ok().and_then(|object| object.version_id));
    }
    let scratch = app.state_dir.join("poll");
    let newest = git::newest(&app.config, action, &scratch).await;
    newest.map_err(|trouble| trouble.message)
}

fn begin(pipeline: &str, action: &str, known: &str, newest: &str) -> Event {
    let mut hash = Sha256::new();
    for part in ["poll", pipeline, action, known, newest] {
        hash.update(part);
        hash.update([0]);
    }
    Event::Start {
        pipeline: pipeline.to_owned(),
        trigger: Trigger {
            trigger_type: "PollForSourceChanges".to_owned(),
            // unconfirmed
            trigger_detail: action.to_owned(),
            reference: None,
        },
        variables: BTreeMap::new(),
        source_revisions: Vec::new(),
        // The same change, seen again after a crash, starts nothing more.
        client_token: Some(hex::encode(&hash.finalize()[..16])),
    }
}
