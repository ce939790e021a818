"""A boto3 session with the example's state machines: boto3_states.py URL ends with `ok`.

The release machine (tests in parallel, an approval, a pipeline, a rollback) and the migration machine with Map and Catch;
versions, tags, validation, history, stop, redrive. The server runs with docs/examples/machines/stagewright.toml.
"""

import io
import json
import os
import re
import sys
import urllib.request
import zipfile
from pathlib import Path

import boto3
from approve import answer
from botocore.exceptions import WaiterError
from botocore.waiter import WaiterModel, create_waiter_with_client
from session import client, refused, wait

url = sys.argv[1]
states = client("stepfunctions", url)
ROLE = "arn:aws:iam::123456789012:role/states"
HERE = "arn:aws:states:eu-west-1:123456789012"
release, migration = (f"{HERE}:stateMachine:{name}" for name in ["release", "migration"])

# What the pipeline `ship` ships.
app = Path(__file__).parents[2] / "docs/examples/machines/app"
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as packed:
    packed.write(app / "index.html", "index.html")
objects = client("s3", url)
objects.put_object(Bucket="app-source", Key="app.zip", Body=archive.getvalue())

machine = states.describe_state_machine(stateMachineArn=release)
assert machine["status"] == "ACTIVE", machine
found = states.validate_state_machine_definition(definition=machine["definition"])
assert found["result"] == "OK", found
broken = json.dumps({"StartAt": "Nowhere", "States": {}})
assert states.validate_state_machine_definition(definition=broken)["result"] == "FAIL"
refused("InvalidDefinition", states.create_state_machine, name="bad", definition=broken, roleArn=ROLE)


def ended(arn):
    look = lambda: states.describe_execution(executionArn=arn)
    return wait("the end of " + arn, lambda: look()["status"] != "RUNNING" and look())


def start(name, machine=release, **data):
    return states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(data))["executionArn"]


def live():
    return {item["Key"].split("/")[0] for item in objects.list_objects_v2(Bucket="app-live").get("Contents", [])}


def events(arn):
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn, PaginationConfig={"PageSize": 5})
    return [event for page in pages for event in page["events"]]


good = start("good", version="2.0", previous="1.9")
answer(url, "good", "approve")
done = ended(good)
assert done["status"] == "SUCCEEDED", done
output = json.loads(done["output"])
tests = output["tests"]
assert [(test["suite"], test["passed"]) for test in tests] == [("unit", True), ("browser", True)], tests
codepipeline = client("codepipeline", url)
shipped = codepipeline.get_pipeline_execution(
    pipelineName="ship", pipelineExecutionId=output["shipped"]["pipelineExecutionId"]
)
assert shipped["pipelineExecution"]["status"] == output["shipped"]["status"] == "Succeeded", shipped
approval = output["approval"]
votes = [(vote["address"], vote["comment"]) for vote in approval["votes"]]
assert approval["decision"] == "Approved" and votes == [("dana@example.com", "as agreed")], approval
assert live() == {"2.0"}, live()
history = events(good)
kinds = [event["type"] for event in history]
assert kinds[0] == "ExecutionStarted" and kinds[-1] == "ExecutionSucceeded" and kinds.count("TaskSucceeded") == 5, kinds
assert kinds.count("TaskSubmitted") == 2, kinds
parameters = [event["taskScheduledEventDetails"]["parameters"] for event in history if event["type"] == "TaskScheduled"]
token = next(sent for text in parameters if (sent := json.loads(text)["Payload"].get("taskToken")) if "approval" in text)
refused("TaskTimedOut", states.send_task_heartbeat, taskToken=token)
refused("ExecutionAlreadyExists", states.start_execution, stateMachineArn=release, name="good", input="{}")
print("released", good)

bad = start("bad", version="unfit", previous="2.0")
answer(url, "bad", "approve")
done = ended(bad)
assert (done["status"], done["error"], done["cause"]) == ("FAILED", "RolledBack", "2.0 is live again"), done
failed = [event["taskFailedEventDetails"]["error"] for event in events(bad) if event["type"] == "TaskFailed"]
assert failed == ["PipelineFailed"], failed
no = start("no", version="2.1", previous="2.0")
answer(url, "no", "reject", "not on a Friday")
done = ended(no)
assert (done["status"], done["error"]) == ("FAILED", "ApprovalRejected"), done
assert "not on a Friday" in done["cause"] and "{" not in done["cause"], done
done = ended(start("untested", version="untested", previous="2.0"))
assert (done["status"], done["error"]) == ("FAILED", "Broken"), done
held = start("held", version="2.2", previous="2.0")
wait("the question", lambda: "TaskSubmitted" in [event["type"] for event in events(held)])
states.stop_execution(executionArn=held, error="Stopped", cause="enough")
assert ended(held)["status"] == "ABORTED"
states.redrive_execution(executionArn=held)
# The state asks anew: the links of the stopped attempt no longer count.
wait("the second question", lambda: [event["type"] for event in events(held)].count("TaskSubmitted") == 2)
answer(url, "held", "approve")
done = ended(held)
assert (done["status"], done["redriveCount"]) == ("SUCCEEDED", 1), done


def drawn(machine, execution):
    """The state of each step in the console's picture."""
    with urllib.request.urlopen(f"{url}/_stagewright/machine/{machine}/{execution}") as page:
        groups = re.findall(r'<g class="state (\w+)[^"]*"><title>([^<]*): \w+, ([^<]*)</title>', page.read().decode())
    return {name: (look, word) for look, name, word in groups}


picture = drawn("release", "good")
entered = {"Test", "Unit tests", "Browser tests", "Approve", "Ship", "Tell the team", "Released"}
assert len(picture) == 13, picture
for name, look in picture.items():
    assert look == (("succeeded", "Succeeded") if name in entered else ("idle", "Not entered")), (name, look)
picture = drawn("release", "bad")
wanted = {"Ship": "Caught an error", "Roll back": "Succeeded", "Rolled back": "Failed", "Tell the team": "Not entered"}
assert {name: picture[name][1] for name in wanted} == wanted, picture
assert drawn("release", "no")["Refused"] == ("failed", "Failed"), drawn("release", "no")
names = [it["name"] for it in states.list_executions(stateMachineArn=release, statusFilter="SUCCEEDED")["executions"]]
assert sorted(names) == ["good", "held"], names
assert live() == {"2.0", "2.2"}, live()
print("rolled back, rejected, stopped, redriven")

# botocore has no waiters for Step Functions; this is how people make their own.
accept = lambda status, state: {"matcher": "path", "argument": "status", "expected": status, "state": state}
told = {"operation": "DescribeExecution", "delay": 1, "maxAttempts": 60,
        "acceptors": [accept("SUCCEEDED", "success"), accept("FAILED", "failure"), accept("TIMED_OUT", "failure")]}
model = WaiterModel({"version": 2, "waiters": {"ExecutionSucceeded": told}})
succeeded = create_waiter_with_client("ExecutionSucceeded", model, states)
succeeded.wait(executionArn=start("waited", migration, tables=["a"]))
try:
    succeeded.wait(executionArn=start("waited-no", migration, tables=["broken"]))
    sys.exit("the waiter should have failed")
except WaiterError as error:
    assert error.last_response["error"] == "TooManyLeft", error.last_response
version = states.publish_state_machine_version(stateMachineArn=migration)["stateMachineVersionArn"]
done = ended(start("all", version, tables=["a", "broken", "ccc"]))
assert json.loads(done["output"]) == {"moved": ["a", "ccc"], "left": ["broken"], "rows": 400}, done
picture = drawn("migration", "all")
wanted = {"Tables": "Succeeded", "Leave": "Succeeded", "Moved": "Succeeded", "Too many left": "Not entered"}
assert {name: picture[name][1] for name in wanted} == wanted, picture
done = ended(start("none", version, tables=["a", "broken", "broken2"]))
assert (done["error"], done["cause"]) == ("TooManyLeft", "left: broken, broken2"), done
print("migrated")

sync = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"x": 1}, "End": True}}}
express = states.create_state_machine(name="quick", definition=json.dumps(sync), roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
tags = [{"key": "team", "value": "web"}]
assert json.loads(states.start_sync_execution(stateMachineArn=express)["output"]) == {"x": 1}
# As users have it: the address and the setting in the environment, the client as it comes.
os.environ.update(AWS_ENDPOINT_URL=url, AWS_DISABLE_HOST_PREFIX_INJECTION="true")
plain = boto3.Session("any", "credentials", region_name="eu-west-1").client("stepfunctions")
assert json.loads(plain.start_sync_execution(stateMachineArn=express)["output"]) == {"x": 1}
assert plain.test_state(definition=json.dumps(sync["States"]["A"]))["status"] == "SUCCEEDED"
tried = states.test_state(
    definition=json.dumps({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Retry": [{"ErrorEquals": ["Busy"]}], "End": True}),
    input="{}", inspectionLevel="DEBUG", mock={"errorOutput": {"error": "Busy", "cause": "later"}})
assert tried["status"] == "RETRIABLE" and tried["inspectionData"]["errorDetails"]["retryIndex"] == 0, tried
states.tag_resource(resourceArn=release, tags=tags)
assert states.list_tags_for_resource(resourceArn=release)["tags"] == tags
assert [m["name"] for m in states.list_state_machines()["stateMachines"]] == ["migration", "quick", "release"]
states.delete_state_machine(stateMachineArn=express)
refused("StateMachineDoesNotExist", states.start_execution, stateMachineArn=express)
print("ok")
