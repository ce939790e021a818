//! CloudFormation's API, as far as the action uses it.

use std::collections::BTreeMap;

use crate::{
    cloud::{Client, CloudError},
    face::s3::xml::Element,
};

const VERSION: &str = "2010-05-15";

/// A stack as DescribeStacks tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    pub id: String,
    pub status: String,
    pub reason: String,
    pub outputs: BTreeMap<String, String>,
}

impl Stack {
    pub fn is_moving(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }

    /// Whether CREATE_STACK is what makes it: nothing was made so far.
    pub fn is_blank(&self) -> bool {
        self.status == "REVIEW_IN_PROGRESS" || self.status == "DELETE_COMPLETE"
    }

    /// What REPLACE_ON_FAILURE deletes.
    pub fn is_broken(&self) -> bool {
        [
            "ROLLBACK_COMPLETE",
            "ROLLBACK_FAILED",
            "CREATE_FAILED",
            "DELETE_FAILED",
            "UPDATE_ROLLBACK_FAILED",
        ]
        .contains(&self.status.as_str())
    }

    pub fn is_good(&self) -> bool {
        ["CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"].contains(&self.status.as_str())
    }
}

/// One line of a stack's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackEvent {
    pub id: String,
    pub resource: String,
    pub kind: String,
    pub status: String,
    pub reason: String,
}

/// A change set as DescribeChangeSet tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet {
    pub status: String,
    pub reason: String,
}

impl ChangeSet {
    pub fn is_moving(&self) -> bool {
        self.status.ends_with("_PENDING") || self.status.ends_with("_IN_PROGRESS")
    }

    /// Nothing would change; CloudFormation calls that a failure.
    pub fn is_empty(&self) -> bool {
        self.status == "FAILED"
            && (self.reason.contains("didn't contain changes")
                || self.reason.contains("No updates are to be performed"))
    }
}

/// Whether the service says that there is nothing to do.
pub fn is_no_update(error: &CloudError) -> bool {
    error.says("No updates are to be performed")
}

/// Parameters of a call.
#[derive(Debug, Clone, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(pairs.iter().map(own).collect())
    }

    pub fn put(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    pub fn list<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a String>) {
        for (number, value) in (1..).zip(values) {
            self.put(&format!("{name}.member.{number}"), value);
        }
    }

    pub fn map(&mut self, name: &str, of: [&str; 2], values: &BTreeMap<String, String>) {
        for (number, (key, value)) in (1..).zip(values) {
            self.put(&format!("{name}.member.{number}.{}", of[0]), key);
            self.put(&format!("{name}.member.{number}.{}", of[1]), value);
        }
    }
}

/// The service.
#[derive(Debug, Clone)]
pub struct Api(pub Client);

impl Api {
    pub async fn call(&self, operation: &str, form: &Form) -> Result<Element, CloudError> {
        self.0.query(operation, VERSION, &form.0).await
    }

    /// The stack; `None` when there is none.
    pub async fn stack(&self, name: &str) -> Result<Option<Stack>, CloudError> {
        let form = Form::of(&[("StackName", name)]);
        let answer = match self.call("DescribeStacks", &form).await {
            Err(error) if error.says("does not exist") => return Ok(None),
            other => other?,
        };
        let stacks = answer.all("Stacks").next();
        let found = stacks.and_then(|stacks| stacks.all("member").next());
        Ok(found.map(|stack| {
            let text = |name| stack.child(name).unwrap_or_default().to_owned();
            let outputs = stack.all("Outputs").flat_map(|all| all.all("member"));
            let outputs = outputs.filter_map(|one| {
                let key = one.child("OutputKey")?.to_owned();
                Some((key, one.child("OutputValue").unwrap_or_default().to_owned()))
            });
            Stack {
                id: text("StackId"),
                status: text("StackStatus"),
                reason: text("StackStatusReason"),
                outputs: outputs.collect(),
            }
        }))
    }

    /// The newest events of a stack, oldest first.
    pub async fn events(&self, stack: &str) -> Result<Vec<StackEvent>, CloudError> {
        let form = Form::of(&[("StackName", stack)]);
        let answer = match self.call("DescribeStackEvents", &form).await {
            Err(error) if error.says("does not exist") => return Ok(Vec::new()),
            other => other?,
        };
        let events = answer.all("StackEvents").flat_map(|all| all.all("member"));
        let mut events: Vec<StackEvent> = events
            .map(|event| {
                let text = |name| event.child(name).unwrap_or_default().to_owned();
                StackEvent {
                    id: text("EventId"),
                    resource: text("LogicalResourceId"),
                    kind: text("ResourceType"),
                    status: text("ResourceStatus"),
                    reason: text("ResourceStatusReason"),
                }
            })
            .collect();
        events.reverse();
        Ok(events)
    }

    /// The change set; `None` when there is none.
    pub async fn change_set(
        &self,
        stack: &str,
        name: &str,
    ) -> Result<Option<ChangeSet>, CloudError> {
        let form = Form::of(&[("StackName", stack), ("ChangeSetName", name)]);
        let answer = match self.call("DescribeChangeSet", &form).await {
            Err(error) if error.says("does not exist") => return Ok(None),
            other => other?,
        };
        let text = |name| answer.child(name).unwrap_or_default().to_owned();
        Ok(Some(ChangeSet {
            status: text("Status"),
            reason: text("StatusReason"),
        }))
    }
}
