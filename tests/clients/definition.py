"""The pipeline of the control sessions: an object, a worker's check, an approval, a deployment behind a condition."""

KIND = {"category": "Test", "provider": "FileCheck", "version": "1"}

ACTION_TYPE = {
    **KIND,
    "settings": {"executionUrlTemplate": "https://ci.example.com/runs/{ExternalExecutionId}"},
    "configurationProperties": [
        {"name": "Files", "required": True, "key": True, "secret": False, "type": "String"},
        {"name": "Password", "required": False, "key": False, "secret": True},
    ],
    "inputArtifactDetails": {"minimumCount": 1, "maximumCount": 1},
    "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 0},
}


def action(name, owner, category, provider, configuration, inputs=(), outputs=()):
    return {
        "name": name,
        "actionTypeId": {"category": category, "owner": owner, "provider": provider, "version": "1"},
        "configuration": configuration,
        "inputArtifacts": [{"name": name} for name in inputs],
        "outputArtifacts": [{"name": name} for name in outputs],
    }


def pipeline(name):
    source = {"S3Bucket": "sources", "S3ObjectKey": "site.zip", "PollForSourceChanges": "false"}
    check = {"Files": "#{variables.Files}", "Password": "correct horse"}
    deploy = {"BucketName": "live", "Extract": "true"}
    rule = {
        "name": "NotForbidden",
        "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"},
        "configuration": {"Variable": "#{variables.Target}", "Operator": "NE", "Value": "forbidden"},
    }
    stages = [
        ("Source", action("Object", "AWS", "Source", "S3", source, outputs=["Site"])),
        ("Check", action("Files", "Custom", "Test", "FileCheck", check, inputs=["Site"])),
        ("Approve", action("Ask", "AWS", "Approval", "Manual", {})),
        ("Deploy", action("Copy", "AWS", "Deploy", "S3", deploy, inputs=["Site"])),
    ]
    stages = [{"name": stage, "actions": [first]} for stage, first in stages]
    stages[3]["beforeEntry"] = {"conditions": [{"result": "FAIL", "rules": [rule]}]}
    return {
        "name": name,
        "roleArn": "arn:aws:iam::123456789012:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "pipelineType": "V2",
        "executionMode": "QUEUED",
        "variables": [
            {"name": "Files", "defaultValue": "index.html"},
            {"name": "Target", "defaultValue": "live"},
        ],
        "stages": stages,
    }


if __name__ == "__main__":
    # for the AWS CLI: the pipeline and the action type as files of a folder
    import json
    import sys

    folder, name = sys.argv[1:]
    for file, value in [("pipeline.json", {"pipeline": pipeline(name)}), ("type.json", ACTION_TYPE)]:
        with open(f"{folder}/{file}", "w") as out:
            json.dump(value, out)
