//! What the pipeline's past says about a release: what is there now, what comes with it, what waits behind. Plain data
//! to plain data.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    approval::{
        facts::{AUTHOR, SourceOutput},
        request::{Artifact, Revision, Target},
    },
    id::ExecutionId,
};

/// Most changes between the last release and this one that are kept; mails end somewhere.
const MOST_CHANGES: usize = 20;
/// Most deployments that are told.
const MOST_DEPLOYS: usize = 8;

/// One run of an action, as ListActionExecutions tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Execution.
    pub execution: ExecutionId,
    /// Stage.
    pub stage: String,
    /// Action.
    pub action: String,
    /// What kind of action it is.
    pub work: Work,
    /// What it made.
    pub artifacts: Vec<Artifact>,
    /// How it stands.
    pub status: RunStatus,
    /// When it began.
    pub started: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// What an action does, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Fetches a source.
    Source(SourceOutput),
    /// Deploys.
    Deploy(Deploy),
    /// Anything else.
    Other,
}

/// Where an action deploys to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy {
    /// `CloudFormation`.
    pub provider: String,
    /// `stack site-prod`, where the configuration says.
    pub what: Option<String>,
    /// The action's region, where it is not the pipeline's.
    pub region: Option<String>,
    /// The account of the action's role, where there is one.
    pub account: Option<String>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// Still at it.
    InProgress,
    /// Ended well.
    Succeeded,
    /// Failed, stopped or abandoned.
    Failed,
}

/// A pipeline's recent past.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Runs, in any order; of very busy pipelines only the newest.
    pub runs: Vec<Run>,
    /// Executions that wait to enter the stage.
    pub inbound: Vec<ExecutionId>,
    /// The transition into the stage is disabled: what waits there stays there.
    pub shut: bool,
}

/// What is told of it, as it was when the approval was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The last execution that succeeded in the stage: what is there now, and where a rollback leads.
    pub current: Option<Earlier>,
    /// Changes since then that are released with this execution's own, newest first.
    pub between: Vec<Revision>,
    /// How many more there are than are kept.
    pub more: u32,
    /// How the stage ended when it last ran.
    pub last: Option<Ended>,
    /// Newer executions that wait behind this one, newest first.
    pub newer: Vec<Earlier>,
    /// What the actions after the approval deploy, as they did last time.
    pub deploys: Vec<Deploy>,
}

/// Another execution, and what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Which.
    pub execution: ExecutionId,
    /// When its work in the stage was over; for one that waits, when it began.
    pub at: Timestamp,
    /// Its source revisions.
    pub revisions: Vec<Revision>,
}

/// How a stage ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// In which execution.
    pub execution: ExecutionId,
    /// When.
    pub at: Timestamp,
    /// How.
    pub succeeded: bool,
}

/// Puts the past of one approval together.
pub fn tell(target: &Target, execution: &ExecutionId, past: &Past) -> History {
    retell(target, execution, past).unwrap_or_default()
}

/// The same; `None` where the past does not reach back to the execution.
pub fn retell(target: &Target, execution: &ExecutionId, past: &Past) -> Option<History> {
    let own = Executions::new(past);
    let began = own.began(execution)?;
    let stage = target.stage.as_str();
    let older = own.all.iter().filter(|e| own.began(e) < Some(began));
    let ended: Vec<Ended> = older.filter_map(|e| own.ended(e, stage)).collect();
    let last = ended.iter().max_by_key(|e| e.at).cloned();
    let succeeded = ended.iter().filter(|e| e.succeeded);
    let current = succeeded.max_by_key(|e| own.began(&e.execution));
    let since = current.and_then(|e| own.began(&e.execution));
    let (between, more) = own.between(execution, since, began);
    Some(History {
        between,
        more,
        last,
        newer: own.newer(execution, began, &past.inbound),
        deploys: current.map_or_else(Vec::new, |e| own.deploys(&e.execution, target)),
        current: current.map(|e| Earlier {
            execution: e.execution.clone(),
            at: e.at,
            revisions: own.revisions(&e.execution),
        }),
    })
}

/// The newest execution that waits at the same action for the same sources, as executions of PARALLEL mode do.
pub fn beside(target: &Target, execution: &ExecutionId, past: &Past) -> Option<ExecutionId> {
    let own = Executions::new(past);
    let began = own.began(execution)?;
    let sources = own.sources(execution);
    let waits = |run: &&Run| {
        run.stage == target.stage.as_str()
            && run.action == target.action.as_str()
            && run.status == RunStatus::InProgress
    };
    let newer = past.runs.iter().filter(waits).filter_map(|run| {
        let at = own.began(&run.execution).filter(|at| *at > began)?;
        (!sources.is_empty() && own.sources(&run.execution) == sources).then_some((at, run))
    });
    newer
        .max_by_key(|(at, _)| *at)
        .map(|(_, run)| run.execution.clone())
}

struct Executions<'a> {
    runs: &'a [Run],
    /// Each once.
    all: Vec<&'a ExecutionId>,
}

impl<'a> Executions<'a> {
    fn new(past: &'a Past) -> Self {
        let mut all: Vec<&ExecutionId> = past.runs.iter().map(|r| &r.execution).collect();
        all.sort();
        all.dedup();
        Self {
            runs: &past.runs,
            all,
        }
    }

    fn of(&self, execution: &ExecutionId) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |r| r.execution == *execution)
    }

    fn began(&self, execution: &ExecutionId) -> Option<Timestamp> {
        self.of(execution).map(|r| r.started).min()
    }

    /// How the stage ended in an execution: by the latest run of each of its actions.
    fn ended(&self, execution: &ExecutionId, stage: &str) -> Option<Ended> {
        let mut latest: BTreeMap<&str, &Run> = BTreeMap::new();
        for run in self.of(execution).filter(|r| r.stage == stage) {
            let entry = latest.entry(&run.action).or_insert(run);
            if run.started >= entry.started {
                *entry = run;
            }
        }
        let over = latest.values().all(|r| r.status != RunStatus::InProgress);
        let at = latest.values().map(|r| r.updated).max().filter(|_| over)?;
        Some(Ended {
            execution: execution.clone(),
            at,
            succeeded: latest.values().all(|r| r.status == RunStatus::Succeeded),
        })
    }

    fn revisions(&self, execution: &ExecutionId) -> Vec<Revision> {
        let sources = self.of(execution).filter_map(|run| match &run.work {
            Work::Source(output) => revision(output),
            _ => None,
        });
        let mut revisions: Vec<Revision> = Vec::new();
        for revision in sources {
            if !revisions.iter().any(|r| r.name == revision.name) {
                revisions.push(revision);
            }
        }
        revisions
    }

    /// Names and branches of what it carries.
    fn sources(&self, execution: &ExecutionId) -> Vec<(String, Option<String>)> {
        let revisions = self.revisions(execution).into_iter();
        let mut sources: Vec<_> = revisions.map(|r| (r.name, r.branch)).collect();
        sources.sort();
        sources
    }

    /// What executions between the last release and this one brought, newest first; this one's own left out.
    fn between(
        &self,
        execution: &ExecutionId,
        since: Option<Timestamp>,
        began: Timestamp,
    ) -> (Vec<Revision>, u32) {
        let Some(since) = since else {
            return (Vec::new(), 0);
        };
        let began_at = |e: &&ExecutionId| self.began(e);
        let mut others: Vec<&ExecutionId> = self
            .all
            .iter()
            .copied()
            .filter(|e| began_at(e).is_some_and(|at| since < at && at < began))
            .collect();
        others.sort_by_key(|e| std::cmp::Reverse(began_at(e)));
        let mut known: Vec<(String, String)> = Vec::new();
        let mut know = |r: &Revision| {
            let key = (r.name.clone(), r.id.clone());
            let new = !known.contains(&key);
            known.push(key);
            new
        };
        for revision in self.revisions(execution) {
            know(&revision);
        }
        let mut changes: Vec<Revision> = others
            .iter()
            .flat_map(|e| self.revisions(e))
            .filter(|r| know(r))
            .collect();
        let more = changes.len().saturating_sub(MOST_CHANGES);
        changes.truncate(MOST_CHANGES);
        (changes, u32::try_from(more).unwrap_or(u32::MAX))
    }

    fn newer(
        &self,
        execution: &ExecutionId,
        began: Timestamp,
        inbound: &[ExecutionId],
    ) -> Vec<Earlier> {
        let mut newer: Vec<Earlier> = inbound
            .iter()
            .filter(|e| *e != execution)
            .map(|e| Earlier {
                execution: e.clone(),
                at: self.began(e).unwrap_or(began),
                revisions: self.revisions(e),
            })
            .filter(|e| e.at >= began)
            .collect();
        newer.sort_by_key(|e| std::cmp::Reverse(e.at));
        newer
    }

    /// Deployments that followed the approval in an execution.
    fn deploys(&self, execution: &ExecutionId, target: &Target) -> Vec<Deploy> {
        let asked = self
            .of(execution)
            .filter(|r| r.stage == target.stage.as_str() && r.action == target.action.as_str())
            .map(|r| r.started)
            .min();
        let mut after: Vec<&Run> = self
            .of(execution)
            .filter(|r| asked.is_none_or(|asked| r.started >= asked))
            .collect();
        after.sort_by_key(|r| r.started);
        let mut deploys: Vec<Deploy> = Vec::new();
        for run in after {
            if let Work::Deploy(deploy) = &run.work
                && !deploys.contains(deploy)
                && deploys.len() < MOST_DEPLOYS
            {
                deploys.push(deploy.clone());
            }
        }
        deploys
    }
}

fn revision(output: &SourceOutput) -> Option<Revision> {
    let variable = |name: &str| {
        let value = output.variables.get(name);
        value.filter(|v| !v.is_empty()).cloned()
    };
    Some(Revision {
        name: output.artifacts.first().unwrap_or(&output.action).clone(),
        id: variable("CommitId").or_else(|| variable("VersionId"))?,
        message: variable("CommitMessage"),
        author: AUTHOR.iter().find_map(|name| variable(name)),
        branch: variable("BranchName"),
        url: None,
    })
}

/// What a deploy action's configuration says of its target; nothing else of it is read, for it may hold anything.
pub fn target_of(provider: &str, configuration: &BTreeMap<String, String>) -> Option<String> {
    let value = |name: &str| configuration.get(name).filter(|v| !v.is_empty());
    let pair = |kind: &str, first: &str, second: &str| {
        let first = value(first)?;
        Some(match value(second) {
            Some(second) => format!("{kind} {first}/{second}"),
            None => format!("{kind} {first}"),
        })
    };
    match provider {
        "CloudFormation" => pair("stack", "StackName", ""),
        "CloudFormationStackSet" => pair("stack set", "StackSetName", ""),
        "S3" => pair("bucket", "BucketName", ""),
        "ECS" | "CodeDeployToECS" if value("ServiceName").is_some() => {
            pair("service", "ClusterName", "ServiceName")
        }
        "CodeDeploy" | "CodeDeployToECS" => {
            pair("application", "ApplicationName", "DeploymentGroupName")
        }
        "ElasticBeanstalk" => pair("environment", "ApplicationName", "EnvironmentName"),
        "EKS" => pair("cluster", "ClusterName", "Namespace"),
        "Lambda" => pair("function", "FunctionName", "FunctionAlias"),
        "AppConfig" => pair("application", "Application", "Environment"),
        "ServiceCatalog" => pair("product", "ProductId", ""),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ExecutionId {
        text.parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn run(execution: &str, stage: &str, action: &str, started: i64, status: RunStatus) -> Run {
        Run {
            execution: id(execution),
            stage: stage.to_owned(),
            action: action.to_owned(),
            work: Work::Other,
            artifacts: Vec::new(),
            status,
            started: at(started),
            updated: at(started + 5),
        }
    }

    fn source(execution: &str, started: i64, commit: &str) -> Run {
        let variables = [("CommitId", commit), ("CommitMessage", "a change")];
        let output = SourceOutput {
            action: "Fetch".to_owned(),
            artifacts: vec!["App".to_owned()],
            variables: variables.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        };
        Run {
            work: Work::Source(output),
            ..run(execution, "Source", "Fetch", started, RunStatus::Succeeded)
        }
    }

    fn deploy(execution: &str, started: i64, status: RunStatus) -> Run {
        let deploy = Deploy {
            provider: "CloudFormation".to_owned(),
            what: Some("stack site".to_owned()),
            region: None,
            account: None,
        };
        Run {
            work: Work::Deploy(deploy),
            ..run(execution, "Prod", "Deploy", started, status)
        }
    }

    fn target() -> Target {
        Target {
            pipeline: "p".parse().unwrap(),
            stage: "Prod".parse().unwrap(),
            action: "Approve".parse().unwrap(),
        }
    }

    fn approve(execution: &str, started: i64, status: RunStatus) -> Run {
        run(execution, "Prod", "Approve", started, status)
    }

    /// e1 was released, e2 failed in the stage, e3 never came so far, e4 asks, e5 waits behind.
    fn past() -> Past {
        use RunStatus::{Failed, InProgress, Succeeded};
        Past {
            runs: vec![
                source("e1", 100, "c1"),
                approve("e1", 110, Succeeded),
                deploy("e1", 120, Succeeded),
                source("e2", 200, "c2"),
                approve("e2", 210, Succeeded),
                deploy("e2", 220, Failed),
                source("e3", 300, "c3"),
                source("e4", 400, "c4"),
                approve("e4", 410, InProgress),
                source("e5", 500, "c5"),
            ],
            inbound: vec![id("e5")],
            shut: false,
        }
    }

    #[test]
    fn changes_since_the_last_success_are_told_with_what_is_there_now() {
        let told = tell(&target(), &id("e4"), &past());
        let current = told.current.unwrap();
        assert_eq!((current.execution, current.at), (id("e1"), at(125)));
        assert_eq!(current.revisions[0].id, "c1");
        let ids: Vec<&str> = told.between.iter().map(|r| r.id.as_str()).collect();
        assert_eq!((ids, told.more), (vec!["c3", "c2"], 0));
        let last = told.last.unwrap();
        assert_eq!((last.execution, last.succeeded), (id("e2"), false));
        assert_eq!(told.newer[0].revisions[0].id, "c5");
        assert_eq!(told.deploys[0].what.as_deref(), Some("stack site"));
    }

    #[test]
    fn a_retried_action_counts_by_its_latest_run_and_a_revision_once() {
        let mut past = past();
        past.runs.push(deploy("e2", 230, RunStatus::Succeeded));
        past.runs.push(source("e35", 350, "c3"));
        past.runs.push(source("e36", 360, "c4"));
        let told = tell(&target(), &id("e4"), &past);
        assert_eq!(told.current.unwrap().execution, id("e2"));
        let ids: Vec<&str> = told.between.iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids, ["c3"], "c4 is this execution's own");
        assert!(told.last.unwrap().succeeded);
    }

    #[test]
    fn a_first_release_and_an_unknown_one_tell_less() {
        let mut past = past();
        past.runs
            .retain(|r| ["e4", "e5"].contains(&r.execution.as_str()));
        let told = tell(&target(), &id("e4"), &past);
        assert_eq!(
            (told.current, told.last, told.between),
            (None, None, vec![])
        );
        assert_eq!(told.newer.len(), 1);
        assert_eq!(tell(&target(), &id("e9"), &past), History::default());
        let many = (0..30).map(|n| source(&format!("a{n}"), 130 + n, &format!("m{n}")));
        let mut past = self::past();
        past.runs.extend(many);
        let told = tell(&target(), &id("e4"), &past);
        assert_eq!((told.between.len(), told.more), (20, 12));
    }

    #[test]
    fn only_names_of_targets_are_read_of_a_configuration() {
        let configuration = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pair = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
            pairs.iter().map(pair).collect()
        };
        let stack = configuration(&[("StackName", "site"), ("ParameterOverrides", "secret")]);
        assert_eq!(
            target_of("CloudFormation", &stack).as_deref(),
            Some("stack site")
        );
        let service = configuration(&[("ClusterName", "c"), ("ServiceName", "s")]);
        assert_eq!(target_of("ECS", &service).as_deref(), Some("service c/s"));
        assert_eq!(target_of("Custom", &stack), None);
        assert_eq!(target_of("S3", &stack), None);
    }
}
