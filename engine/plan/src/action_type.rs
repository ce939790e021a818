//! The action types CodePipeline knows (`codepipeline.md` section 7), as data, and how each is hosted.

use crate::{
    definition::{ActionTypeId, CUSTOM, CustomActionType, THIRD_PARTY},
    rule_type::LAMBDA_INVOKE,
    timeout,
};

/// One built-in action type; the version is always `1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub category: &'static str,
    pub owner: &'static str,
    pub provider: &'static str,
    required: &'static str,
    optional: &'static str,
    /// Input artifacts, least and most.
    pub inputs: (usize, usize),
    /// Output artifacts, least and most.
    pub outputs: (usize, usize),
    /// Only in V2 pipelines.
    pub v2: bool,
    /// Minutes until the action times out (section 3.7).
    pub minutes: u32,
}

/// Who does the work of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// A provider of the engine reports its end.
    Provider,
    /// A function gets a job and reports on it.
    Lambda,
    /// A job worker, ours or a partner's, polls for the job.
    Worker,
    /// A person decides.
    Person,
}

const fn known(
    category: &'static str,
    owner: &'static str,
    provider: &'static str,
    required: &'static str,
    optional: &'static str,
    inputs: (usize, usize),
    outputs: (usize, usize),
) -> Known {
    Known {
        category,
        owner,
        provider,
        required,
        optional,
        inputs,
        outputs,
        v2: false,
        minutes: timeout::OTHER,
    }
}

impl Known {
    /// Configuration keys that must be there.
    pub fn required(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.required.split_whitespace()
    }

    /// Configuration keys that may be there.
    pub fn optional(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.optional.split_whitespace()
    }

    const fn v2(self) -> Self {
        Self { v2: true, ..self }
    }
    const fn minutes(self, minutes: u32) -> Self {
        Self { minutes, ..self }
    }
}

const CODEBUILD: &str = "PrimarySource BatchEnabled CombineArtifacts BuildspecOverride ServiceRoleArnOverride EnvironmentVariables";
const COMMANDS: &str = "EnvironmentType ComputeType VpcId Subnets SecurityGroupIds";

/// All built-in action types.
pub static KNOWN: &[Known] = &[
    known("Source", "AWS", "S3", "S3Bucket S3ObjectKey", "PollForSourceChanges AllowOverrideForS3ObjectKey", (0, 0), (1, 1)),
    known("Source", "AWS", "CodeCommit", "RepositoryName BranchName", "PollForSourceChanges OutputArtifactFormat", (0, 0), (1, 1)),
    known("Source", "ThirdParty", "GitHub", "Owner Repo Branch OAuthToken", "PollForSourceChanges", (0, 0), (1, 1)),
    known("Source", "AWS", "CodeStarSourceConnection", "ConnectionArn FullRepositoryId BranchName", "OutputArtifactFormat DetectChanges", (0, 0), (1, 1)),
    known("Source", "AWS", "ECR", "RepositoryName", "ImageTag", (0, 0), (1, 1)),
    known("Build", "AWS", "CodeBuild", "ProjectName", CODEBUILD, (1, 5), (0, 5)).minutes(timeout::BUILD),
    known("Test", "AWS", "CodeBuild", "ProjectName", CODEBUILD, (1, 5), (0, 5)).minutes(timeout::TEST),
    known("Compute", "AWS", "Commands", "", COMMANDS, (1, 10), (0, 1)).v2().minutes(timeout::COMMANDS),
    known("Build", "AWS", "Commands", "", COMMANDS, (1, 10), (0, 1)).v2().minutes(timeout::COMMANDS),
    known("Build", "AWS", "ECRBuildAndPublish", "ECRRepositoryName", "DockerFilePath ImageTags RegistryType", (1, 1), (0, 0)).v2(),
    known("Test", "AWS", "DeviceFarm", "ProjectId DevicePoolArn AppType App TestType", "AppiumVersion Test FuzzEventCount FuzzEventThrottle FuzzRandomizerSeed \
     RecordVideo RecordAppPerformanceData RadioBluetoothEnabled RadioWifiEnabled \
     RadioNfcEnabled RadioGpsEnabled CustomHostMachineArtifacts CustomDeviceArtifacts \
     UnmeteredDevicesOnly JobTimeoutMinutes Latitude Longitude", (1, 1), (0, 0)).minutes(timeout::TEST),
    known("Deploy", "AWS", "S3", "BucketName Extract", "ObjectKey KMSEncryptionKeyARN CannedACL CacheControl", (1, 1), (0, 0)).minutes(timeout::S3_DEPLOY),
    known("Deploy", "AWS", "CodeDeploy", "ApplicationName DeploymentGroupName", "", (1, 1), (0, 0)).minutes(timeout::CODEDEPLOY),
    known("Deploy", "AWS", "CodeDeployToECS", "ApplicationName DeploymentGroupName TaskDefinitionTemplateArtifact AppSpecTemplateArtifact", "TaskDefinitionTemplatePath AppSpecTemplatePath Image1ArtifactName \
     Image1ContainerName Image2ArtifactName Image2ContainerName Image3ArtifactName \
     Image3ContainerName Image4ArtifactName Image4ContainerName", (1, 5), (0, 0)).minutes(timeout::CODEDEPLOY),
    known("Deploy", "AWS", "ECS", "ClusterName ServiceName", "FileName DeploymentTimeout", (1, 1), (0, 0)).minutes(timeout::ECS),
    known("Deploy", "AWS", "EKS", "ClusterName", "ManifestFiles HelmReleaseName HelmChartLocation HelmValuesFiles Namespace \
     Subnets SecurityGroupIds", (1, 1), (0, 0)).v2(),
    known("Deploy", "AWS", "EC2", "InstanceTagKey InstanceType", "InstanceTagValue TargetDirectory PreScript PostScript DeploySpec MaxBatch \
     MaxError TargetGroupNameList", (1, 1), (0, 0)).v2(),
    known("Deploy", "AWS", "Lambda", "FunctionName", "FunctionAlias PublishedTargetVersion DeployStrategy Alarms", (0, 1), (0, 0)).v2(),
    known("Deploy", "AWS", "CloudFormation", "ActionMode StackName", "ChangeSetName RoleArn TemplatePath TemplateConfiguration Capabilities \
     ParameterOverrides OutputFileName", (0, 10), (0, 1)).minutes(timeout::CLOUDFORMATION),
    known("Deploy", "AWS", "CloudFormationStackSet", "StackSetName TemplatePath", "Description Parameters Capabilities PermissionModel AdministrationRoleArn \
     ExecutionRoleName OrganizationsAutoDeployment DeploymentTargets Regions \
     FailureTolerancePercentage MaxConcurrentPercentage", (1, 3), (0, 1)).minutes(timeout::CLOUDFORMATION),
    known("Deploy", "AWS", "CloudFormationStackInstances", "StackSetName Regions", "DeploymentTargets ParameterOverrides FailureTolerancePercentage MaxConcurrentPercentage", (0, 2), (0, 1)).minutes(timeout::CLOUDFORMATION),
    known("Deploy", "AWS", "ElasticBeanstalk", "ApplicationName EnvironmentName", "", (1, 1), (0, 0)),
    known("Deploy", "AWS", "ServiceCatalog", "ProductId", "TemplateFilePath ProductVersionName ProductType ProductVersionDescription \
     ConfigurationFilePath", (1, 1), (0, 1)),
    known("Deploy", "AWS", "AppConfig", "Application Environment ConfigurationProfile InputArtifactConfigurationPath DeploymentStrategy", "", (1, 1), (0, 0)),
    known("Deploy", "ThirdParty", "AlexaSkillsKit", "ClientId ClientSecret RefreshToken SkillId", "", (1, 2), (0, 0)),
    known("Deploy", "AWS", "OpsWorks", "Stack App Layer", "", (1, 1), (0, 0)),
    known("Invoke", "AWS", "Lambda", "FunctionName", "UserParameters", (0, 5), (0, 5)).minutes(timeout::LAMBDA),
    known("Invoke", "AWS", "StepFunctions", "StateMachineArn", "ExecutionNamePrefix InputType Input", (0, 1), (0, 1)).minutes(timeout::STEP_FUNCTIONS),
    known("Invoke", "AWS", "CodePipeline", "PipelineName", "SourceRevisions Variables", (0, 0), (0, 0)).v2(),
    known("Invoke", "AWS", "InspectorScan", "InspectorRunMode", "ECRRepositoryName ImageTag CriticalThreshold HighThreshold MediumThreshold LowThreshold", (0, 1), (0, 1)),
    known("Approval", "AWS", "Manual", "", "NotificationArn ExternalEntityLink CustomData", (0, 0), (0, 0)).minutes(timeout::APPROVAL),
];

/// Configuration keys whose values are secret: `****` in every reply.
pub const SECRET_KEYS: &[&str] = &["OAuthToken", "ClientSecret", "RefreshToken"];

/// The built-in type of that id.
pub fn find(id: &ActionTypeId) -> Option<&'static Known> {
    KNOWN.iter().find(|known| {
        known.provider == id.provider
            && known.category == id.category
            && known.owner == id.owner
            && id.version == "1"
    })
}

/// Who does the work of such an action.
pub fn host(id: &ActionTypeId) -> Host {
    match (
        id.category.as_str(),
        id.owner.as_str(),
        id.provider.as_str(),
    ) {
        ("Approval", "AWS", "Manual") => Host::Person,
        ("Invoke", "AWS", "Lambda") | ("Rule", "AWS", LAMBDA_INVOKE) => Host::Lambda,
        (_, CUSTOM, _) => Host::Worker,
        // GitHub's is a source of the engine; the other partners poll for third-party jobs.
        (_, THIRD_PARTY, provider) if provider != "GitHub" => Host::Worker,
        _ => Host::Provider,
    }
}

/// The custom type of that id.
pub fn find_custom<'a>(
    known: &'a [CustomActionType],
    id: &ActionTypeId,
) -> Option<&'a CustomActionType> {
    known.iter().find(|custom| custom.is(id))
}

/// Whether the value of that key is secret.
pub fn is_secret(custom: Option<&CustomActionType>, key: &str) -> bool {
    match custom {
        Some(custom) => custom
            .configuration_properties
            .iter()
            .any(|property| property.name == key && property.secret),
        None => SECRET_KEYS.contains(&key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_no_doubles_and_sane_counts() {
        for (at, known) in KNOWN.iter().enumerate() {
            assert!(known.inputs.0 <= known.inputs.1, "{known:?}");
            assert!(known.outputs.0 <= known.outputs.1, "{known:?}");
            let id = ActionTypeId {
                category: known.category.to_owned(),
                owner: known.owner.to_owned(),
                provider: known.provider.to_owned(),
                version: "1".to_owned(),
            };
            assert_eq!(find(&id), Some(&KNOWN[at]));
            for key in known.required() {
                assert!(!known.optional().any(|it| it == key), "{key} of {known:?}");
            }
        }
    }
}
