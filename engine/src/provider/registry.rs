//! Which provider performs which action type.

use std::sync::Arc;

use super::{
    beanstalk::Beanstalk,
    cloudformation::CloudFormation,
    codebuild::CodeBuild,
    codedeploy::CodeDeploy,
    ecr::EcrSource,
    ecs::{BlueGreen, Ecs},
    git::GitSource,
    lambda::Lambda,
    manual::Manual,
    nested::NestedPipeline,
    rule_alarm::AlarmRule,
    rule_window::WindowRule,
    s3_deploy::S3Deploy,
    s3_source::S3Source,
    step_functions::StepFunctions,
};
use crate::perform::Providers;

/// Everything this engine can perform; other action types fail loudly by name.
pub fn all() -> Providers {
    let codebuild = Arc::new(CodeBuild::default());
    let git = Arc::new(GitSource);
    Providers::default()
        .with("Source", "AWS", "CodeCommit", git.clone())
        .with("Source", "AWS", "CodeStarSourceConnection", git.clone())
        .with("Source", "ThirdParty", "GitHub", git)
        .with("Source", "AWS", "S3", Arc::new(S3Source))
        .with("Source", "AWS", "ECR", Arc::new(EcrSource))
        .with("Build", "AWS", "CodeBuild", codebuild.clone())
        .with("Test", "AWS", "CodeBuild", codebuild.clone())
        .with("Compute", "AWS", "Commands", codebuild.clone())
        .with("Build", "AWS", "Commands", codebuild.clone())
        .with("Rule", "AWS", "CodeBuild", codebuild.clone())
        .with("Rule", "AWS", "Commands", codebuild)
        .with("Rule", "AWS", "LambdaInvoke", Arc::new(Lambda))
        .with("Rule", "AWS", "CloudWatchAlarm", Arc::new(AlarmRule))
        .with("Rule", "AWS", "DeploymentWindow", Arc::new(WindowRule))
        .with("Deploy", "AWS", "S3", Arc::new(S3Deploy))
        .with("Deploy", "AWS", "CodeDeploy", Arc::new(CodeDeploy))
        .with("Deploy", "AWS", "CloudFormation", Arc::new(CloudFormation))
        .with("Deploy", "AWS", "ECS", Arc::new(Ecs))
        .with("Deploy", "AWS", "CodeDeployToECS", Arc::new(BlueGreen))
        .with("Deploy", "AWS", "ElasticBeanstalk", Arc::new(Beanstalk))
        .with("Approval", "AWS", "Manual", Arc::new(Manual))
        .with("Invoke", "AWS", "Lambda", Arc::new(Lambda))
        .with("Invoke", "AWS", "StepFunctions", Arc::new(StepFunctions))
        .with("Invoke", "AWS", "CodePipeline", Arc::new(NestedPipeline))
}
