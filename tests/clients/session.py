"""What the boto3 sessions share: clients, waiting, refusals."""

import sys
import time

import boto3
import botocore.config
from botocore.exceptions import ClientError

PATIENCE = 60


def client(service, url):
    # Some operations of Step Functions have a host name of their own (`sync-…`), which an address does not.
    config = botocore.config.Config(inject_host_prefix=False)
    return boto3.Session("any", "credentials", region_name="eu-west-1").client(service, endpoint_url=url, config=config)


def wait(what, look):
    """Polls until `look` gives something, as people's scripts do."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    sys.exit(f"waited {PATIENCE} s for {what}")


def refused(code, call, **arguments):
    """The message of a refusal that must come, with this code."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response["Error"]
        return error.response["Error"]["Message"]
    sys.exit(f"{call.__name__} should have been refused with {code}")


class Pipeline:
    """One pipeline of a session and what is asked about it all the time."""

    def __init__(self, codepipeline, name):
        self.codepipeline, self.name = codepipeline, name

    def start(self, **more):
        return self.codepipeline.start_pipeline_execution(name=self.name, **more)["pipelineExecutionId"]

    def execution(self, id):
        found = self.codepipeline.get_pipeline_execution(pipelineName=self.name, pipelineExecutionId=id)
        return found["pipelineExecution"]

    def until(self, id, *statuses):
        """Waits for one of these statuses; the execution."""

        def look():
            found = self.execution(id)
            return found if found["status"] in statuses else None

        return wait(f"{id} to be {statuses}", look)

    def stage(self, name):
        state = self.codepipeline.get_pipeline_state(name=self.name)
        return next(stage for stage in state["stageStates"] if stage["stageName"] == name)

    def token(self, id):
        """The token of the open approval of this execution."""

        def look():
            stage = self.stage("Approve")
            action = stage["actionStates"][0].get("latestExecution", {})
            mine = stage.get("latestExecution", {}).get("pipelineExecutionId") == id
            return action.get("token") if mine and action.get("status") == "InProgress" else None

        return wait("the approval", look)

    def answer(self, id, status="Approved"):
        result = {"summary": "seen", "status": status}
        where = dict(pipelineName=self.name, stageName="Approve", actionName="Ask")
        return self.codepipeline.put_approval_result(result=result, token=self.token(id), **where)

    def actions(self, id):
        """Runs of an execution, oldest first."""
        pages = self.codepipeline.get_paginator("list_action_executions").paginate(
            pipelineName=self.name, filter={"pipelineExecutionId": id}
        )
        return [run for page in pages for run in page["actionExecutionDetails"]][::-1]
