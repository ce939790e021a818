//! Who waits for a decision: an approval action of a pipeline, or a task of a state machine.

use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::{
    id::{ActionExecutionId, ExecutionId, IdError},
    secret::Secret,
};

/// Who waits for the decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Asker {
    /// An approval action of CodePipeline, which ends by itself at its deadline.
    #[default]
    Pipeline,
    /// A task of Step Functions with a token (`.waitForTaskToken`), which is told everything.
    Machine(MachineTask),
}

/// A task that waits with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineTask {
    /// The execution.
    pub execution: MachineExecution,
    /// What is to be decided, in one line of the machine's.
    pub subject: Option<String>,
}

/// ARN of a standard execution: `arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME`, or a child of a map run's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineExecution(String);

impl MachineExecution {
    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its region.
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// Its account.
    pub fn account(&self) -> &str {
        self.part(4)
    }

    /// The machine's name, without the label of a map run.
    pub fn machine(&self) -> &str {
        self.part(6).split('/').next().unwrap_or_default()
    }

    /// The execution's name.
    pub fn name(&self) -> &str {
        self.part(7)
    }

    /// An id in a pipeline execution's form, under which requests are found.
    pub fn id(&self) -> Result<ExecutionId, IdError> {
        hex(&self.0).parse()
    }

    /// The same of the one task that holds this token.
    pub fn task_id(&self, token: &Secret) -> Result<ActionExecutionId, IdError> {
        hex(token.reveal()).parse()
    }

    fn part(&self, at: usize) -> &str {
        self.0.splitn(8, ':').nth(at).unwrap_or_default()
    }
}

impl FromStr for MachineExecution {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = |problem: &str| {
            Err(IdError {
                what: "execution of a state machine",
                problem: problem.to_owned(),
            })
        };
        let parts: Vec<&str> = text.splitn(8, ':').collect();
        match parts[..] {
            ["arn", _, "states", _, _, "express", _, _] => {
                wrong("is one of an express machine, which cannot wait for a token")
            }
            [
                "arn",
                _,
                "states",
                region,
                account,
                "execution",
                machine,
                name,
            ] if [region, account, machine, name]
                .iter()
                .all(|part| !part.is_empty() && !part.contains(char::is_control))
                && text.len() <= 512 =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => wrong("is not an execution's ARN: give it `$$.Execution.Id`"),
        }
    }
}

impl Asker {
    /// What it is, in a sentence.
    pub const fn noun(&self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::Machine(_) => "state machine",
        }
    }

    /// The service that is told.
    pub const fn service(&self) -> &'static str {
        match self {
            Self::Pipeline => "CodePipeline",
            Self::Machine(_) => "Step Functions",
        }
    }

    /// What an approval does.
    pub const fn when_approved(&self) -> &'static str {
        match self {
            Self::Pipeline => "The pipeline goes on.",
            Self::Machine(_) => "The state machine goes on.",
        }
    }

    /// What a rejection does.
    pub const fn when_rejected(&self) -> &'static str {
        match self {
            Self::Pipeline => "The action fails and the pipeline stops here.",
            Self::Machine(_) => {
                "The state fails with ApprovalRejected; the state machine says what follows."
            }
        }
    }

    /// What to do where the page cannot be used.
    pub const fn otherwise(&self) -> &'static str {
        match self {
            Self::Pipeline => "Ask whoever runs the pipeline, or answer in the AWS console.",
            Self::Machine(_) => "Ask whoever runs the state machine.",
        }
    }

    /// The task, where it is a state machine's.
    pub const fn machine(&self) -> Option<&MachineTask> {
        match self {
            Self::Pipeline => None,
            Self::Machine(task) => Some(task),
        }
    }
}

/// 128 bits of a digest, as the ids of executions are written.
fn hex(text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"stagewright machine v1\0");
    hash.update(text);
    let bytes = hash.finalize();
    bytes[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executions_arn_says_where_it_is() {
        let arn = "arn:aws:states:eu-west-1:123456789012:execution:shop-release:v4.2:again";
        let execution: MachineExecution = arn.parse().unwrap();
        assert_eq!(
            (execution.region(), execution.account()),
            ("eu-west-1", "123456789012")
        );
        assert_eq!(
            (execution.machine(), execution.name()),
            ("shop-release", "v4.2:again")
        );
        let child = "arn:aws:states:eu-west-1:123456789012:execution:shop/Each:0f";
        assert_eq!(child.parse::<MachineExecution>().unwrap().machine(), "shop");
        assert_eq!(execution.id().unwrap().as_str().len(), 32);
        for (text, problem) in [
            ("arn:aws:states:r:a:express:m:n:x", "cannot wait"),
            ("arn:aws:states:r:a:execution:m", "$$.Execution.Id"),
            ("arn:aws:states:r::execution:m:n", "$$.Execution.Id"),
            ("shop", "$$.Execution.Id"),
        ] {
            let error = text.parse::<MachineExecution>().unwrap_err();
            assert!(error.to_string().contains(problem), "{text}: {error}");
        }
    }
}
