"""A boto3 session that holds the reins: boto3_control.py URL ends with `ok`.

A custom action type with its worker, start with variables and source revisions, stop both ways, retry both ways,
rollback, transitions, approval, rules, tags, update.
"""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from definition import ACTION_TYPE, KIND, pipeline
from session import Pipeline, client, refused, wait

url = sys.argv[1]
codepipeline, s3 = client("codepipeline", url), client("s3", url)
name = "boto3-control"
ours = Pipeline(codepipeline, name)


def put(files):
    """A new version of the source; its version id."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return s3.put_object(Bucket="sources", Key="site.zip", Body=body.getvalue())["VersionId"]


s3.put_bucket_versioning(Bucket="sources", VersioningConfiguration={"Status": "Enabled"})
old = put({"index.html": "old"})
new = put({"index.html": "new", "hours.html": "8 to 5"})

# custom action type, create
made = codepipeline.create_custom_action_type(**ACTION_TYPE)["actionType"]
assert made["id"] == {**KIND, "owner": "Custom"}, made["id"]
listed = codepipeline.list_action_types(actionOwnerFilter="Custom")["actionTypes"]
assert [it["id"]["provider"] for it in listed] == ["FileCheck"], listed
created = codepipeline.create_pipeline(pipeline=pipeline(name), tags=[{"key": "team", "value": "web"}])
assert created["tags"] == [{"key": "team", "value": "web"}], created["tags"]
got = codepipeline.get_pipeline(name=name)
assert got["pipeline"]["stages"][1]["actions"][0]["configuration"]["Password"] == "****"
arn = got["metadata"]["pipelineArn"]
first = codepipeline.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"][0]
assert first["trigger"]["triggerType"] == "CreatePipeline", first
first = first["pipelineExecutionId"]
print("created", arn)


def fail():
    """Takes the job by hand and fails it; its id."""
    polled = lambda: codepipeline.poll_for_jobs(actionTypeId={**KIND, "owner": "Custom"})["jobs"]
    job = wait("a job", polled)[0]
    assert job["data"]["actionConfiguration"]["configuration"]["Password"] == "correct horse"
    assert job["data"]["pipelineContext"]["pipelineName"] == name
    refused("InvalidNonceException", codepipeline.acknowledge_job, jobId=job["id"], nonce="wrong")
    status = codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])["status"]
    assert status == "InProgress", status
    refused("InvalidNonceException", codepipeline.acknowledge_job, jobId=job["id"], nonce=job["nonce"])
    failure = {"type": "JobFailed", "message": "the disk is full"}
    codepipeline.put_job_failure_result(jobId=job["id"], failureDetails=failure)
    refused("InvalidJobStateException", codepipeline.put_job_success_result, jobId=job["id"])
    return job["id"]


# retry both ways
retry = dict(pipelineName=name, stageName="Check", pipelineExecutionId=first)
refused("StageNotFoundException", codepipeline.retry_stage_execution, **{**retry, "stageName": "No"}, retryMode="ALL_ACTIONS")
fail()
ours.until(first, "Failed")
error = ours.actions(first)[-1]["output"]["executionResult"]["errorDetails"]
assert error == {"code": "JobFailed", "message": "the disk is full"}, error
same = codepipeline.retry_stage_execution(**retry, retryMode="FAILED_ACTIONS")["pipelineExecutionId"]
assert same == first
fail()
ours.until(first, "Failed")
codepipeline.retry_stage_execution(**retry, retryMode="ALL_ACTIONS")
refused("StageNotRetryableException", codepipeline.retry_stage_execution, **retry, retryMode="ALL_ACTIONS")
assert ours.stage("Check")["retryStageMetadata"]["manualStageRetryAttempt"] == 2
print("retried twice")

# the worker does the rest
worker = [sys.executable, Path(__file__).with_name("file_worker.py"), url, *KIND.values()]
keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "credentials"}
worker = subprocess.Popen(worker, env={**os.environ, **keys})
try:
    ours.token(first)
    nobodys = "00000000-0000-4000-8000-000000000000"
    where = dict(pipelineName=name, stageName="Approve", actionName="Ask")
    wrong = {"status": "Approved", "summary": ""}
    refused("InvalidApprovalTokenException", codepipeline.put_approval_result, **where, result=wrong, token=nobodys)
    assert ours.answer(first)["approvedAt"]
    done = ours.until(first, "Succeeded", "Failed")
    assert done["status"] == "Succeeded", ours.actions(first)
    statuses = [(it["actionName"], it["status"]) for it in ours.actions(first)]
    assert statuses == [
        ("Object", "Succeeded"),
        ("Files", "Failed"),
        ("Files", "Failed"),
        ("Files", "Succeeded"),
        ("Ask", "Succeeded"),
        ("Copy", "Succeeded"),
    ], statuses
    assert s3.get_object(Bucket="live", Key="hours.html")["Body"].read() == b"8 to 5"
    check = ours.stage("Check")["actionStates"][0]["latestExecution"]
    assert check["summary"] == "1 files are there", check
    print("the worker did its work")

    # start with variables and source revisions
    refused("ValidationException", ours.start, variables=[{"name": "Nobody", "value": "x"}])
    chosen = dict(actionName="Object", revisionType="S3_OBJECT_VERSION_ID", revisionValue=old)
    target = dict(name="Target", value="elsewhere")
    second = ours.start(variables=[target], sourceRevisions=[chosen], clientRequestToken="second")
    assert ours.start(variables=[target], sourceRevisions=[chosen], clientRequestToken="second") == second
    ours.token(second)
    run = ours.execution(second)
    assert [it["revisionId"] for it in run["artifactRevisions"]] == [old], run
    resolved = {it["name"]: it["resolvedValue"] for it in run["variables"]}
    assert resolved == {"Files": "index.html", "Target": "elsewhere"}, resolved
    missing = ours.start(variables=[dict(name="Files", value="index.html,nothing.html")])
    ours.until(missing, "Failed")
    error = ours.actions(missing)[-1]["output"]["executionResult"]["errorDetails"]["message"]
    assert error == "not in the artifact: nothing.html", error

    # stop and wait
    stop = dict(pipelineName=name, pipelineExecutionId=second)
    codepipeline.stop_pipeline_execution(**stop, reason="lunch")
    assert ours.execution(second)["status"] == "Stopping"
    refused("DuplicatedStopRequestException", codepipeline.stop_pipeline_execution, **stop)
    ours.answer(second)
    ours.until(second, "Stopped")
    refused("PipelineExecutionNotStoppableException", codepipeline.stop_pipeline_execution, **stop)
    codepipeline.retry_stage_execution(pipelineName=name, stageName="Approve", pipelineExecutionId=second, retryMode="FAILED_ACTIONS")
    ours.until(second, "Succeeded")
    summaries = codepipeline.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
    assert [it["pipelineExecutionId"] for it in summaries] == [missing, second, first]

    # stop and abandon
    third = ours.start()
    ours.token(third)
    codepipeline.stop_pipeline_execution(pipelineName=name, pipelineExecutionId=third, abandon=True)
    assert ours.until(third, "Stopped")
    assert ours.actions(third)[-1]["status"] == "Abandoned"
    print("stopped both ways")

    # transitions, and the order of a queue in front of one
    gate = dict(pipelineName=name, stageName="Approve", transitionType="Inbound")
    codepipeline.disable_stage_transition(**gate, reason="release freeze")
    waiting = [ours.start(), ours.start()]
    queue = lambda: [it["pipelineExecutionId"] for it in ours.stage("Approve").get("inboundExecutions", [])]
    wait("two in front of the gate", lambda: len(queue()) == 2)
    assert sorted(queue()) == sorted(waiting), queue()
    shown = ours.stage("Approve")["inboundTransitionState"]
    assert (shown["enabled"], shown["disabledReason"]) == (False, "release freeze"), shown
    codepipeline.enable_stage_transition(**gate)
    for id in waiting:
        ours.answer(id)
        ours.until(id, "Succeeded")
    assert ours.stage("Approve")["inboundTransitionState"]["enabled"]
    print("waited at the gate, in order")

    # rollback
    back = dict(pipelineName=name, stageName="Deploy", targetPipelineExecutionId=second)
    refused("UnableToRollbackStageException", codepipeline.rollback_stage, **{**back, "targetPipelineExecutionId": third})
    rolled = codepipeline.rollback_stage(**back)["pipelineExecutionId"]
    run = ours.until(rolled, "Succeeded")
    assert (run["executionType"], run["trigger"]["triggerType"]) == ("ROLLBACK", "ManualRollback"), run
    assert run["rollbackMetadata"]["rollbackTargetPipelineExecutionId"] == second
    assert s3.get_object(Bucket="live", Key="index.html")["Body"].read() == b"old"
    assert [it["actionName"] for it in ours.actions(rolled)] == ["Copy"]
    print("rolled back")
finally:
    worker.terminate()
    worker.wait()

# rules
types = [it["id"]["provider"] for it in codepipeline.list_rule_types()["ruleTypes"]]
assert "VariableCheck" in types and "DeploymentWindow" in types, types
rules = codepipeline.list_rule_executions(pipelineName=name, filter={"pipelineExecutionId": first})
rules = rules["ruleExecutionDetails"]
assert [(it["ruleName"], it["status"]) for it in rules] == [("NotForbidden", "Succeeded")], rules
assert rules[0]["input"]["resolvedConfiguration"]["Variable"] == "live", rules

# tags
codepipeline.tag_resource(resourceArn=arn, tags=[{"key": "cost", "value": "7"}])
codepipeline.untag_resource(resourceArn=arn, tagKeys=["team"])
tags = codepipeline.list_tags_for_resource(resourceArn=arn)["tags"]
assert tags == [{"key": "cost", "value": "7"}], tags

# update: a new version, the secret kept, what ran on the old one cancelled
changed = codepipeline.get_pipeline(name=name)["pipeline"]
codepipeline.disable_stage_transition(pipelineName=name, stageName="Check", transitionType="Inbound", reason="edit")
inbound = ours.start()
wait("one in front of Check", lambda: ours.stage("Check").get("inboundExecution"))
changed["executionMode"] = "PARALLEL"
assert codepipeline.update_pipeline(pipeline=changed)["pipeline"]["version"] == 2
ours.until(inbound, "Cancelled")
versions = [codepipeline.get_pipeline(name=name, version=v)["pipeline"]["executionMode"] for v in (1, 2)]
assert versions == ["QUEUED", "PARALLEL"], versions
refused("PipelineVersionNotFoundException", codepipeline.get_pipeline, name=name, version=3)
refused("UnableToRollbackStageException", codepipeline.rollback_stage, **back)
codepipeline.enable_stage_transition(pipelineName=name, stageName="Check", transitionType="Inbound")
last = ours.start()
fail()
ours.until(last, "Failed")
codepipeline.delete_pipeline(name=name)
refused("PipelineNotFoundException", codepipeline.get_pipeline_state, name=name)
codepipeline.delete_custom_action_type(**KIND)
refused("ActionTypeNotFoundException", codepipeline.poll_for_jobs, actionTypeId={**KIND, "owner": "Custom"})
print("ok")
