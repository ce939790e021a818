"""A boto3 session against `stagewright serve`: create, follow, approve, read the artifacts.

boto3_session.py URL PIPELINE_JSON: prints one line per step and ends with `ok`.
"""

import io
import json
import sys
import zipfile

from session import client, refused, wait

url, definition_file = sys.argv[1:3]
codepipeline, s3 = client("codepipeline", url), client("s3", url)

with open(definition_file) as file:
    pipeline = json.load(file)["pipeline"]
pipeline["name"] = name = "boto3-release"
for variable, bucket in zip(pipeline["variables"], ["preview", "live"]):
    variable["defaultValue"] = f"{url}/_stagewright/site/corner-bakery-{bucket}/"

broken = json.loads(json.dumps(pipeline))
broken["stages"] = broken["stages"][:1]
message = refused("InvalidStructureException", codepipeline.create_pipeline, pipeline=broken)
print("refused:", message)

created = codepipeline.create_pipeline(pipeline=pipeline)["pipeline"]
assert created["version"] == 1, created["version"]
assert created["stages"][0]["actions"][0]["runOrder"] == 1
assert codepipeline.get_pipeline(name=name)["pipeline"] == created
assert name in [p["name"] for p in codepipeline.list_pipelines()["pipelines"]]
print("created", name)

executions = codepipeline.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
assert [e["trigger"]["triggerType"] for e in executions] == ["CreatePipeline"], executions
execution = executions[0]["pipelineExecutionId"]


def approval():
    """The open approval's token as GetPipelineState shows it, or how the execution failed."""
    status = codepipeline.get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution)
    status = status["pipelineExecution"]["status"]
    if status == "Failed":
        details = codepipeline.list_action_executions(pipelineName=name)["actionExecutionDetails"]
        sys.exit(json.dumps(details, default=str, indent=1))
    for stage in codepipeline.get_pipeline_state(name=name)["stageStates"]:
        for action in stage["actionStates"]:
            latest = action.get("latestExecution", {})
            if latest.get("token") and latest["status"] == "InProgress":
                return stage["stageName"], action["actionName"], latest["token"]
    return None


stage, action, token = wait("the approval", approval)
print("waiting for approval in", stage)

answer = dict(pipelineName=name, stageName=stage, actionName=action)
result = {"summary": "read the diff", "status": "Approved"}
wrong = "00000000-0000-4000-8000-000000000000"
refused("InvalidApprovalTokenException", codepipeline.put_approval_result, result=result, token=wrong, **answer)
approved = codepipeline.put_approval_result(result=result, token=token, **answer)
assert approved["approvedAt"], approved
refused("ApprovalAlreadyCompletedException", codepipeline.put_approval_result, result=result, token=token, **answer)
print("approved")


def ended():
    found = codepipeline.get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution)
    status = found["pipelineExecution"]["status"]
    return status if status != "InProgress" else None


status = wait("the end", ended)
details = codepipeline.list_action_executions(pipelineName=name, filter={"pipelineExecutionId": execution})
details = details["actionExecutionDetails"]
assert status == "Succeeded", json.dumps(details, default=str, indent=1)
by_name = {d["actionName"]: d for d in details}
assert set(by_name) == {"Site", "Build", "Preview", "Answers", "Release", "Publish", "Verify"}, sorted(by_name)
assert all(d["status"] == "Succeeded" for d in details)
assert by_name["Site"]["output"]["outputVariables"]["CommitMessage"].strip() == "Bake the seeded rolls daily"
assert by_name["Build"]["output"]["outputVariables"]["PAGE_COUNT"] == "2"
assert by_name["Answers"]["output"]["outputVariables"]["StatusCode"] == "200"
print("succeeded with", len(details), "actions")

place = by_name["Build"]["output"]["outputArtifacts"][0]["s3location"]
body = s3.get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
names = zipfile.ZipFile(io.BytesIO(body)).namelist()
assert "index.html" in names and "assets/style.css" in names, names
published = s3.get_object(Bucket="corner-bakery-live", Key="index.html")
assert published["ContentType"].startswith("text/html"), published["ContentType"]
assert published["Body"].read() == zipfile.ZipFile(io.BytesIO(body)).read("index.html")
print("artifacts read:", len(names), "files")

refused("PipelineNotFoundException", codepipeline.get_pipeline, name="nobody")
message = refused("NoSuchBucket", s3.get_object, Bucket="nowhere-at-all", Key="x")
print("ok")
