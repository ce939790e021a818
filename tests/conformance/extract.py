"""Writes model.json: the members and bounds of CodePipeline's service model, from an installed botocore (Apache-2.0).

    target/clients/bin/python tests/conformance/extract.py > tests/conformance/model.json
"""

import json

import botocore
from botocore.session import Session

loader = Session().get_component("data_loader")
model = loader.load_service_model("codepipeline", "service-2")
kept = ("type", "required", "min", "max", "pattern", "enum")


def shape(raw):
    made = {key: raw[key] for key in kept if key in raw}
    if "members" in raw:
        made["members"] = {name: member["shape"] for name, member in raw["members"].items()}
    for part in ("member", "key", "value"):
        if part in raw:
            made[part] = raw[part]["shape"]
    return made


operations = {
    name: {
        "input": raw.get("input", {}).get("shape"),
        "output": raw.get("output", {}).get("shape"),
        "errors": sorted(error["shape"] for error in raw.get("errors", [])),
    }
    for name, raw in sorted(model["operations"].items())
}
shapes = {name: shape(raw) for name, raw in sorted(model["shapes"].items()) if not raw.get("exception")}

print('{"botocore": %s,\n"operations": {' % json.dumps(botocore.__version__))
print(",\n".join(f"{json.dumps(name)}: {json.dumps(it)}" for name, it in operations.items()))
print('},\n"shapes": {')
print(",\n".join(f"{json.dumps(name)}: {json.dumps(it)}" for name, it in shapes.items()))
print("}}")
