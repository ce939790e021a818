//! One action against the real API, from the first call to the stack's last event.

use std::{collections::BTreeSet, time::Duration};

use engine_plan::{effect::ActionTask, event::ExecutionDetails};

use super::{
    Context, Desired, Ended, Mode, Plan, Trouble, Workshop,
    api::{Api, ChangeSet, Form, Stack, is_no_update},
    chain,
};
use crate::cloud::CloudError;

/// Between two looks at a stack.
const LOOK: Duration = Duration::from_secs(5);
/// Reasons that a failure repeats.
const MOST_REASONS: usize = 5;

pub struct Deploying<'a> {
    pub api: Api,
    pub plan: &'a Plan,
    pub desired: Option<&'a Desired>,
    pub task: &'a ActionTask,
    pub context: &'a Context,
    pub workshop: &'a Workshop,
}

/// What was seen of a stack's history.
#[derive(Default)]
struct Seen {
    events: BTreeSet<String>,
    failures: Vec<String>,
}

impl From<CloudError> for Trouble {
    fn from(error: CloudError) -> Self {
        match &error {
            CloudError::Refused { code, .. }
                if code.contains("AccessDenied") || code == "UnauthorizedOperation" =>
            {
                Self {
                    code: "PermissionError",
                    message: error.to_string(),
                }
            }
            _ => Self::job(chain(&error)),
        }
    }
}

impl Deploying<'_> {
    /// `None` when the action was given up; the stack goes on, as on AWS.
    pub async fn finish(self) -> Result<Option<Ended>, Trouble> {
        let name = &self.plan.stack;
        let before = self.api.stack(name).await?;
        let mut seen = Seen::default();
        if let Some(stack) = &before {
            self.remember(stack, &mut seen).await?;
        }
        match &self.plan.mode {
            Mode::DeleteOnly => self.delete(before, &mut seen).await,
            Mode::CreateUpdate => self.create_or_update(before, seen).await,
            Mode::ReplaceOnFailure => match before {
                Some(stack) if stack.is_broken() => {
                    self.say(&format!(
                        "The stack {name} is {}: it is replaced",
                        stack.status
                    ));
                    if self.delete(Some(stack), &mut seen).await?.is_none() {
                        return Ok(None);
                    }
                    self.create_or_update(None, seen).await
                }
                before => self.create_or_update(before, seen).await,
            },
            Mode::ChangeSetReplace(set) => self.replace_change_set(set, before.as_ref()).await,
            Mode::ChangeSetExecute(set) => self.execute_change_set(set, before, seen).await,
        }
    }

    fn say(&self, text: &str) {
        self.workshop.log(text);
    }

    fn ended(&self, summary: String, stack: Option<Stack>) -> Ended {
        let (stack, outputs) = stack.map_or_else(Default::default, |it| (Some(it.id), it.outputs));
        Ended {
            summary,
            stack,
            outputs,
        }
    }

    /// What a create, an update and a change set have in common.
    fn form(&self) -> Form {
        let mut form = Form::of(&[("StackName", &self.plan.stack)]);
        if let Some(desired) = self.desired {
            form.put("TemplateBody", &desired.template);
            form.map(
                "Parameters",
                ["ParameterKey", "ParameterValue"],
                &desired.parameters,
            );
            form.map("Tags", ["Key", "Value"], &desired.tags);
        }
        form.list("Capabilities", &self.plan.capabilities);
        if let Some(role) = &self.plan.role {
            form.put("RoleARN", role);
        }
        form
    }

    /// The same for the same action execution: CloudFormation takes repeated calls for one.
    fn token(&self, form: &mut Form) {
        form.put("ClientRequestToken", &self.task.action_execution);
    }

    async fn create_or_update(
        &self,
        before: Option<Stack>,
        mut seen: Seen,
    ) -> Result<Option<Ended>, Trouble> {
        let name = &self.plan.stack;
        let mut form = self.form();
        self.token(&mut form);
        if let Some(policy) = self.desired.and_then(|it| it.policy.as_ref()) {
            form.put("StackPolicyBody", policy);
        }
        let update = before.as_ref().is_some_and(|stack| !stack.is_blank());
        let operation = if update { "UpdateStack" } else { "CreateStack" };
        match self.api.call(operation, &form).await {
            Err(error) if update && is_no_update(&error) => {
                return Ok(Some(
                    self.ended(format!("The stack {name} needs no update"), before),
                ));
            }
            other => drop(other?),
        }
        let done = if update { "updated" } else { "created" };
        let Some(stack) = self.settle(&mut seen).await? else {
            return Ok(None);
        };
        let stack = self.good(stack, &seen)?;
        Ok(Some(self.ended(
            format!("The stack {name} was {done}"),
            Some(stack),
        )))
    }

    async fn delete(
        &self,
        before: Option<Stack>,
        seen: &mut Seen,
    ) -> Result<Option<Ended>, Trouble> {
        let name = &self.plan.stack;
        let Some(stack) = before else {
            return Ok(Some(self.ended(format!("There is no stack {name}"), None)));
        };
        let mut form = Form::of(&[("StackName", name)]);
        if let Some(role) = &self.plan.role {
            form.put("RoleARN", role);
        }
        self.token(&mut form);
        self.api.call("DeleteStack", &form).await?;
        // by its id: the name of a deleted stack is nobody's
        match self.settled(&stack.id, seen).await? {
            None => Ok(None),
            Some(None) => Ok(Some(
                self.ended(format!("The stack {name} was deleted"), None),
            )),
            Some(Some(stack)) if stack.status == "DELETE_COMPLETE" => Ok(Some(
                self.ended(format!("The stack {name} was deleted"), None),
            )),
            Some(Some(stack)) => Err(self.bad(&stack, seen)),
        }
    }

    async fn replace_change_set(
        &self,
        set: &str,
        before: Option<&Stack>,
    ) -> Result<Option<Ended>, Trouble> {
        let name = &self.plan.stack;
        if self.set(set).await?.is_some() {
            let form = Form::of(&[("StackName", name), ("ChangeSetName", set)]);
            self.api.call("DeleteChangeSet", &form).await?;
            self.say(&format!(
                "The change set {set} of an earlier run is replaced"
            ));
        }
        let blank = before.is_none_or(Stack::is_blank);
        let mut form = self.form();
        form.put("ChangeSetName", set);
        form.put("ChangeSetType", if blank { "CREATE" } else { "UPDATE" });
        form.put("ClientToken", &self.task.action_execution);
        self.api.call("CreateChangeSet", &form).await?;
        loop {
            let made = self.set(set).await?;
            let made = made.ok_or_else(|| {
                Trouble::job(format!(
                    "the change set {set} of {name} went away while it was made"
                ))
            })?;
            let summary = match &made {
                made if made.status == "CREATE_COMPLETE" => {
                    format!("The change set {set} was created")
                }
                made if made.is_empty() => format!("The change set {set} holds no changes"),
                made if made.is_moving() => {
                    if self.context.pause(LOOK).await {
                        return Ok(None);
                    }
                    continue;
                }
                made => {
                    let text = format!(
                        "the change set {set} of {name} is {}: {}",
                        made.status, made.reason
                    );
                    return Err(Trouble::job(text));
                }
            };
            return Ok(Some(self.ended(summary, self.api.stack(name).await?)));
        }
    }

    async fn execute_change_set(
        &self,
        set: &str,
        before: Option<Stack>,
        mut seen: Seen,
    ) -> Result<Option<Ended>, Trouble> {
        let name = &self.plan.stack;
        let found = self.set(set).await?;
        let found = found.ok_or_else(|| {
            Trouble::job(format!("the stack {name} has no change set {set}: an action with CHANGE_SET_REPLACE makes it"))
        })?;
        if found.is_empty() {
            let summary = format!("The change set {set} holds no changes: the stack {name} stays");
            return Ok(Some(self.ended(summary, before)));
        }
        let mut form = Form::of(&[("StackName", name), ("ChangeSetName", set)]);
        self.token(&mut form);
        self.api.call("ExecuteChangeSet", &form).await?;
        let Some(stack) = self.settle(&mut seen).await? else {
            return Ok(None);
        };
        let stack = self.good(stack, &seen)?;
        let summary = format!("The change set {set} of {name} was executed");
        Ok(Some(self.ended(summary, Some(stack))))
    }

    async fn set(&self, name: &str) -> Result<Option<ChangeSet>, Trouble> {
        Ok(self.api.change_set(&self.plan.stack, name).await?)
    }

    async fn settle(&self, seen: &mut Seen) -> Result<Option<Stack>, Trouble> {
        let name = &self.plan.stack;
        match self.settled(name, seen).await? {
            None => Ok(None),
            Some(Some(stack)) => Ok(Some(stack)),
            Some(None) => Err(Trouble::job(format!("the stack {name} went away"))),
        }
    }

    /// Looks until nothing moves any more; `None` when the action was given up.
    async fn settled(
        &self,
        stack: &str,
        seen: &mut Seen,
    ) -> Result<Option<Option<Stack>>, Trouble> {
        let mut told = String::new();
        loop {
            let now = self.api.stack(stack).await?;
            self.stream(stack, seen).await?;
            match now {
                Some(now) if now.is_moving() => {
                    if now.status != told {
                        told.clone_from(&now.status);
                        let details = ExecutionDetails {
                            summary: Some(format!(
                                "The stack {} is {}",
                                self.plan.stack, now.status
                            )),
                            external_execution_id: Some(now.id),
                            ..ExecutionDetails::default()
                        };
                        self.context.progress.tell(details).await;
                    }
                }
                settled => return Ok(Some(settled)),
            }
            if self.context.pause(LOOK).await {
                self.say("The action was given up; the stack goes on");
                return Ok(None);
            }
        }
    }

    /// Events from before the action are nobody's news.
    async fn remember(&self, stack: &Stack, seen: &mut Seen) -> Result<(), Trouble> {
        let events = self.api.events(&stack.id).await?;
        seen.events.extend(events.into_iter().map(|event| event.id));
        Ok(())
    }

    async fn stream(&self, stack: &str, seen: &mut Seen) -> Result<(), Trouble> {
        for event in self.api.events(stack).await? {
            if !seen.events.insert(event.id) {
                continue;
            }
            let reason = match event.reason.as_str() {
                "" => String::new(),
                reason => format!(": {reason}"),
            };
            self.say(&format!(
                "{} {} {}{reason}",
                event.status, event.resource, event.kind
            ));
            if event.status.ends_with("_FAILED") {
                seen.failures.push(format!("{}{reason}", event.resource));
            }
        }
        Ok(())
    }

    fn good(&self, stack: Stack, seen: &Seen) -> Result<Stack, Trouble> {
        match stack.is_good() {
            true => Ok(stack),
            false => Err(self.bad(&stack, seen)),
        }
    }

    fn bad(&self, stack: &Stack, seen: &Seen) -> Trouble {
        let reasons: Vec<&str> = seen
            .failures
            .iter()
            .take(MOST_REASONS)
            .map(String::as_str)
            .collect();
        let mut text = format!("the stack {} is {}", self.plan.stack, stack.status);
        for part in [stack.reason.as_str(), &reasons.join("; ")] {
            if !part.is_empty() {
                text += &format!(": {part}");
            }
        }
        Trouble::job(text)
    }
}
