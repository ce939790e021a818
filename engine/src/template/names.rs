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
            "AWS::S3::Bucket" => name("BucketName", bucket_of(id)),
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
            "AWS::KMS::Alias" => name("AliasName", format!("alias/{}", id.to_lowercase())),
            "AWS::CodeDeploy::Application" => name("ApplicationName", id.to_owned()),
            "AWS::CodeDeploy::DeploymentGroup" => name("DeploymentGroupName", id.to_owned()),
            "AWS::ECS::Cluster" => name("ClusterName", id.to_owned()),
            // Ref gives the ARN; an ECS action takes it as well as the name
            "AWS::ECS::Service" => {
                let service = name("ServiceName", id.to_owned())?;
                Ok(self.arn("ecs", &format!("service/{service}")))
            }
            "AWS::ElasticBeanstalk::Application" => name("ApplicationName", id.to_owned()),
            "AWS::ElasticBeanstalk::Environment" => name("EnvironmentName", id.to_owned()),
            "AWS::Lambda::Alias" | "AWS::Lambda::Version" => {
                let function = self.member(&resource["Properties"], "FunctionName", place)?;
                let function = function.as_ref().and_then(Value::as_str).unwrap_or(id);
                let plain = function.rsplit(':').next().unwrap_or(function);
                let qualifier = name("Name", "1".to_owned())?;
                Ok(self.arn("lambda", &format!("function:{plain}:{qualifier}")))
            }
            "AWS::SecretsManager::Secret" => {
                let secret = name("Name", id.to_owned())?;
                Ok(self.arn("secretsmanager", &format!("secret:{secret}")))
            }
            "AWS::SSM::Parameter" => name("Name", format!("/{id}")),
            "AWS::Events::EventBus"
            | "AWS::DynamoDB::Table"
            | "AWS::Logs::LogGroup"
            | "AWS::CloudWatch::Alarm"
            | "AWS::CodePipeline::Pipeline" => {
                let property = match kind {
                    "AWS::DynamoDB::Table" => "TableName",
                    "AWS::Logs::LogGroup" => "LogGroupName",
                    "AWS::CloudWatch::Alarm" => "AlarmName",
                    _ => "Name",
                };
                name(property, id.to_owned())
            }
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
            (
                "AWS::ECS::Service"
                | "AWS::StepFunctions::StateMachine"
                | "AWS::Serverless::StateMachine",
                "Name",
            ) => {
                let last = physical.rsplit([':', '/']).next();
                Ok(last.unwrap_or_default().to_owned())
            }
            ("AWS::ECR::Repository", "RepositoryUri") => Ok(format!(
                "{}.dkr.ecr.{}.amazonaws.com/{physical}",
                self.choice.account, self.choice.region
            )),
            ("AWS::CodeCommit::Repository", "Arn") => Ok(self.arn("codecommit", &physical)),
            ("AWS::ECR::Repository", "Arn") => {
                Ok(self.arn("ecr", &format!("repository/{physical}")))
            }
            ("AWS::S3::Bucket", "DomainName" | "RegionalDomainName") => Ok(format!(
                "{physical}.s3.{}.amazonaws.com",
                self.choice.region
            )),
            ("AWS::S3::Bucket", "WebsiteURL") => Ok(format!(
                "http://{physical}.s3-website-{}.amazonaws.com",
                self.choice.region
            )),
            ("AWS::SSM::Parameter", "Value") => {
                self.text(&resource["Properties"]["Value"], place, 0)
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

/// A bucket's name has at most 63 characters.
fn bucket_of(id: &str) -> String {
    format!("stagewright-{:.51}", id.to_lowercase())
}
