"""Faults planted in the templates, one at a time: faults.py TOOLS. Each must be caught by the check that is named, in these words.

A fault that nothing catches is a hole in the checks; so is one whose place in a template is gone.
"""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INFRA = HERE.parent.parent / "infra"

# what, file, what stands there, what is put there, which check, in which words
FAULTS = [
    ("a misspelt property in Globals", "template.yaml", "    Runtime: provided.al2023", "    Runtimes: provided.al2023", "lint", "E3002"),
    ("the same, before CloudFormation", "template.yaml", "    Runtime: provided.al2023", "    Runtimes: provided.al2023", "plain", "Runtimes"),
    ("a reference to nothing in Globals", "template.yaml", "    Tracing: !Ref Tracing", "    Tracing: !Ref Nothing", "lint-plain", "E1020"),
    ("an unknown runtime in Globals", "template.yaml", "    Runtime: provided.al2023", "    Runtime: provided.al2099", "lint-plain", "E3030"),
    ("a misspelt IAM action", "template.yaml", "Action: [kms:Sign]", "Action: [kms:Sing]", "lint-plain", "W3037"),
    ("the same, for parliament", "template.yaml", "Action: [kms:Sign]", "Action: [kms:Sing]", "policies", "UNKNOWN_ACTION"),
    ("a circle of resources", "template.yaml", "      KmsMasterKeyId: !If [HasDataKey, !Ref DataKeyArn, alias/aws/sns]",
     "      DisplayName: !GetAtt ApprovalNotify.Arn", "lint-plain", "E3004"),
    ("an input artifact that nobody makes", "example-pipeline.yaml", "InputArtifacts: [{Name: SiteSource}]", "InputArtifacts: [{Name: Site}]", "lint", "E3701"),
    ("an unknown category of a custom action type", "custom-action-types.yaml", "Category: Build", "Category: Compile", "lint", "E3030"),
    ("a retention that CloudWatch has not", "template.yaml", "AllowedValues: [1, 3, 5, 7, 14, 30, 60, 90, 120", "AllowedValues: [1, 3, 5, 7, 14, 30, 31, 60, 90, 120", "lint-plain", "W1030"),
    ("a first stage without a source", "example-pipeline.yaml", "{Category: Source, Owner: AWS, Provider: CodeCommit", "{Category: Build, Owner: AWS, Provider: CodeBuild", "lint", "E370"),
    ("every action allowed", "template.yaml", "Action: [kms:Sign]", 'Action: "*"', "policies", "PERMISSIONS_MANAGEMENT"),
    ("the same, for cfn-guard", "template.yaml", "Action: [kms:Sign]", 'Action: "*"', "guard", "no_action_star"),
    ("a grant of approvals for an ARN of another form", "template.yaml", ":${Pipelines}/*/*", ":pipeline:${Pipelines}", "policies", "RESOURCE_MISMATCH"),
    ("a state machine that goes on nowhere", "run-action.asl.json", '"Next": "Done?"', '"Next": "Ready?"', "states", "MISSING_TRANSITION_TARGET"),
    ("a value in an event pattern that is no list", "template.yaml", "detail: {state: [STOPPED, SUPERSEDED, CANCELED]}", "detail: {state: STOPPED}", "guard", "event_pattern_names_states"),
    ("a misspelt event", "template.yaml", "detail-type: [CodePipeline Pipeline Execution State Change]", "detail-type: [CodePipeline Pipeline Execution State-change]", "guard", "no such event"),
    ("a misspelt state in an event pattern", "template.yaml", "{state: [FAILED, ABANDONED, CANCELED]", "{state: [FAILED, ABANDONED, CANCELLED]", "guard", "no such state"),
    ("a rate in bad grammar", "template.yaml", "rate(1 minute)", "rate(1 minutes)", "guard", "rate_is_well_formed"),
    ("a function URL for everybody", "template.yaml", "      Timeout: 10\n", "      Timeout: 10\n      FunctionUrlConfig: {AuthType: NONE}\n", "guard", "no_open_function_url"),
    ("the same, for checkov", "template.yaml", "      Timeout: 10\n", "      Timeout: 10\n      FunctionUrlConfig: {AuthType: NONE}\n", "checkov", "CKV_AWS_258"),
    ("an ARN of one partition", "template.yaml", '"arn:${AWS::Partition}:ssm:', '"arn:aws:ssm:', "lint-plain", "I3042"),
    ("a key in an environment variable", "template.yaml", "          STAGEWRIGHT_LINK_KEYS: !Ref LinkKeys",
     "          STAGEWRIGHT_LINK_KEYS: !Ref LinkKeys\n          AWS_KEY: AKIAIOSFODNN7EXAMPLQ\n          SECRET_KEY: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEZ", "checkov", "CKV_AWS_45"),
    ("a value in a filter policy that is no list", "template.yaml", "pipelineName: [{exists: true}]", "pipelineName: {exists: true}", "own", "a value in a filter policy is a list"),
    ("a queue on a V1 pipeline", "example-pipeline.yaml", "PipelineType: V2", "PipelineType: V1", "guard", "a_queue_is_for_v2"),
    ("a setting that the custom action's type lacks", "example-pipeline.yaml", 'timeoutMinutes: "600"', 'timeoutMinute: "600"', "own", "has no property timeoutMinute"),
    ("a custom action type that nobody made", "example-pipeline.yaml", "{Category: Test, Owner: Custom", "{Category: Deploy, Owner: Custom", "own", "there is no custom action type"),
    ("a version that is deployed with no canary", "template.yaml", "        Type: Canary10Percent5Minutes\n", "        Type: AllAtOnce\n", "own", "takes all calls at once"),
    ("a canary that another function's alarm ends", "template.yaml", "Alarms: [!Ref ApprovalNotifyErrors]", "Alarms: [!Ref ApprovalRespondErrors]", "own", "no alarm of that function's errors"),
    ("an alias that CodeDeploy does not move", "template.yaml", "        Enabled: !Ref Canary\n", "        Enabled: false\n", "own", "does not move its calls"),
    ("a parameter that Terraform gives and the template lacks", "examples/stagewright.tf", "ActionHttpCheckMode = ", "ActionHttpCheck = ", "terraform", "has no parameter ActionHttpCheck"),
    ("a value of Terraform's that the template refuses", "examples/stagewright.tf", '"invoke"', '"called"', "terraform", "ActionHttpCheckMode"),
    ("an output that Terraform reads and the template lacks", "examples/stagewright.tf", 'outputs["ActionHttpCheckName"]', 'outputs["ActionHttpCheckArn"]', "terraform", "has no output ActionHttpCheckArn"),
    ("logs without an end", "template.yaml", "      RetentionInDays: !Ref LogRetentionDays\n", "", "guard", "every_log_group_ends"),
    ("a rule that loses what it cannot deliver", "template.yaml", "            DeadLetterConfig: {Arn: !GetAtt DeadLetters.Arn}\n", "", "guard", "every_asynchronous_failure_is_kept"),
    ("a lock that an administrator can take away", "audit.yaml", "Mode: COMPLIANCE", "Mode: GOVERNANCE", "guard", "anchors_are_locked"),
    ("a table without recovery", "template.yaml", "PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false", "guard", "table_keeps_its_data"),
]


def plant(tools, fault):
    what, file, there, put, check, words = fault
    with tempfile.TemporaryDirectory() as folder:
        infra = pathlib.Path(folder, "infra")
        shutil.copytree(INFRA, infra)
        text = (infra / file).read_text()
        if there not in text:
            return f"{what}: {file} has no {there!r} any more"
        (infra / file).write_text(text.replace(there, put, 1))
        name = {".json": "example-machine", ".tf": "template"}.get(pathlib.Path(file).suffix, file.removesuffix(".yaml"))
        done = subprocess.run(["sh", HERE / "check.sh", tools, infra, pathlib.Path(folder, "plain"), check], capture_output=True, text=True,
                              env=os.environ | {"TEMPLATES": name})
    said = done.stdout + done.stderr
    if done.returncode == 0:
        return f"{what}: {check} says nothing"
    if words not in said:
        return f"{what}: {check} fails, but not with {words}: {said[-2000:]}"
    print(f"  {what}: {check} says {words}", flush=True)
    return None


def main(tools):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        missed = [one for one in pool.map(lambda fault: plant(tools, fault), FAULTS) if one]
    print("\n".join(missed))
    print(f"{len(FAULTS) - len(missed)} of {len(FAULTS)} planted faults are caught")
    sys.exit(bool(missed))


main(*sys.argv[1:])
