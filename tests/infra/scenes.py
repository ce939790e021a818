"""What is done with the deployed stacks, scene by scene."""

import base64
import contextlib
import io
import json
import re
import urllib.error
import urllib.parse
import urllib.request
import zipfile

from botocore.exceptions import ClientError

from browser import Page, open_page
from emulate import ACCOUNT, REGION, ROOT, package, plain, same, say, stack, until

FUNCTIONS = sorted(one.name for one in (ROOT / "functions").iterdir())
CALLBACKS = "0123456789abcdef0123456789abcdef"
ACTIONS = [name for name in FUNCTIONS if name.startswith("action-")]


def play(stage):
    prepare(stage)
    deploy(stage)
    approval(stage)
    audit(stage)
    elsewhere(stage)
    given_up(stage)
    event_to_worker(stage)
    schedule_to_worker(stage)
    machine(stage)
    update(stage)
    callback(stage)
    others(stage)
    delete(stage)


def pascal(name):
    return "".join(map(str.capitalize, name.split("-")))


def prepare(stage):
    stage.client("sesv2").create_email_identity(EmailIdentity="pipelines@example.com")
    say("packages: the functions of this build, without debug information")
    bucket = stage.client("s3")
    bucket.create_bucket(Bucket="packages", CreateBucketConfiguration={"LocationConstraint": REGION})
    for name in FUNCTIONS:
        content = package(stage.binaries / name)
        for release in ("v1", "v2"):
            bucket.put_object(Bucket="packages", Key=f"{release}/{name}.zip", Body=content)


def deploy(stage):
    say("stacks")
    made = stack(stage, "stagewright-keys", plain(stage, "keys.yaml"), {"FunctionsStack": "stagewright", "DataKey": "true"})
    public = stage.client("kms").get_public_key(KeyId=made["LinkKeyArn"])["PublicKey"]
    kept = plain(stage, "audit.yaml")
    anchors = stack(stage, "stagewright-audit", kept, {"FunctionsStack": "stagewright"})["AuditBucket"]
    locked(stage, anchors, kept["Resources"]["Anchors"]["Properties"])
    parameters = {
        "AuditBucket": anchors, "AuditInstall": "e2e",
        "CodeBucket": "packages", "CodePrefix": "v1/", "Approvals": "on", "Approvers": "dana@example.com",
        "ApprovalSender": "pipelines@example.com", "LinkKeyArn": made["LinkKeyArn"], "DataKeyArn": made["DataKeyArn"],
        "LinkKeys": "k1:" + base64.b64encode(public).decode(), "TaskArtifacts": "artifacts",
        "DeletionProtection": "false", "AlarmEmail": "ops@example.com", "Tracing": "Active", "SiteDistribution": "E0EXAMPLE",
        "ActionJenkinsQuery": "ProjectName=shop", "LogLevel": "DEBUG", "CallbackPath": CALLBACKS,
    }
    parameters |= {pascal(name) + "Mode": "worker" if name == "action-http-check" else "invoke" for name in ACTIONS}
    stage.parameters = parameters
    stage.outputs = stack(stage, "stagewright", release(stage, "v1"), parameters)
    named = {value for key, value in stage.outputs.items() if key.startswith("Action")}
    same("actions whose function no output names", {f"stagewright-{name}" for name in ACTIONS} - named, set())


def locked(stage, bucket, properties):
    """The emulator's CloudFormation leaves the lock out: docs/infra.md. Made here from what the template says."""
    rule = properties["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    stage.client("s3").put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={
        "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": rule["Mode"], "Days": 2557}}})


def release(stage, name):
    return plain(stage, "template.yaml", "Canary=false", f"Release={name}")


def codepipeline(stage):
    return stage.client("codepipeline", stage.engine_url)


def action(name, category, owner, provider, configuration, **more):
    return {"name": name, "actionTypeId": {"category": category, "owner": owner, "provider": provider, "version": "1"},
            "configuration": configuration, **more}


def pipeline(stage, name, second):
    """A pipeline in the engine: an object, then this action."""
    bucket = stage.client("s3", stage.engine_url)
    with contextlib.suppress(ClientError):
        bucket.create_bucket(Bucket="sources", CreateBucketConfiguration={"LocationConstraint": REGION})
    bucket.put_bucket_versioning(Bucket="sources", VersioningConfiguration={"Status": "Enabled"})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.html", "hello")
    bucket.put_object(Bucket="sources", Key="site.zip", Body=packed.getvalue())
    source = action("Code", "Source", "AWS", "S3", {"S3Bucket": "sources", "S3ObjectKey": "site.zip", "PollForSourceChanges": "false"},
                    outputArtifacts=[{"name": "Code"}])
    codepipeline(stage).create_pipeline(pipeline={
        "name": name, "roleArn": f"arn:aws:iam::{ACCOUNT}:role/pipeline", "pipelineType": "V2", "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [{"name": "Source", "actions": [source]}, {"name": "Next", "actions": [second]}]})


def state(stage, name):
    """The second stage's one action, as the console shows it."""
    return codepipeline(stage).get_pipeline_state(name=name)["stageStates"][1]["actionStates"][0].get("latestExecution", {})


def mails(stage):
    with open_page(stage.url + "/_ministack/ses/messages") as answer:
        return json.load(answer)["messages"].get(ACCOUNT, [])


def approval(stage):
    say("an approval: SNS message, signed link by mail, page, decision")
    topic = stage.outputs["ApprovalTopicArn"]
    pipeline(stage, "site", action("Release", "Approval", "AWS", "Manual",
                                   {"NotificationArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:approvals", "CustomData": "Version 7"}))
    told = until("the approval's message", lambda: [one for one in stage.received if one.get("Type") == "Notification"])
    message = json.loads(told[0]["Message"])
    same("the engine asks for", message["approval"]["actionName"], "Release")
    sns = stage.client("sns")
    sns.publish(TopicArn=topic, Subject="something else", Message=json.dumps({"approval": {"pipelineName": "site"}}))
    sns.publish(TopicArn=topic, Subject=told[0].get("Subject", "approval"), Message=told[0]["Message"])
    mail = until("a mail", lambda: mails(stage))[0]
    same("mailed to", mail["To"], ["dana@example.com"])
    text = mail["BodyText"]
    link = re.search(r"https?://\S+/a/\S+", text)[0]
    code = re.search(r"^Code: (\S+)$", text, re.M)[1]
    page = Page(link, stage.port)
    same("the page answers", page.status, 200)
    if "Version 7" not in page.text:
        raise SystemExit("the page does not show what is asked")
    same("after a look the pipeline", state(stage, "site")["status"], "InProgress")
    after = page.send(verdict="approve", code=code, comment="")
    if after.status != 200:
        raise SystemExit(f"the decision is answered with {after.status}: {page.url} {page.cookies} {after.text}")
    until("the approval in the pipeline", lambda: state(stage, "site")["status"] == "Succeeded")
    say("  the pipeline went on: " + state(stage, "site")["summary"].splitlines()[0])
    same("mails in all", len(mails(stage)), 1)


def audit(stage):
    say("the sweep: an event wakes it, the audit's anchor is locked")
    bucket, store = stage.parameters["AuditBucket"], stage.client("s3")
    done = {"pipeline": "site", "stage": "Next", "action": "Release", "state": "SUCCEEDED", "version": 1.0,
            "execution-id": codepipeline(stage).get_pipeline_state(name="site")["stageStates"][1]["latestExecution"]["pipelineExecutionId"],
            "type": {"owner": "AWS", "category": "Approval", "provider": "Manual", "version": "1"}}
    send(stage, [done])
    anchor = until("an anchor", lambda: store.list_objects_v2(Bucket=bucket).get("Contents"))[0]["Key"]
    if not anchor.startswith("audit/e2e/"):
        raise SystemExit(f"an anchor of another install: {anchor}")
    same("its lock", store.get_object_retention(Bucket=bucket, Key=anchor)["Retention"]["Mode"], "COMPLIANCE")
    head = json.loads(store.get_object(Bucket=bucket, Key=anchor)["Body"].read())
    say(f"  {anchor}: {len(head['hashes'])} records")


def elsewhere(stage):
    say("an approval that is decided without the page is told of")
    pipeline(stage, "shop", action("Release", "Approval", "AWS", "Manual", {}))
    token = until("the second approval", lambda: state(stage, "shop").get("token"))
    codepipeline(stage).put_approval_result(pipelineName="shop", stageName="Next", actionName="Release", token=token,
                                            result={"summary": "in a hurry", "status": "Approved"})
    stage.client("sns").subscribe(TopicArn=stage.outputs["AlarmTopicArn"], Protocol="http", Endpoint=stage.relay)
    call = json.loads((ROOT / "tests/events/eventbridge-cloudtrail-put-approval-result.json").read_text())
    detail = call["detail"] | {"eventID": "e2e-1"}
    detail["requestParameters"] |= {"pipelineName": "shop", "stageName": "Next", "actionName": "Release"}
    stage.client("events").put_events(Entries=[{"Source": call["source"], "DetailType": call["detail-type"], "Detail": json.dumps(detail)}])
    alarm = lambda: [one for one in stage.received if one.get("TopicArn") == stage.outputs["AlarmTopicArn"] and one.get("Type") == "Notification"]
    told = until("an alert", alarm)[0]
    if "shop" not in told["Message"]:
        raise SystemExit(f"the alert names no pipeline: {told}")
    say("  " + told["Message"].splitlines()[0])


def given_up(stage):
    say("an event that cannot be worked on ends in the queue of dead letters")
    stage.client("lambda").invoke(FunctionName="stagewright-action-gate", InvocationType="Event", Payload=b"{}")
    queue = stage.client("sqs")
    look = lambda: queue.receive_message(QueueUrl=stage.outputs["DeadLettersUrl"], WaitTimeSeconds=1).get("Messages")
    letter = json.loads(until("a dead letter", look)[0]["Body"])
    same("it failed in", letter["requestContext"]["functionArn"].split(":function:")[1].split(":")[0], "stagewright-action-gate")
    same("calls of it", letter["requestContext"]["approximateInvokeCount"], 3)


def event_to_worker(stage):
    say("an event wakes the worker")
    on = [one for one in stage.client("scheduler").list_schedules()["Schedules"] if one["State"] == "ENABLED"]
    whose = lambda one: one["Target"]["Arn"].split(":function:")[1].split(":")[0]
    same("schedules that are on", sorted(map(whose, on)), ["stagewright-action-http-check", "stagewright-approval-sweep"])
    stage.schedule = next(one for one in on if whose(one) == "stagewright-action-http-check")
    switch(stage, "DISABLED")  # so that only the event can be what wakes it
    custom_type(stage, "action-http-check")
    check = action("Answers", "Test", "Custom", "HttpCheck", {"url": stage.url + "/_ministack/health"})
    pipeline(stage, "worked", check)
    until("the job", lambda: state(stage, "worked").get("status") == "InProgress")
    started = {"pipeline": "worked", "stage": "Next", "action": "Answers", "state": "STARTED", "execution-id": "e-1", "version": 1.0,
               "type": {"owner": "Custom", "category": "Test", "provider": "HttpCheck", "version": "1"}}
    near = [started | {"state": "SUCCEEDED"}, started | {"type": started["type"] | {"owner": "AWS"}},
            started | {"type": started["type"] | {"provider": "Gate"}}]
    send(stage, near)
    same("near misses call it", len(calls(stage)), 0)
    send(stage, [started])
    until("the check", lambda: state(stage, "worked")["status"] == "Succeeded")
    say("  the custom action succeeded: " + state(stage, "worked")["summary"])


def custom_type(stage, name):
    """The action's type in the engine, as the template describes it."""
    kinds = plain(stage, "custom-action-types.yaml")["Resources"][pascal(name) + "Type"]["Properties"]
    detail = lambda one: {"minimumCount": one["MinimumCount"], "maximumCount": one["MaximumCount"]}
    codepipeline(stage).create_custom_action_type(
        category=kinds["Category"], provider=kinds["Provider"], version=kinds["Version"],
        inputArtifactDetails=detail(kinds["InputArtifactDetails"]), outputArtifactDetails=detail(kinds["OutputArtifactDetails"]),
        configurationProperties=[{key[0].lower() + key[1:]: value for key, value in one.items()} for one in kinds["ConfigurationProperties"]])


def calls(stage):
    """Log lines of the worker's rounds."""
    logs = stage.client("logs")
    found = logs.filter_log_events(logGroupName="/aws/lambda/stagewright-action-http-check")["events"]
    return [one["message"] for one in found if "START" in one["message"] or "the round is over" in one["message"]]


def send(stage, details):
    entry = lambda detail: {"Source": "aws.codepipeline", "DetailType": "CodePipeline Action Execution State Change",
                            "Resources": [f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:worked"], "Detail": json.dumps(detail)}
    answer = stage.client("events").put_events(Entries=[entry(detail) for detail in details])
    if answer["FailedEntryCount"]:
        raise SystemExit(f"events refused: {answer}")


def switch(stage, to):
    scheduler = stage.client("scheduler")
    key = {"Name": stage.schedule["Name"], "GroupName": stage.schedule["GroupName"]}
    now = scheduler.get_schedule(**key)
    scheduler.update_schedule(**key, State=to, ScheduleExpression=now["ScheduleExpression"],
                              FlexibleTimeWindow=now["FlexibleTimeWindow"], Target=now["Target"])


def schedule_to_worker(stage):
    say("the schedule wakes the worker, without an event")
    codepipeline(stage).start_pipeline_execution(name="worked")
    until("the second job", lambda: state(stage, "worked").get("status") == "InProgress")
    switch(stage, "ENABLED")
    until("the second check", lambda: state(stage, "worked")["status"] == "Succeeded")
    say("  the custom action succeeded again")


def machine(stage):
    say("a state machine runs an action to its end")
    made = stack(stage, "machine", plain(stage, "example-machine.yaml"), {
        "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:stagewright-action-http-check"})
    states = stage.client("stepfunctions")
    asked = {"params": {"url": stage.url + "/_ministack/health"}}
    run = states.start_execution(stateMachineArn=made["MachineArn"], input=json.dumps(asked))["executionArn"]
    ended = until("the machine", lambda: (one := states.describe_execution(executionArn=run))["status"] != "RUNNING" and one)
    same("the machine", ended["status"], "SUCCEEDED")
    say("  its output: " + json.loads(ended["output"])["details"]["summary"])


def update(stage):
    say("an upgrade keeps state")
    database, table = stage.client("dynamodb"), stage.outputs["TableName"]
    before = database.scan(TableName=table)["Items"]
    if not before:
        raise SystemExit("nothing in the table")
    alias = lambda: stage.client("lambda").get_alias(FunctionName="stagewright-approval-respond", Name="live")["FunctionVersion"]
    first = alias()
    parameters = stage.parameters | {"CodePrefix": "v2/", "LogRetentionDays": "90", "TaskStateMachines": "release-"}
    parameters |= {pascal(name) + "Mode": "worker" for name in ACTIONS}
    stage.outputs = stack(stage, "stagewright", release(stage, "v2"), parameters, change=True)
    same("the table", stage.outputs["TableName"], table)
    after = database.scan(TableName=table)["Items"]
    keys = lambda items: {(item["pk"]["S"], item["sk"]["S"]) for item in items}
    same(f"of its {len(before)} items are lost", keys(before) - keys(after), set())  # the sweep may have added some
    if (second := alias()) == first:
        raise SystemExit(f"the alias is still at version {first}")
    say(f"  the alias moved from version {first} to {second}")
    groups = stage.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/stagewright-")["logGroups"]
    schedules = stage.client("scheduler").list_schedules()["Schedules"]
    same("as workers every action's schedule is on", sum(one["State"] == "ENABLED" for one in schedules), len(ACTIONS) + 1)
    same("retention of every log", {one.get("retentionInDays") for one in groups}, {90})
    # Settings alone publish nothing: another revision does.
    parameters |= {"ApprovalsNeeded": "2", "Revision": "2"}
    stack(stage, "stagewright", release(stage, "v2"), parameters, change=True)
    if alias() == second:
        raise SystemExit("another revision published no version")
    settings = stage.client("lambda").get_function_configuration(FunctionName="stagewright-approval-notify", Qualifier="live")
    same("the alias has the new setting", settings["Environment"]["Variables"]["STAGEWRIGHT_APPROVALS_NEEDED"], "2")


def callback(stage):
    say("a vendor's callback wakes its worker, and nothing else is open")
    address = urllib.parse.urlsplit(stage.outputs["CallbackUrl"]).netloc

    def called(path, method="POST"):
        request = urllib.request.Request(f"http://127.0.0.1:{stage.port}{path}", data=b"{}" if method == "POST" else None, method=method)
        request.add_header("Host", address)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    for name in ("action-blazemeter-monitoring", "action-ghost-inspector", "action-jenkins"):
        custom_type(stage, name)
        same(f"a callback of {name}", called(f"/{CALLBACKS}/{name}"), 204)
    same("another path", called("/guessed/action-jenkins"), 404)
    same("another action", called(f"/{CALLBACKS}/action-gate"), 404)
    same("another method", called(f"/{CALLBACKS}/action-jenkins", "GET"), 404)


def others(stage):
    say("the other templates")
    made = stack(stage, "artifacts", plain(stage, "artifacts.yaml"), {"TargetAccounts": "111122223333"})
    stack(stage, "target", plain(stage, "target-role.yaml"), {
        "PipelineAccount": "111122223333", "PipelineRole": "pipeline", "OrganizationId": "o-abcdefghij",
        "ArtifactBucket": made["Bucket"], "ArtifactKeyArn": made["KeyArn"]})
    try:
        stack(stage, "example", plain(stage, "example-pipeline.yaml"), {})
        raise SystemExit("the emulator has learned AWS::CodePipeline::Pipeline: say so in docs/infra.md and count it here")
    except ClientError as refused:
        say(f"  example-pipeline.yaml is refused, as said in docs/infra.md: {refused.response['Error']['Message'][:90]}")


def delete(stage):
    say("delete")
    cloudformation = stage.client("cloudformation")
    for name in ("machine", "target", "artifacts", "stagewright", "stagewright-audit", "stagewright-keys"):
        cloudformation.delete_stack(StackName=name)

        def gone():
            try:
                return cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
            except ClientError:
                return True

        until(f"the end of {name}", gone)
    left = {
        "functions": stage.client("lambda").list_functions()["Functions"],
        "tables": stage.client("dynamodb").list_tables()["TableNames"],
        "topics": stage.client("sns").list_topics()["Topics"],
        "queues": stage.client("sqs").list_queues().get("QueueUrls", []),
        "rules": stage.client("events").list_rules()["Rules"],
        "schedules": stage.client("scheduler").list_schedules()["Schedules"],
        "alarms": stage.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "roles": [one["RoleName"] for one in stage.client("iam").list_roles()["Roles"] if one["RoleName"].startswith(("stagewright", "target"))],
        "APIs": stage.client("apigatewayv2").get_apis()["Items"],
        "logs": stage.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/stagewright-")["logGroups"],
    }
    for what, there in left.items():
        same(f"{what} left", there, [])
    buckets = {one["Name"] for one in stage.client("s3").list_buckets()["Buckets"]}
    if stage.parameters["AuditBucket"] not in buckets:
        raise SystemExit("the audit's bucket went with its stack")
    kept = stage.client("kms").list_keys()["Keys"]
    same("keys kept: link, data, artifacts", len(kept), 3)
