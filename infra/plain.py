"""SAM template -> plain CloudFormation, offline: plain.py TEMPLATE [NAME=VALUE…] > plain.json

What the transform makes depends on parameters where SAM asks for a value itself (Canary): those are given here.
Packages become parameters CodeBucket and CodePrefix, so that the form needs nothing but a bucket with the zips.
Release=NAME names them: another one publishes new versions of the functions that have an alias. Any other value given
becomes the parameter's default.
"""
import hashlib
import json
import os
import re
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")
from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402


class ManagedPolicies:
    def load(self):
        return {}


def main(path, *given):
    with open(path) as text:
        template = yaml_parse(text.read())
    if "Transform" not in template:
        print(json.dumps(template, indent=1, default=str))
        return
    given = dict(pair.split("=", 1) for pair in given)
    release = given.pop("Release", "")
    given = {name: value for name, value in given.items() if name in template.get("Parameters", {})}
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        package = properties.get("CodeUri")
        if resource["Type"] == "AWS::Serverless::Function" and isinstance(package, str):
            properties["CodeUri"] = {"Bucket": "@CodeBucket@", "Key": "@CodePrefix@" + os.path.basename(package)}
            if "AutoPublishAlias" in properties:
                properties["AutoPublishCodeSha256"] = hashlib.sha256(f"{name} {release}".encode()).hexdigest()
        if "DefinitionUri" in properties:
            with open(os.path.join(os.path.dirname(path), properties.pop("DefinitionUri"))) as machine:
                properties["Definition"] = json.load(machine)
    values = {name: one.get("Default", "") for name, one in template.get("Parameters", {}).items()}
    values.update(given)
    for name in given:
        template["Parameters"][name]["Default"] = given[name]
    plain = transform(template, values, ManagedPolicies())
    if "Canary" in plain["Parameters"]:  # the transform has decided this one
        del plain["Parameters"]["Canary"]
        for group in plain["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
            group["Parameters"] = [one for one in group["Parameters"] if one != "Canary"]
    if "@CodeBucket@" in json.dumps(plain):
        packages(plain["Parameters"])
    text = json.dumps(plain, indent=1, default=str)
    text = text.replace('"@CodeBucket@"', '{"Ref": "CodeBucket"}')
    text = re.sub(r'"@CodePrefix@([^"]+)"', r'{"Fn::Sub": "${CodePrefix}\1"}', text)
    print(text)


def packages(parameters):
    parameters["CodeBucket"] = {"Type": "String", "AllowedPattern": "^[a-z0-9.-]{3,63}$",
                                "Description": "Bucket with the zips, in the stack's region"}
    parameters["CodePrefix"] = {"Type": "String", "Default": "", "AllowedPattern": "^$|^[A-Za-z0-9/._-]+/$",
                                "Description": "What stands before their names, as stagewright/0.1.0/"}


main(*sys.argv[1:])
