"""The Terraform example against the template that it deploys: hcl.py EXAMPLE PLAIN. Ends with 1 on a finding.

Terraform knows neither: `validate` takes any name and any value for a parameter of a stack, and any output of it.
"""

import json
import re
import sys

import hcl2


def stacks(document):
    """Attributes by name; the parser puts each into a list of one."""
    for resource in document.get("resource", []):
        for body in resource.get("aws_cloudformation_stack", {}).values():
            yield {name: value[0] for name, value in body.items() if isinstance(value, list)}


def parameters(given, template):
    """`given` by name; a value that is an expression is known to Terraform only."""
    known = template["Parameters"]
    for name, value in given.items():
        if name not in known:
            yield f"the template has no parameter {name}"
            continue
        allowed, pattern = known[name].get("AllowedValues"), known[name].get("AllowedPattern")
        if "${" in str(value):
            continue
        if allowed and str(value) not in map(str, allowed):
            yield f"{name} = {value!r}: the template takes {', '.join(map(str, allowed))}"
        if pattern and not re.fullmatch(pattern, str(value)):
            yield f"{name} = {value!r} does not fit {pattern}"
    for name, one in known.items():
        if "Default" not in one and name not in given:
            yield f"the template needs {name}"


def main(path, plain):
    with open(path) as text:
        source = text.read()
    with open(plain) as text:
        template = json.load(text)
    found = list(stacks(hcl2.loads(source)))
    bad = [] if found else ["no aws_cloudformation_stack"]
    for body in found:
        bad += parameters(body["parameters"], template)
        # Roles that CloudFormation names itself; a transform would want more.
        if body["capabilities"] != ["CAPABILITY_IAM"] or "Transform" in template:
            bad.append("its capabilities are not what the template needs: CAPABILITY_IAM")
    for output in re.findall(r'outputs\["([^"]+)"\]', source):
        if output not in template["Outputs"]:
            bad.append(f"the template has no output {output}")
    print("\n".join(bad + [f"{path}: {len(bad)} finding(s)"]))
    sys.exit(bool(bad))


main(*sys.argv[1:])
