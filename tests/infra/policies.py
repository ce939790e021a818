"""Every policy of every role of a plain template, read by parliament: policies.py PLAIN. Ends with 1 on a finding.

Parliament's own command refuses a file where standard input is no terminal, as in CI, so its function is called.
"""

import json
import re
import sys

from parliament import analyze_policy_string

# What parliament says and we know: the role, the finding, a word of it, and why it stays.
KNOWN = [
    ("", "CREDENTIALS_EXPOSURE", "", "a job's details are its artifact credentials"),
    ("", "RESOURCE_STAR", "cloudwatch:DescribeAlarms", "composite alarms are told only to who may read all"),
    ("ActionRunTask", "RESOURCE_STAR", "ecs:ListTasks", "the call names no task; a condition holds it to the cluster"),
    ("ActionRunTask", "PERMISSIONS_MANAGEMENT_ACTIONS", "iam:passrole", "the named roles, to ECS only"),
    ("MachineRole", "PERMISSIONS_MANAGEMENT_ACTIONS", "logs:putresourcepolicy", "Step Functions asks for it before it logs"),
    ("ActionRunStateMachine", "RESOURCE_MISMATCH", "states:DescribeExecution", "express executions, which it does not run"),
]
PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "111111111111", "AWS::StackName": "probe",
          "AWS::URLSuffix": "amazonaws.com"}
ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:us-east-1:111111111111:table/t", "AWS::SQS::Queue": "sqs:us-east-1:111111111111:q",
    "AWS::S3::Bucket": "s3:::b", "AWS::KMS::Key": "kms:us-east-1:111111111111:key/11111111-1111-1111-1111-111111111111",
    "AWS::Lambda::Function": "lambda:us-east-1:111111111111:function:f", "AWS::Lambda::Alias": "lambda:us-east-1:111111111111:function:f:live",
    "AWS::SNS::Topic": "sns:us-east-1:111111111111:t",
    "AWS::Logs::LogGroup": "logs:us-east-1:111111111111:log-group:g:*", "AWS::IAM::Role": "iam::111111111111:role/r",
    "AWS::StepFunctions::StateMachine": "states:us-east-1:111111111111:stateMachine:m",
}
REF_IS_ARN = {"AWS::SNS::Topic", "AWS::Lambda::Alias", "AWS::StepFunctions::StateMachine"}
KEY = "arn:aws:" + ARNS["AWS::KMS::Key"]


class Resolver:
    def __init__(self, template):
        self.kinds = {name: one["Type"] for name, one in template["Resources"].items()}
        self.parameters = template.get("Parameters", {})

    def arn(self, name):
        return "arn:aws:" + ARNS[self.kinds[name]] if self.kinds.get(name) in ARNS else "X"

    def ref(self, name):
        if name in PSEUDO:
            return PSEUDO[name]
        if self.kinds.get(name) in REF_IS_ARN:
            return self.arn(name)
        if name.endswith("KeyArn"):
            return KEY
        if name == "FunctionArn":
            return "arn:aws:" + ARNS["AWS::Lambda::Function"]
        if name.endswith("TopicArn"):
            return "arn:aws:" + ARNS["AWS::SNS::Topic"]
        default = self.parameters.get(name, {}).get("Default")
        return default if default else "x" + re.sub(r"\W", "", name)

    def value(self, value):
        if isinstance(value, list):
            return [one for one in map(self.value, value) if one is not None]
        if not isinstance(value, dict):
            return value
        if "Ref" in value:
            return None if value["Ref"] == "AWS::NoValue" else self.ref(value["Ref"])
        if "Fn::If" in value:  # what a condition may add is read as if it were there
            return self.value(value["Fn::If"][1])
        if "Fn::GetAtt" in value:
            at = value["Fn::GetAtt"]
            return self.arn(at[0] if isinstance(at, list) else at.split(".")[0])
        if "Fn::Sub" in value:
            text = value["Fn::Sub"]
            text = text if isinstance(text, str) else text[0]
            return re.sub(r"\$\{([^}]+)\}", lambda m: self.arn(m[1].split(".")[0]) if "." in m[1] else self.ref(m[1]), text)
        return {key: self.value(one) for key, one in value.items()}


def main(path):
    with open(path) as text:
        template = json.load(text)
    resolver = Resolver(template)
    bad = 0
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        for policy in resolver.value(resource["Properties"].get("Policies", [])):
            document = policy["PolicyDocument"]
            document.setdefault("Version", "2012-10-17")  # SAM leaves it out of the policies that it makes itself
            for found in analyze_policy_string(json.dumps(document), include_community_auditors=True).findings:
                known = any(name.startswith(role) and found.issue == issue and word in f"{found.detail} {found.location}" for role, issue, word, _ in KNOWN)
                if not known:
                    bad += 1
                    print(f"{name}: {found.issue} {found.detail} {found.location}")
    print(f"{path}: {bad} finding(s) in policies")
    sys.exit(bool(bad))


main(sys.argv[1])
