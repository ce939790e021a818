"""What no public linter sees: own.py PLAIN CUSTOM-ACTION-TYPES. Ends with 1 on a finding.

Filter policies whose values are no lists; custom actions of a pipeline with settings that their type lacks, or without
one it needs; aliases whose new versions do not go back by themselves when the function fails.
"""

import json
import sys

from samtranslator.yaml_helper import yaml_parse


def load(path):
    with open(path) as text:
        return yaml_parse(text.read())


def not_lists(policy, path):
    for key, value in policy.items():
        if isinstance(value, dict):
            yield from not_lists(value, f"{path}.{key}")
        elif not isinstance(value, list):
            yield f"{path}.{key}: a value in a filter policy is a list"


def filters(template):
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::SNS::Subscription":
            policy = resource["Properties"].get("FilterPolicy")
            if isinstance(policy, dict):
                yield from not_lists(policy, f"{name}.FilterPolicy")
        if resource["Type"] == "AWS::SNS::Topic" and resource["Properties"].get("Subscription"):
            for one in branches(resource["Properties"]["Subscription"]):
                yield from not_lists(one.get("FilterPolicy", {}), f"{name}.FilterPolicy")


def branches(value):
    """The maps in a list, those behind conditions included."""
    if isinstance(value, dict) and "Fn::If" in value:
        for one in value["Fn::If"][1:]:
            yield from branches(one)
    elif isinstance(value, list):
        for one in value:
            yield from branches(one)
    elif isinstance(value, dict) and "Ref" not in value:
        yield value


def custom_actions(template, types):
    known = {}
    for resource in types["Resources"].values():
        at = resource["Properties"]
        known[at["Category"], at["Provider"], at["Version"]] = at["ConfigurationProperties"]
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::CodePipeline::Pipeline":
            continue
        for stage in resource["Properties"]["Stages"]:
            for action in branches(stage["Actions"]):
                kind = action["ActionTypeId"]
                if kind["Owner"] != "Custom":
                    continue
                where = f"{name}: {stage['Name']}/{action['Name']}"
                properties = known.get((kind["Category"], kind["Provider"], kind["Version"]))
                if properties is None:
                    yield f"{where}: there is no custom action type {kind['Category']}/{kind['Provider']}/{kind['Version']}"
                    continue
                names = {one["Name"] for one in properties}
                given = set(action.get("Configuration", {}))
                for key in sorted(given - names):
                    yield f"{where}: its action type has no property {key}"
                for one in properties:
                    if one["Required"] and one["Name"] not in given:
                        yield f"{where}: its action type needs {one['Name']}"


# Seconds that CodeDeploy watches the small share of calls.
CANARY = {"Canary10Percent5Minutes": 300, "Canary10Percent10Minutes": 600, "Canary10Percent15Minutes": 900, "Canary10Percent30Minutes": 1800}


def canaries(template):
    """An alias's new version takes a share of the calls first, and goes back when an alarm of that very function fires meanwhile."""
    resources = template["Resources"]

    def named(reference, kind):
        one = resources.get((reference or {}).get("Ref") if isinstance(reference, dict) else None, {})
        return one.get("Properties", {}) if one.get("Type") == kind else {}

    for name, alias in resources.items():
        if alias["Type"] != "AWS::Lambda::Alias":
            continue
        update = alias.get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {})
        group = named(update.get("DeploymentGroupName"), "AWS::CodeDeploy::DeploymentGroup")
        if not group or group.get("ApplicationName") != update.get("ApplicationName"):
            yield f"{name}: CodeDeploy does not move its calls to a new version"
            continue
        watched = next((time for kind, time in CANARY.items() if kind in json.dumps(group.get("DeploymentConfigName"))), None)
        if watched is None:
            yield f"{name}: a new version takes all calls at once, or in another way than a canary's"
            continue
        back = group.get("AutoRollbackConfiguration", {})
        if not back.get("Enabled") or not {"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"} <= set(back.get("Events", [])):
            yield f"{name}: a deployment that fails does not go back"
        function = resources[alias["Properties"]["FunctionName"]["Ref"]]["Properties"]["FunctionName"]
        alarms = [named(one["Name"], "AWS::CloudWatch::Alarm") for one in group.get("AlarmConfiguration", {}).get("Alarms", [])]
        tells = lambda alarm: alarm.get("MetricName") == "Errors" and {"Name": "FunctionName", "Value": function} in alarm["Dimensions"]
        if not any(tells(alarm) and alarm["Period"] * alarm["EvaluationPeriods"] < watched for alarm in alarms):
            yield f"{name}: no alarm of that function's errors ends its deployment within {watched} s"


def main(path, types):
    template = load(path)
    bad = [*filters(template), *custom_actions(template, load(types)), *canaries(template)]
    print("\n".join(bad + [f"{path}: {len(bad)} finding(s) of our own"]))
    sys.exit(bool(bad))


main(*sys.argv[1:])
