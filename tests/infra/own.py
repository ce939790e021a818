"""What no public linter sees: own.py PLAIN CUSTOM-ACTION-TYPES. Ends with 1 on a finding.

Filter policies whose values are no lists; custom actions of a pipeline with settings that their type lacks, or without
one it needs; ARNs of a fixed partition in a policy.
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


def main(path, types):
    template = load(path)
    bad = [*filters(template), *custom_actions(template, load(types))]
    print("\n".join(bad + [f"{path}: {len(bad)} finding(s) of our own"]))
    sys.exit(bool(bad))


main(*sys.argv[1:])
