"""Alarms and rules over boto3 against `stagewright serve`, in two parts with a `kill -9` between them.

rules_session.py URL before|after: prints one line per step and ends with `ok`.
"""

import io
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as tree
import zipfile

from session import client, refused, wait

url, part = sys.argv[1:3]
codepipeline = client("codepipeline", url)
cloudwatch = client("cloudwatch", url)
s3 = client("s3", url)

METRIC = {"MetricName": "Errors", "Namespace": "Shop", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 0.5, "ComparisonOperator": "GreaterThanThreshold"}


def rule(name, provider, configuration, **members):
    kind = {"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "ruleTypeId": kind, "configuration": configuration, **members}


def gate(result, *rules):
    return {"conditions": [{"result": result, "rules": list(rules)}]}


def pipeline(name, **gates):
    """Source, then a stage that fails when the variable says so."""
    source = {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"}
    commands = {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"}
    codepipeline.create_pipeline(
        pipeline={
            "name": name,
            "roleArn": "arn:aws:iam::123456789012:role/pipeline",
            "pipelineType": "V2",
            "artifactStore": {"type": "S3", "location": "rule-artifacts"},
            "variables": [{"name": "works", "defaultValue": "yes"}],
            "stages": [
                {"name": "Source", "actions": [{"name": "Take", "actionTypeId": source, "outputArtifacts": [{"name": "App"}],
                    "configuration": {"S3Bucket": "rule-sources", "S3ObjectKey": "app.zip", "PollForSourceChanges": "false"}}]},
                {"name": "Deploy", "actions": [{"name": "Work", "actionTypeId": commands, "inputArtifacts": [{"name": "App"}],
                    "commands": ["test '#{variables.works}' = yes"]}], **gates},
            ],
        }
    )


def summaries(name):
    return codepipeline.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]


def status(name):
    return [summary["status"] for summary in summaries(name)]


def set_alarm(name, state):
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=f"{name} by hand")


def rule_state(name, stage, gate_name):
    for one in codepipeline.get_pipeline_state(name=name)["stageStates"]:
        if one["stageName"] == stage and gate_name in one:
            return one[gate_name]["conditionStates"][0]["ruleStates"][0]["latestExecution"]
    return {}


def query(action, **members):
    """The protocol of older clients."""
    body = urllib.parse.urlencode({"Action": action, "Version": "2010-08-01", **members}).encode()
    request = urllib.request.Request(url, body, {
        "content-type": "application/x-www-form-urlencoded",
        "authorization": "AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/monitoring/aws4_request, SignedHeaders=host, Signature=0",
    })
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, tree.fromstring(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, tree.fromstring(error.read())


def cbor(operation, body):
    """Smithy RPC v2: path, body and answer."""
    request = urllib.request.Request(f"{url}/service/GraniteServiceVersion20100801/operation/{operation}", body, {
        "content-type": "application/cbor",
        "smithy-protocol": "rpc-v2-cbor",
        "authorization": "AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/monitoring/aws4_request, SignedHeaders=host, Signature=0",
    })
    try:
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["smithy-protocol"] == "rpc-v2-cbor"
            return answer.status, answer.headers["content-type"], answer.read()
    except urllib.error.HTTPError as error:
        assert error.headers["x-amzn-query-error"] == "ResourceNotFound;Sender"
        return error.code, error.headers["content-type"], error.read()


if part == "before":
    # alarms
    for name in ["Errors", "Latency", "Quiet"]:
        cloudwatch.put_metric_alarm(AlarmName=name, AlarmActions=["arn:aws:sns:eu-west-1:123456789012:t"], Dimensions=[{"Name": "n", "Value": "v"}], **METRIC)
    alarms = cloudwatch.describe_alarms()["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in alarms] == ["Errors", "Latency", "Quiet"], alarms
    first = alarms[0]
    assert first["StateValue"] == "INSUFFICIENT_DATA" and first["Threshold"] == 0.5 and first["ActionsEnabled"] is True, first
    assert first["AlarmArn"] == "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:Errors", first
    assert abs(first["StateUpdatedTimestamp"].timestamp() - time.time()) < 3600, first
    pages = cloudwatch.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["MetricAlarms"]) for page in pages] == [2, 1]
    set_alarm("Errors", "ALARM")
    found = cloudwatch.describe_alarms(StateValue="ALARM", AlarmNamePrefix="Err")["MetricAlarms"]
    assert [alarm["StateReason"] for alarm in found] == ["Errors by hand"], found
    refused("ResourceNotFound", cloudwatch.set_alarm_state, AlarmName="Nobody", StateValue="OK", StateReason="x")
    refused("ValidationError", cloudwatch.set_alarm_state, AlarmName="Errors", StateValue="FINE", StateReason="x")
    refused("InvalidFormat", cloudwatch.set_alarm_state, AlarmName="Errors", StateValue="OK", StateReason="x", StateReasonData="{")
    refused("InvalidNextToken", cloudwatch.describe_alarms, NextToken="x")
    refused("UnknownOperationException", cloudwatch.list_dashboards)
    code, answer = query("DescribeAlarms", **{"AlarmNames.member.1": "Errors"})
    space = {"cw": "http://monitoring.amazonaws.com/doc/2010-08-01/"}
    assert code == 200 and answer.find(".//cw:StateValue", space).text == "ALARM", tree.tostring(answer)
    code, answer = query("SetAlarmState", AlarmName="Nobody", StateValue="OK", StateReason="x")
    assert code == 404 and answer.find(".//Code").text == "ResourceNotFound", tree.tostring(answer)
    code, answer = query("SetAlarmState", AlarmName="Quiet", StateValue="OK", StateReason="x")
    assert code == 200, tree.tostring(answer)
    # what the Rust SDK sends
    code, kind, answer = cbor("DescribeAlarms", b"\xa1jAlarmNames\x81fErrors")
    assert code == 200 and kind == "application/cbor", (code, kind)
    assert b"nErrors by hand" in answer and b"iThreshold\xfb" in answer, answer
    code, kind, answer = cbor("DeleteAlarms", b"\xa1jAlarmNames\x81fNobody")
    assert code == 404 and b"pResourceNotFound" in answer, answer
    cloudwatch.delete_alarms(AlarmNames=["Quiet"])
    refused("ResourceNotFound", cloudwatch.delete_alarms, AlarmNames=["Quiet"])
    print("alarms are kept, found and deleted")

    # sources
    for bucket in ["rule-sources", "rule-artifacts"]:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="rule-sources", VersioningConfiguration={"Status": "Enabled"})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.html", "bread")
    s3.put_object(Bucket="rule-sources", Key="app.zip", Body=archive.getvalue())

    # a rule waits for an alarm, and so it does when the engine dies
    pipeline("watched", beforeEntry=gate("FAIL", rule("Calm", "CloudWatchAlarm", {"AlarmName": "Errors", "WaitTime": "30"})))
    calm = wait("the rule to wait", lambda: rule_state("watched", "Deploy", "beforeEntryConditionState"))
    wait("its words", lambda: "is in ALARM" in rule_state("watched", "Deploy", "beforeEntryConditionState").get("summary", ""))
    assert calm["status"] == "InProgress", calm
    print("a rule waits for its alarm")
else:
    assert cloudwatch.describe_alarms(AlarmNames=["Errors"])["MetricAlarms"][0]["StateValue"] == "ALARM"
    assert status("watched") == ["InProgress"], status("watched")
    set_alarm("Errors", "OK")
    wait("the pipeline to go on", lambda: status("watched") == ["Succeeded"])
    details = codepipeline.list_rule_executions(pipelineName="watched")["ruleExecutionDetails"]
    assert [(one["ruleName"], one["status"]) for one in details] == [("Calm", "Succeeded")], details
    assert "is in OK" in details[0]["output"]["executionResult"]["externalExecutionSummary"], details
    print("an alarm that turns OK lets the stage in, after a kill")

    # an alarm that rings on failure rolls back; nobody is asked while it is quiet
    pipeline("rolled", onFailure=gate("ROLLBACK", rule("Rings", "CloudWatchAlarm", {"AlarmName": "Latency"})))
    wait("the first", lambda: status("rolled") == ["Succeeded"])
    for state, expected in [("OK", ["Failed", "Succeeded"]), ("ALARM", ["Succeeded", "Failed", "Failed", "Succeeded"])]:
        set_alarm("Latency", state)
        codepipeline.start_pipeline_execution(name="rolled", variables=[{"name": "works", "value": "no"}])
        wait(f"the end with {state}", lambda: status("rolled") == expected)
    rollback = summaries("rolled")[0]
    assert rollback["executionType"] == "ROLLBACK", rollback
    assert rollback["rollbackMetadata"]["rollbackTargetPipelineExecutionId"] == summaries("rolled")[3]["pipelineExecutionId"]
    print("an alarm rolls back")

    # rule executions: newest first, by execution, in pages
    name = {"pipelineName": "rolled"}
    everything = codepipeline.list_rule_executions(**name)["ruleExecutionDetails"]
    assert [one["status"] for one in everything] == ["Succeeded", "Failed"], everything
    assert everything[1]["output"]["executionResult"]["errorDetails"]["code"] == "RuleFailed", everything
    pages = codepipeline.get_paginator("list_rule_executions").paginate(**name, PaginationConfig={"PageSize": 1})
    paged = [one for page in pages for one in page["ruleExecutionDetails"]]
    assert paged == everything, paged
    failed = summaries("rolled")[2]["pipelineExecutionId"]
    by_filter = codepipeline.list_rule_executions(**name, filter={"pipelineExecutionId": failed})["ruleExecutionDetails"]
    assert by_filter == everything[1:], by_filter
    latest = {"latestInPipelineExecution": {"pipelineExecutionId": failed, "startTimeRange": "Latest"}}
    assert codepipeline.list_rule_executions(**name, filter=latest)["ruleExecutionDetails"] == everything[1:]
    refused("PipelineNotFoundException", codepipeline.list_rule_executions, pipelineName="nobody")

    # overriding a rule that waits
    set_alarm("Errors", "ALARM")
    codepipeline.start_pipeline_execution(name="watched")
    execution = wait("the rule", lambda: status("watched")[0] == "InProgress" and rule_state("watched", "Deploy", "beforeEntryConditionState").get("status") == "InProgress" and summaries("watched")[0])
    codepipeline.override_stage_condition(pipelineName="watched", stageName="Deploy", conditionType="BEFORE_ENTRY", pipelineExecutionId=execution["pipelineExecutionId"])
    wait("the overridden stage", lambda: status("watched")[0] == "Succeeded")
    assert codepipeline.list_rule_executions(pipelineName="watched")["ruleExecutionDetails"][0]["status"] == "Abandoned"
    print("a condition is overridden")
print("ok")
