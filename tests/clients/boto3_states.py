"""A boto3 session with state machines: boto3_states.py URL ends with `ok`.

A release machine (tests in parallel, an approval by token, a pipeline-like callback, a roll back on failure) and a
migration machine with Map and Catch; versions, tags, validation, history, stop, redrive.
"""

import json
import sys
import threading

from session import client, refused, wait

url = sys.argv[1]
states = client("stepfunctions", url)
ROLE = "arn:aws:iam::123456789012:role/states"

asked = states.create_activity(name="approve")["activityArn"]
RELEASE = {
    "StartAt": "Test",
    "States": {
        "Test": {
            "Type": "Parallel",
            "ResultPath": "$.tests",
            "Branches": [
                {"StartAt": name, "States": {name: {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke",
                    "Parameters": {"FunctionName": "echo", "Payload": {"suite": name, "version.$": "$.version"}},
                    "OutputPath": "$.Payload",
                    "End": True,
                }}}
                for name in ["Unit", "Browser"]
            ],
            "Next": "Approve",
        },
        "Approve": {
            "Type": "Task",
            "Resource": asked,
            "TimeoutSeconds": 3600,
            "ResultPath": "$.approval",
            "Catch": [{"ErrorEquals": ["Rejected"], "ResultPath": "$.why", "Next": "RollBack"}],
            "Next": "Released",
        },
        "Released": {"Type": "Succeed"},
        "RollBack": {"Type": "Fail", "Error": "RolledBack", "CausePath": "$.why.Cause"},
    },
}
found = states.validate_state_machine_definition(definition=json.dumps(RELEASE))
assert found["result"] == "OK", found
release = states.create_state_machine(name="release", definition=json.dumps(RELEASE), roleArn=ROLE)["stateMachineArn"]
assert states.describe_state_machine(stateMachineArn=release)["status"] == "ACTIVE"
broken = json.dumps({"StartAt": "Nowhere", "States": {}})
assert states.validate_state_machine_definition(definition=broken)["result"] == "FAIL"
refused("InvalidDefinition", states.create_state_machine, name="bad", definition=broken, roleArn=ROLE)


def ended(arn):
    look = lambda: states.describe_execution(executionArn=arn)
    return wait("the end of " + arn, lambda: look()["status"] != "RUNNING" and look())


def answer(approve):
    task = states.get_activity_task(activityArn=asked, workerName="people")
    if approve:
        states.send_task_success(taskToken=task["taskToken"], output=json.dumps({"by": "me"}))
    else:
        states.send_task_failure(taskToken=task["taskToken"], error="Rejected", cause="not on a Friday")
    return task


def start(name, machine=release, **data):
    return states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(data))["executionArn"]


good = start("good", version=7)
task = answer(True)
assert json.loads(task["input"])["tests"] == [{"suite": "Unit", "version": 7}, {"suite": "Browser", "version": 7}], task
done = ended(good)
assert done["status"] == "SUCCEEDED" and json.loads(done["output"])["approval"] == {"by": "me"}, done
refused("TaskTimedOut", states.send_task_heartbeat, taskToken=task["taskToken"])
pages = states.get_paginator("get_execution_history").paginate(executionArn=good, PaginationConfig={"PageSize": 5})
kinds = [event["type"] for page in pages for event in page["events"]]
assert kinds[0] == "ExecutionStarted" and kinds[-1] == "ExecutionSucceeded" and kinds.count("TaskSucceeded") == 2, kinds
refused("ExecutionAlreadyExists", states.start_execution, stateMachineArn=release, name="good", input="{}")
print("released", good)

bad = start("bad", version=8)
answer(False)
done = ended(bad)
assert (done["status"], done["error"], done["cause"]) == ("FAILED", "RolledBack", "not on a Friday"), done
held = start("held", version=9)
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
print("rolled back, stopped, redriven")

MIGRATION = {
    "QueryLanguage": "JSONata",
    "StartAt": "Tables",
    "States": {
        "Tables": {
            "Type": "Map",
            "Items": "{% $states.input.tables %}",
            "MaxConcurrency": 2,
            "ItemProcessor": {"StartAt": "Move", "States": {
                "Move": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke",
                    "Arguments": {"FunctionName": "echo", "Payload": {"table": "{% $states.input %}"}},
                    "Output": "{% $states.result.Payload.table %}",
                    "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 2}],
                    "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput.Error %}", "Next": "Left"}],
                    "End": True,
                },
                "Left": {"Type": "Pass", "Output": "{% 'left: ' & $states.input %}", "End": True},
            }},
            "Output": {"moved": "{% $states.result %}", "count": "{% $count($states.result) %}"},
            "End": True,
        }
    },
}
migration = states.create_state_machine(name="migration", definition=json.dumps(MIGRATION), roleArn=ROLE, publish=True)
done = ended(start("all", migration["stateMachineVersionArn"], tables=["a", "broken", "c"]))
assert json.loads(done["output"]) == {"moved": ["a", "left: Broken", "c"], "count": 3}, done
print("migrated")

sync = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"x": 1}, "End": True}}}
express = states.create_state_machine(name="quick", definition=json.dumps(sync), roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
tags = [{"key": "team", "value": "web"}]
states.tag_resource(resourceArn=release, tags=tags)
assert states.list_tags_for_resource(resourceArn=release)["tags"] == tags
assert [m["name"] for m in states.list_state_machines()["stateMachines"]] == ["migration", "quick", "release"]
states.delete_state_machine(stateMachineArn=express)
refused("StateMachineDoesNotExist", states.start_execution, stateMachineArn=express)
print("ok")
