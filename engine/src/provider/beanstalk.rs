//! Deploy/AWS/ElasticBeanstalk/1: the real API at an endpoint; without one it is simulated, and says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use engine_plan::{
    effect::ActionTask,
    event::{ExecutionDetails, Outcome},
};
use futures_util::future::BoxFuture;

use super::{Context, Provider, Trouble, bundle, chain, required, workshop::Workshop};
use crate::{cloud::Client, face::s3::xml::Element};

#[cfg(test)]
mod tests;

const VERSION: &str = "2010-12-01";
/// Elastic Beanstalk's bound of a source bundle.
const LARGEST: u64 = 512 << 20;
/// Between two looks at an environment.
const LOOK: Duration = Duration::from_secs(10);

/// The provider. Performed again after a restart it finds the application version that it had made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beanstalk;

impl Provider for Beanstalk {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let ended = deploy(&task, &context).await;
            Some(ended.unwrap_or_else(|trouble| trouble.outcome(ExecutionDetails::default())))
        })
    }
}

/// What an action works with.
struct Ground<'a> {
    client: Client,
    context: &'a Context,
    workshop: &'a Workshop,
    application: String,
    environment: String,
    /// Of the application version, and the run's name.
    label: String,
}

async fn deploy(task: &ActionTask, context: &Context) -> Result<Outcome, Trouble> {
    let application = required(task, "ApplicationName")?;
    let environment = required(task, "EnvironmentName")?;
    let workshop =
        Workshop::open(task, context).map_err(|error| Trouble::job(error.to_string()))?;
    let [input] = task.inputs.as_slice() else {
        return Err(Trouble::configuration(format!(
            "action {}: an Elastic Beanstalk action has exactly one input artifact",
            task.action
        )));
    };
    let client = Client::configured(&context.app, "elasticbeanstalk", &task.region)
        .map_err(|error| Trouble::job(chain(&error)))?;
    let Some(client) = client else {
        workshop.log("SIMULATED: no endpoint of elasticbeanstalk is named ([endpoint] or --endpoint elasticbeanstalk=URL), so that nothing is deployed");
        let text = format!("Simulated: {environment} of {application} would get a new version");
        workshop.log(&text);
        return Ok(succeeded(text, None));
    };
    workshop.log(&format!("Elastic Beanstalk at {}", client.endpoint()));
    bundle::place(input, LARGEST, &task.region, context, &workshop).await?;
    let ground = Ground {
        client,
        context,
        workshop: &workshop,
        application,
        environment,
        label: format!("code-pipeline-{}", task.action_execution),
    };
    let mut seen = BTreeSet::new();
    ground.events(&mut seen, |_| {}).await?;
    ground.make_version(&input.bucket, &input.key).await?;
    let (environment, label) = (&ground.environment, &ground.label);
    let names = [("EnvironmentName", environment), ("VersionLabel", label)];
    ground.call("UpdateEnvironment", &names).await?;
    workshop.log(&format!("{environment} gets {label}"));
    ground.watch(&mut seen).await
}

impl Ground<'_> {
    async fn make_version(&self, bucket: &str, key: &str) -> Result<(), Trouble> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let made = self
            .client
            .query(
                "CreateApplicationVersion",
                VERSION,
                &[
                    ("ApplicationName".to_owned(), self.application.clone()),
                    ("VersionLabel".to_owned(), self.label.clone()),
                    ("SourceBundle.S3Bucket".to_owned(), bucket),
                    ("SourceBundle.S3Key".to_owned(), key),
                ],
            )
            .await;
        match made {
            Err(error) if error.says("already exists") => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }

    /// Until the environment has come to rest: with the new version it succeeded.
    async fn watch(&self, seen: &mut BTreeSet<String>) -> Result<Outcome, Trouble> {
        let (environment, label) = (&self.environment, &self.label);
        let mut told = String::new();
        let mut worst = None;
        loop {
            self.events(seen, |error| worst = Some(error)).await?;
            let names = [
                ("ApplicationName", &self.application),
                ("EnvironmentNames.member.1", environment),
            ];
            let answer = self.call("DescribeEnvironments", &names).await?;
            let list = answer.all("Environments").next();
            let found = list.and_then(|list| list.all("member").next());
            let found = found.ok_or_else(|| {
                Trouble::job(format!(
                    "{} has no environment {environment}",
                    self.application
                ))
            })?;
            let part = |name: &str| found.child(name).unwrap_or_default();
            match (part("Status"), part("VersionLabel") == label) {
                ("Ready", true) => {
                    let text = format!("{environment} runs {label}, health {}", part("Health"));
                    self.workshop.log(&text);
                    return Ok(succeeded(text, Some(label.clone())));
                }
                ("Ready", false) => {
                    let why = worst.unwrap_or_else(|| "no event says why".to_owned());
                    return Err(Trouble::job(format!(
                        "{environment} did not take {label}: {why}"
                    )));
                }
                (status @ ("Terminating" | "Terminated"), _) => {
                    return Err(Trouble::job(format!("{environment} is {status}")));
                }
                (status, _) if status != told => {
                    let text = format!("{environment} is {status}");
                    self.workshop.log(&text);
                    status.clone_into(&mut told);
                    let details = details(text, Some(label.clone()));
                    self.context.progress.tell(details).await;
                }
                _ => {}
            }
            if self.context.pause(LOOK).await {
                let names = [("EnvironmentName", environment)];
                self.call("AbortEnvironmentUpdate", &names).await?;
                self.workshop
                    .log(&format!("The update of {environment} was told to stop"));
                return Ok(Outcome::Stopped);
            }
        }
    }

    /// Events that were not seen go to the log, oldest first; errors also to `error`.
    async fn events(
        &self,
        seen: &mut BTreeSet<String>,
        mut error: impl FnMut(String),
    ) -> Result<(), Trouble> {
        let names = [
            ("ApplicationName", &self.application),
            ("EnvironmentName", &self.environment),
        ];
        let first = seen.is_empty();
        let answer = self.call("DescribeEvents", &names).await?;
        let list = answer.all("Events").next();
        let mut all: Vec<&Element> = list
            .into_iter()
            .flat_map(|list| list.all("member"))
            .collect();
        all.reverse();
        for event in all {
            let part = |name: &str| event.child(name).unwrap_or_default();
            let (severity, message) = (part("Severity"), part("Message"));
            if !seen.insert(format!("{} {message}", part("EventDate"))) || first {
                continue;
            }
            self.workshop.log(&format!("{severity} {message}"));
            if severity == "ERROR" || severity == "FATAL" {
                error(message.to_owned());
            }
        }
        // from now on everything is news
        seen.insert(String::new());
        Ok(())
    }

    async fn call(&self, operation: &str, names: &[(&str, &String)]) -> Result<Element, Trouble> {
        let parameters = names
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).clone()));
        let parameters: Vec<(String, String)> = parameters.collect();
        Ok(self.client.query(operation, VERSION, &parameters).await?)
    }
}

fn details(summary: String, id: Option<String>) -> ExecutionDetails {
    ExecutionDetails {
        summary: Some(summary),
        external_execution_id: id,
        ..ExecutionDetails::default()
    }
}

fn succeeded(summary: String, id: Option<String>) -> Outcome {
    Outcome::Succeeded {
        details: details(summary, id),
        variables: BTreeMap::new(),
        revision: None,
    }
}
