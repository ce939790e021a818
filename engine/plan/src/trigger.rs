//! What happened in a repository of a connection, and which pipelines start because of it (`codepipeline.md` 8.3).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    definition::{ActionDeclaration, PipelineDeclaration},
    event::{Event, Reference, SourceRevisionOverride, Trigger},
    glob::Glob,
};

/// `triggerType` of executions that a connection starts.
const TRIGGER_TYPE: &str = "WebhookV2";
/// The provider of sources with a connection.
const CONNECTION: &str = "CodeStarSourceConnection";
/// Whether a pull request that is closed without a merge counts as CLOSED. The guide says "closed (merged)": no.
const CLOSED_WITHOUT_MERGE: bool = false;

/// A repository, as source actions name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repository {
    /// The connection; `None`: any.
    pub connection: Option<String>,
    /// `FullRepositoryId`, case-sensitive.
    pub id: String,
}

/// What happened in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it was.
    pub kind: ChangeKind,
    /// The commit an execution takes.
    pub commit: String,
    /// Files that differ; `None` when nobody said.
    pub files: Option<Vec<String>>,
}

/// The kinds of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// Commits were pushed to this branch.
    Branch(String),
    /// This tag was pushed.
    Tag(String),
    /// A pull request.
    PullRequest {
        /// What happened to it.
        event: PullRequestEvent,
        /// The branch it is to be merged into.
        destination: String,
        /// The branch it comes from.
        source: String,
    },
}

/// What may happen to a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullRequestEvent {
    /// `OPEN`.
    Open,
    /// `UPDATED`: its source branch has a new commit.
    Updated,
    /// `CLOSED`; whether it was merged.
    Closed {
        /// By merging it.
        merged: bool,
    },
}

/// What a pipeline does about a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It starts.
    Starts(Box<Event>),
    /// It would start or not by its file paths, and nobody said which files differ.
    NeedsFiles,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GitTrigger {
    source_action_name: String,
    #[serde(default)]
    push: Vec<Filter>,
    #[serde(default)]
    pull_request: Vec<Filter>,
}

/// One filter: what it has must all match.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    events: Option<Vec<String>>,
    branches: Option<Patterns>,
    tags: Option<Patterns>,
    file_paths: Option<Patterns>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Patterns {
    includes: Vec<String>,
    excludes: Vec<String>,
}

/// `None` is "nobody knows": the files were not said.
type Fits = Option<bool>;

/// What a pipeline does about a change, if anything. `token` names the change: the same one starts it once.
pub fn verdict(
    pipeline: &PipelineDeclaration,
    repository: &Repository,
    change: &Change,
    token: Option<&str>,
) -> Option<Verdict> {
    let sources = pipeline.stages.first()?.actions.iter();
    let triggers: Vec<GitTrigger> = pipeline
        .triggers
        .iter()
        .flatten()
        .filter_map(|trigger: &Value| {
            serde_json::from_value(trigger.get("gitConfiguration")?.clone()).ok()
        })
        .collect();
    let mut unknown = false;
    for action in sources.filter(|action| is_of(action, repository)) {
        match wants(action, &triggers, change) {
            Some(true) => {
                let event = start(pipeline, action, change, token);
                return Some(Verdict::Starts(Box::new(event)));
            }
            Some(false) => {}
            None => unknown = true,
        }
    }
    unknown.then_some(Verdict::NeedsFiles)
}

fn is_of(action: &ActionDeclaration, repository: &Repository) -> bool {
    let configured = |name: &str| action.configuration.get(name);
    action.action_type_id.provider == CONNECTION
        && configured("FullRepositoryId") == Some(&repository.id)
        && (repository.connection.is_none()
            || configured("ConnectionArn") == repository.connection.as_ref())
}

/// Any trigger of the pipeline turns the default change detection of all its sources off.
fn wants(action: &ActionDeclaration, triggers: &[GitTrigger], change: &Change) -> Fits {
    let by_default = || {
        let branch = action.configuration.get("BranchName");
        matches!(&change.kind, ChangeKind::Branch(pushed) if Some(pushed) == branch)
    };
    if triggers.is_empty() {
        let detects = action
            .configuration
            .get("DetectChanges")
            .map(String::as_str);
        return Some(detects != Some("false") && by_default());
    }
    let of_it = triggers
        .iter()
        .find(|it| it.source_action_name == action.name);
    let Some(trigger) = of_it else {
        return Some(false);
    };
    if trigger.push.is_empty() && trigger.pull_request.is_empty() {
        // A trigger without filters is the default one.
        return Some(by_default());
    }
    let filters = match change.kind {
        ChangeKind::PullRequest { .. } => &trigger.pull_request,
        ChangeKind::Branch(_) | ChangeKind::Tag(_) => &trigger.push,
    };
    any(filters.iter().map(|filter| filter.fits(change)))
}

impl Filter {
    fn fits(&self, change: &Change) -> Fits {
        let (branch, tag) = match &change.kind {
            ChangeKind::Branch(branch) => (Some(branch), None),
            ChangeKind::Tag(tag) => (None, Some(tag)),
            ChangeKind::PullRequest { destination, .. } => (Some(destination), None),
        };
        let one = |patterns: &Option<Patterns>, value: Option<&String>| match (patterns, value) {
            (None, _) => true,
            (Some(patterns), Some(value)) => patterns.fit(value),
            (Some(_), None) => false,
        };
        let event = match &change.kind {
            ChangeKind::PullRequest { event, .. } => self.wants_event(*event),
            // A tag starts only what asks for tags: branches and paths are not about it.
            ChangeKind::Tag(_) => self.tags.is_some(),
            ChangeKind::Branch(_) => true,
        };
        if !event || !one(&self.branches, branch) || !one(&self.tags, tag) {
            return Some(false);
        }
        match (&self.file_paths, &change.files) {
            (None, _) => Some(true),
            (Some(_), None) => None,
            (Some(patterns), Some(files)) => Some(files.iter().any(|file| patterns.fit(file))),
        }
    }

    fn wants_event(&self, event: PullRequestEvent) -> bool {
        let name = match event {
            PullRequestEvent::Open => "OPEN",
            PullRequestEvent::Updated => "UPDATED",
            PullRequestEvent::Closed { merged } if merged || CLOSED_WITHOUT_MERGE => "CLOSED",
            PullRequestEvent::Closed { .. } => return false,
        };
        let wanted = self.events.as_ref();
        wanted.is_none_or(|events| events.iter().any(|it| it == name))
    }
}

impl Patterns {
    /// Included (everything is when nothing is named) and not excluded.
    fn fit(&self, value: &str) -> bool {
        let matches = |globs: &[String]| {
            let mut globs = globs.iter().filter_map(|glob| Glob::new(glob));
            globs.any(|glob| glob.matches(value))
        };
        (self.includes.is_empty() || matches(&self.includes)) && !matches(&self.excludes)
    }
}

fn any(mut all: impl Iterator<Item = Fits>) -> Fits {
    let first = all.try_fold(Some(false), |so_far, fits| match fits {
        Some(true) => Err(()),
        Some(false) => Ok(so_far),
        None => Ok(None),
    });
    first.unwrap_or(Some(true))
}

fn start(
    pipeline: &PipelineDeclaration,
    action: &ActionDeclaration,
    change: &Change,
    token: Option<&str>,
) -> Event {
    let connection = action.configuration.get("ConnectionArn").cloned();
    Event::Start {
        pipeline: pipeline.name.clone(),
        trigger: Trigger {
            trigger_type: TRIGGER_TYPE.to_owned(),
            trigger_detail: connection.unwrap_or_default(),
            reference: Some(reference(&change.kind)),
        },
        variables: BTreeMap::new(),
        source_revisions: vec![SourceRevisionOverride {
            action_name: action.name.clone(),
            revision_type: "COMMIT_ID".to_owned(),
            revision_value: change.commit.clone(),
        }],
        client_token: token.map(str::to_owned),
    }
}

fn reference(kind: &ChangeKind) -> Reference {
    match kind {
        ChangeKind::Branch(branch) => Reference::Branch(branch.clone()),
        ChangeKind::PullRequest { destination, .. } => Reference::Branch(destination.clone()),
        ChangeKind::Tag(tag) => Reference::Tag(tag.clone()),
    }
}
