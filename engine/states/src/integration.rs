//! Services that Step Functions calls by a name of its own, and when their tasks may be over.

use crate::resource::{Pattern, Resource};

/// One service: its actions, none for any; those that have `.sync`; whether its tasks may wait for a token.
struct Service {
    name: &'static str,
    actions: &'static [&'static str],
    sync: &'static [&'static str],
    token: bool,
}

const fn service(
    name: &'static str,
    actions: &'static [&'static str],
    sync: &'static [&'static str],
    token: bool,
) -> Service {
    Service {
        name,
        actions,
        sync,
        token,
    }
}

/// "Integrating optimized services", Step Functions developer guide.
#[rustfmt::skip]
const SERVICES: [Service; 21] = [
    service("apigateway", &["invoke"], &[], true),
    service("athena", &["startQueryExecution", "stopQueryExecution", "getQueryExecution", "getQueryResults"], &["startQueryExecution"], false),
    service("batch", &["submitJob"], &["submitJob"], false),
    service("bedrock", &["invokeModel", "createModelCustomizationJob"], &["createModelCustomizationJob"], true),
    service("codebuild", &["startBuild", "stopBuild", "batchDeleteBuilds", "batchGetReports", "startBuildBatch", "stopBuildBatch",
        "retryBuildBatch", "deleteBuildBatch"], &["startBuild", "startBuildBatch", "retryBuildBatch"], false),
    service("databrew", &["startJobRun"], &["startJobRun"], false),
    service("dynamodb", &["getItem", "putItem", "updateItem", "deleteItem"], &[], false),
    service("ecs", &["runTask"], &["runTask"], true),
    service("eks", &[], &["createCluster", "deleteCluster", "createFargateProfile", "deleteFargateProfile", "createNodegroup",
        "deleteNodegroup", "runJob"], true),
    service("elasticmapreduce", &[], &["createCluster", "terminateCluster", "addStep"], false),
    service("emr-containers", &[], &["createVirtualCluster", "deleteVirtualCluster", "startJobRun"], false),
    service("emr-serverless", &[], &["createApplication", "startApplication", "stopApplication", "deleteApplication", "startJobRun",
        "cancelJobRun"], false),
    service("events", &["putEvents"], &[], true),
    service("glue", &["startJobRun"], &["startJobRun"], false),
    service("http", &["invoke"], &[], false),
    service("lambda", &["invoke"], &[], true),
    service("mediaconvert", &["createJob"], &["createJob"], false),
    service("sagemaker", &[], &["createTrainingJob", "createTransformJob", "createHyperParameterTuningJob", "createLabelingJob",
        "createProcessingJob"], false),
    service("sns", &["publish"], &[], true),
    service("sqs", &["sendMessage"], &[], true),
    service("states", &["startExecution"], &["startExecution"], true),
];

/// Whether Step Functions has this integration; a function's or an activity's ARN always is one.
pub fn exists(resource: &Resource) -> bool {
    let Resource::Service {
        service,
        action,
        pattern,
    } = resource
    else {
        return true;
    };
    if service.starts_with("aws-sdk:") {
        return matches!(pattern, Pattern::Response | Pattern::Token);
    }
    let Some(known) = SERVICES.iter().find(|s| s.name == service) else {
        return false;
    };
    let among = |list: &[&str]| list.contains(&action.as_str());
    (known.actions.is_empty() || among(known.actions))
        && match pattern {
            Pattern::Response => true,
            Pattern::Token => known.token,
            Pattern::Sync => among(known.sync),
            Pattern::SyncJson => service == "states",
        }
}
