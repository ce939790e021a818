"""Checks requests and answers of JSON services against botocore's models: aws_shapes.py FILE, one exchange a line."""

import json
import sys

import botocore.session
from botocore.validate import ParamValidator

SERVICES = ["cloudwatch", "devicefarm", "ecs", "logs", "ssm", "stepfunctions"]


def main(file):
    session = botocore.session.get_session()
    models = {}
    for name in SERVICES:
        model = session.get_service_model(name)
        models[model.metadata["targetPrefix"]] = model
    wrong = []

    def check(about, value, shape):
        report = ParamValidator().validate(value, shape)
        if report.has_errors():
            wrong.append(f"{about}: {report.generate_report()}")

    with open(file) as lines:
        exchanges = [json.loads(line) for line in lines]
    for exchange in exchanges:
        target, name = exchange["target"].rsplit(".", 1)
        model = models[target]
        operation = model.operation_model(name)
        about = f"{model.service_name} {name}"
        version = model.metadata["jsonVersion"]
        if exchange["type"] != f"application/x-amz-json-{version}":
            wrong.append(f"{about}: content type {exchange['type']}, JSON {version} is wanted")
        if (exchange["method"], exchange["path"]) != ("POST", "/"):
            wrong.append(f"{about}: {exchange['method']} {exchange['path']}")
        check(f"{about} request", exchange["request"], operation.input_shape)
        if exchange["status"] == 200:
            check(f"{about} answer", exchange["answer"], operation.output_shape)
        else:
            code = exchange["answer"]["__type"].rsplit("#", 1)[-1]
            known = [shape.metadata.get("error", {}).get("code", shape.name) for shape in operation.error_shapes]
            known += [shape.name for shape in operation.error_shapes]
            if code not in known:
                wrong.append(f"{about}: error {code} is none of {sorted(set(known))}")
    if wrong:
        sys.exit("\n".join(sorted(set(wrong))))
    print(f"{len(exchanges)} exchanges ok")


main(sys.argv[1])
