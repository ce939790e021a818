"""A job and what its credentials open: boto3_jobs.py URL; ends with `ok`."""

import sys

import boto3

from jobs_setup import action, codepipeline, custom_type, expect_success, pipeline, s3, source, url
from session import refused, wait

source()
template = "https://ci.example.com/{Config:Project}/{ExternalExecutionId}"
custom_type(
    "Oven",
    settings={"executionUrlTemplate": template},
    configurationProperties=[
        dict(name="Project", required=True, key=True, secret=False, queryable=True),
        dict(name="Password", required=True, key=False, secret=True),
    ],
    tags=[{"key": "team", "value": "bakery"}],
)
kind = {"category": "Build", "owner": "Custom", "provider": "Oven", "version": "1"}
configuration = {"Project": "bread", "Password": "PLANTED"}
for name in ["one", "two"]:
    work = action("Bake", "Build", "Custom", "Oven", configuration, ["Code"], ["Bread"])
    codepipeline.create_pipeline(pipeline=pipeline(name, [work]))

query = {"Project": "bread"}
refused("ValidationException", codepipeline.poll_for_jobs, actionTypeId=kind)
assert codepipeline.poll_for_jobs(actionTypeId=kind, queryParam={"Project": "cake"})["jobs"] == []
jobs = []


def poll():
    jobs.extend(codepipeline.poll_for_jobs(actionTypeId=kind, queryParam=query, maxBatchSize=5)["jobs"])
    return len(jobs) == 2


wait("two jobs", poll)
first, second = jobs
for job in jobs:
    codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
    refused("InvalidNonceException", codepipeline.acknowledge_job, jobId=job["id"], nonce=job["nonce"])


def client(data, service="s3"):
    keys = data["artifactCredentials"]
    own = boto3.Session(keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"], region_name="eu-west-1")
    return own.client(service, endpoint_url=url)


def place(data, side):
    found = data[side][0]["location"]["s3Location"]
    return dict(Bucket=found["bucketName"], Key=found["objectKey"])


mine, other = first["data"], second["data"]
own = client(mine)
assert own.get_object(**place(mine, "inputArtifacts"))["Body"].read().startswith(b"PK")
refused("AccessDenied", own.put_object, Body=b"x", **place(mine, "inputArtifacts"))
refused("AccessDenied", own.delete_object, **place(mine, "inputArtifacts"))
refused("AccessDenied", own.get_object, **place(other, "inputArtifacts"))
refused("AccessDenied", own.put_object, Body=b"x", **place(other, "outputArtifacts"))
refused("AccessDenied", own.get_object, Bucket="sources", Key="shop.zip")
refused("AccessDenied", own.list_objects_v2, Bucket="artifacts")
refused("AccessDenied", own.list_buckets)
copy = dict(Bucket="sources", Key="shop.zip")
refused("AccessDenied", own.copy_object, CopySource=copy, **place(mine, "outputArtifacts"))
refused("AccessDeniedException", client(mine, "codepipeline").list_pipelines)
print("the credentials open the job's artifacts only")

fresh = codepipeline.get_job_details(jobId=first["id"])["jobDetails"]["data"]
assert fresh["artifactCredentials"] != mine["artifactCredentials"]
assert fresh["actionConfiguration"]["configuration"]["Password"] == "PLANTED"
client(fresh).put_object(Body=b"bread", **place(mine, "outputArtifacts"))
state = codepipeline.get_pipeline(name="one")["pipeline"]
assert state["stages"][1]["actions"][0]["configuration"]["Password"] == "****"

report = codepipeline.put_job_success_result
refused("ValidationException", report, jobId=first["id"], continuationToken="t", outputVariables={"a": "b"})
big = {"a": "x" * 122_880}
refused("OutputVariablesSizeExceededException", report, jobId=first["id"], outputVariables=big)
report(jobId=first["id"], executionDetails={"externalExecutionId": "7", "summary": "brown", "percentComplete": 100})
for late in [first["id"]]:
    refused("InvalidJobStateException", report, jobId=late)
    details = {"type": "JobFailed", "message": "late"}
    refused("InvalidJobStateException", codepipeline.put_job_failure_result, jobId=late, failureDetails=details)
assert "artifactCredentials" not in codepipeline.get_job_details(jobId=first["id"])["jobDetails"]["data"]
name = mine["pipelineContext"]["pipelineName"]
expect_success(name)
shown = codepipeline.get_pipeline_state(name=name)["stageStates"][1]["actionStates"][0]["latestExecution"]
assert shown["externalExecutionUrl"] == "https://ci.example.com/bread/7", shown
assert (shown["summary"], shown["percentComplete"]) == ("brown", 100), shown
print("one job was done")

name = other["pipelineContext"]["pipelineName"]
execution = other["pipelineContext"]["pipelineExecutionId"]
codepipeline.stop_pipeline_execution(pipelineName=name, pipelineExecutionId=execution, abandon=True)
refused("InvalidJobStateException", report, jobId=second["id"])
codepipeline.delete_custom_action_type(category="Build", provider="Oven", version="1")
refused("ActionTypeNotFoundException", codepipeline.poll_for_jobs, actionTypeId=kind, queryParam=query)
print("ok")
