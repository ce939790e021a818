"""Pipelines with partners' actions: boto3_partner.py URL make|check; ends with `ok`."""

import sys

from jobs_setup import action, codepipeline, ended, expect_success, pipeline, source
from session import wait

if sys.argv[2] == "make":
    source()
    listed = codepipeline.list_action_types(actionOwnerFilter="ThirdParty")["actionTypes"]
    assert {"GitHub", "AlexaSkillsKit", "GhostInspector"} <= {t["id"]["provider"] for t in listed}, listed
    work = action("Haunt", "Test", "ThirdParty", "GhostInspector", {"Suite": "all", "ApiKey": "PLANTED"})
    codepipeline.create_pipeline(pipeline=pipeline("haunted", [work]))
    # nobody works for this one
    secret = dict(ClientId="c", ClientSecret="s", RefreshToken="r", SkillId="k")
    work = action("Speak", "Deploy", "ThirdParty", "AlexaSkillsKit", secret, ["Code"])
    codepipeline.create_pipeline(pipeline=pipeline("spoken", [work]))
    assert ended("spoken")["status"] == "Failed"
    state = codepipeline.get_pipeline_state(name="spoken")["stageStates"][1]["actionStates"][0]
    error = state["latestExecution"]["errorDetails"]
    assert error["code"] == "ConfigurationError" and "[connector.AlexaSkillsKit]" in error["message"], error
    wait("the job", lambda: len(codepipeline.list_action_executions(pipelineName="haunted")["actionExecutionDetails"]) == 2)
else:
    expect_success("haunted")
    state = codepipeline.get_pipeline_state(name="haunted")["stageStates"][1]["actionStates"][0]
    assert state["latestExecution"]["summary"] == "12 passed", state
    detail = codepipeline.list_action_executions(pipelineName="haunted")["actionExecutionDetails"][0]
    assert detail["input"]["configuration"] == {"Suite": "all", "ApiKey": "****"}, detail["input"]
print("ok")
