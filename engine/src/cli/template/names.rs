//! What `Ref` and `Fn::GetAtt` of a resource give: names and ARNs.

use serde_json::Value;

use super::{Problem, problem, resolve::Resolver};

impl Resolver<'_> {
    pub(super) fn pseudo(&self, id: &str) -> Option<String> {
        Some(match id {
            "AWS::Region" => self.choice.region.clone(),
            "AWS::AccountId" => self.choice.account.clone(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" => "stagewright".to_owned(),
            "AWS::StackId" => format!(
                "arn:aws:cloudformation:{}:{}:stack/stagewright/local",
                self.choice.region, self.choice.account
            ),
            _ => return None,
        })
    }

    /// What `Ref` of a resource gives: its own name property, or a name made from the logical id.
    pub(super) fn physical(
        &self,
        id: &str,
        resource: &Value,
        place: &str,
    ) -> Result<String, Problem> {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let name = |property: &str, otherwise: String| match resource["Properties"].get(property) {
            Some(value) => self.text(value, &format!("Resources.{id}.Properties.{property}"), 0),
            None => Ok(otherwise),
        };
        match kind {
            "AWS::S3::Bucket" => name("BucketName", format!("stagewright-{}", id.to_lowercase())),
            "AWS::Lambda::Function" | "AWS::Serverless::Function" => {
                name("FunctionName", id.to_owned())
            }
            "AWS::CodeBuild::Project" => name("Name", id.to_owned()),
            "AWS::CodeCommit::Repository" => name("RepositoryName", id.to_owned()),
            "AWS::ECR::Repository" => name("RepositoryName", id.to_lowercase()),
            "AWS::IAM::Role" => name("RoleName", id.to_owned()),
            "AWS::SNS::Topic" => Ok(self.arn("sns", &name("TopicName", id.to_owned())?)),
            "AWS::StepFunctions::StateMachine" | "AWS::Serverless::StateMachine" => {
                let machine = name("StateMachineName", id.to_owned())?;
                Ok(self.arn("states", &format!("stateMachine:{machine}")))
            }
            "AWS::CodeStarConnections::Connection" | "AWS::CodeConnections::Connection" => {
                let connection = name("ConnectionName", id.to_owned())?;
                Ok(self.arn("codestar-connections", &format!("connection/{connection}")))
            }
            "AWS::KMS::Key" => Ok(id.to_owned()),
            _ => problem(format!(
                "{place}: Ref of {id} ({kind}) is not known here; write the value out"
            )),
        }
    }

    pub(super) fn attribute(
        &self,
        id: &str,
        attribute: &str,
        place: &str,
    ) -> Result<String, Problem> {
        let Some(resource) = self.resources.get(id) else {
            return problem(format!("{place}: {id} is not a resource of this template"));
        };
        let kind = resource["Type"].as_str().unwrap_or_default();
        let physical = self.physical(id, resource, place)?;
        match (kind, attribute) {
            ("AWS::IAM::Role", "Arn") => Ok(format!(
                "arn:aws:iam::{}:role/{physical}",
                self.choice.account
            )),
            ("AWS::S3::Bucket", "Arn") => Ok(format!("arn:aws:s3:::{physical}")),
            ("AWS::Lambda::Function" | "AWS::Serverless::Function", "Arn") => {
                Ok(self.arn("lambda", &format!("function:{physical}")))
            }
            ("AWS::KMS::Key", "Arn") => Ok(self.arn("kms", &format!("key/{physical}"))),
            ("AWS::CodeBuild::Project", "Arn") => {
                Ok(self.arn("codebuild", &format!("project/{physical}")))
            }
            ("AWS::CodeCommit::Repository", "Name") | ("AWS::SNS::Topic", "TopicArn") => {
                Ok(physical)
            }
            ("AWS::SNS::Topic", "TopicName") => {
                Ok(physical.rsplit(':').next().unwrap_or_default().to_owned())
            }
            (_, "Arn" | "ConnectionArn") if physical.starts_with("arn:") => Ok(physical),
            _ => problem(format!(
                "{place}: {id}.{attribute} ({kind}) is not known here; write the value out"
            )),
        }
    }

    fn arn(&self, service: &str, rest: &str) -> String {
        format!(
            "arn:aws:{service}:{}:{}:{rest}",
            self.choice.region, self.choice.account
        )
    }
}
