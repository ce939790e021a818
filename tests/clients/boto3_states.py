"""A boto3 session with the example's state machines: boto3_states.py URL ends with `ok`.

The release machine (tests in parallel, an approval, a pipeline, a rollback) and the migration machine with Map and Catch;
versions, tags, validation, history, stop, redrive. The server runs with docs/examples/machines/stagewright.toml.
"""

import io
import json
import sys
import threading
import zipfile
from pathlib import Path

from session import client, refused, wait

url = sys.argv[1]
states = client("stepfunctions", url)
ROLE = "arn:aws:iam::123456789012:role/states"
HERE = "arn:aws:states:eu-west-1:123456789012"
release, migration = (f"{HERE}:stateMachine:{name}" for name in ["release", "migration"])
asked = f"{HERE}:activity:approve"

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


def answer(approve):
    task = states.get_activity_task(activityArn=asked, workerName="people")
    if approve:
        states.send_task_success(taskToken=task["taskToken"], output=json.dumps({"by": "dana"}))
    else:
        states.send_task_failure(taskToken=task["taskToken"], error="Rejected", cause="not on a Friday")
    return task


def start(name, machine=release, **data):
    return states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(data))["executionArn"]


def live():
    return {item["Key"].split("/")[0] for item in objects.list_objects_v2(Bucket="app-live").get("Contents", [])}


good = start("good", version="2.0", previous="1.9")
task = answer(True)
tests = json.loads(task["input"])["tests"]
assert [(test["suite"], test["passed"]) for test in tests] == [("unit", True), ("browser", True)], tests
done = ended(good)
assert done["status"] == "SUCCEEDED", done
output = json.loads(done["output"])
shipped = client("codepipeline", url).get_pipeline_execution(
    pipelineName="ship", pipelineExecutionId=output["shipped"]["pipelineExecutionId"]
)
assert shipped["pipelineExecution"]["status"] == "Succeeded", shipped
assert output["approval"] == {"by": "dana"} and live() == {"2.0"}, (output, live())
refused("TaskTimedOut", states.send_task_heartbeat, taskToken=task["taskToken"])
pages = states.get_paginator("get_execution_history").paginate(executionArn=good, PaginationConfig={"PageSize": 5})
kinds = [event["type"] for page in pages for event in page["events"]]
assert kinds[0] == "ExecutionStarted" and kinds[-1] == "ExecutionSucceeded" and kinds.count("TaskSucceeded") == 4, kinds
refused("ExecutionAlreadyExists", states.start_execution, stateMachineArn=release, name="good", input="{}")
print("released", good)

bad = start("bad", version="unfit", previous="2.0")
answer(True)
done = ended(bad)
assert (done["status"], done["error"], done["cause"]) == ("FAILED", "RolledBack", "2.0 is live again"), done
no = start("no", version="2.1", previous="2.0")
answer(False)
done = ended(no)
assert (done["status"], done["error"], done["cause"]) == ("FAILED", "Rejected", "not on a Friday"), done
done = ended(start("untested", version="untested", previous="2.0"))
assert (done["status"], done["error"]) == ("FAILED", "Broken"), done
held = start("held", version="2.2", previous="2.0")
wait("the approval", lambda: "ActivityScheduled" in [e["type"] for e in states.get_execution_history(executionArn=held)["events"]])
states.stop_execution(executionArn=held, error="Stopped", cause="enough")
assert ended(held)["status"] == "ABORTED"
states.redrive_execution(executionArn=held)
again = threading.Thread(target=answer, args=(True,))
again.start()
assert ended(held)["status"] == "SUCCEEDED" and ended(held)["redriveCount"] == 1
again.join()
names = [it["name"] for it in states.list_executions(stateMachineArn=release, statusFilter="SUCCEEDED")["executions"]]
assert sorted(names) == ["good", "held"], names
assert live() == {"2.0", "2.2"}, live()
print("rolled back, rejected, stopped, redriven")

version = states.publish_state_machine_version(stateMachineArn=migration)["stateMachineVersionArn"]
done = ended(start("all", version, tables=["a", "broken", "ccc"]))
assert json.loads(done["output"]) == {"moved": ["a", "ccc"], "left": ["broken"], "rows": 400}, done
done = ended(start("none", version, tables=["a", "broken", "broken2"]))
assert (done["error"], done["cause"]) == ("TooManyLeft", "left: broken, broken2"), done
print("migrated")

sync = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"x": 1}, "End": True}}}
express = states.create_state_machine(name="quick", definition=json.dumps(sync), roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
tags = [{"key": "team", "value": "web"}]
assert json.loads(states.start_sync_execution(stateMachineArn=express)["output"]) == {"x": 1}
tried = states.test_state(
    definition=json.dumps({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Retry": [{"ErrorEquals": ["Busy"]}], "End": True}),
    input="{}", inspectionLevel="DEBUG", mock={"errorOutput": {"error": "Busy", "cause": "later"}})
assert tried["status"] == "RETRIABLE" and tried["inspectionData"]["errorDetails"]["retryIndex"] == 0, tried
states.tag_resource(resourceArn=release, tags=tags)
assert states.list_tags_for_resource(resourceArn=release)["tags"] == tags
assert [m["name"] for m in states.list_state_machines()["stateMachines"]] == ["migration", "quick", "release", "ship"]
states.delete_state_machine(stateMachineArn=express)
refused("StateMachineDoesNotExist", states.start_execution, stateMachineArn=express)
print("ok")
