"""`make deploy`, `outputs` and `destroy` with played `sam` and `aws`, which note how they are called: deploy.py

First with approvals and the audit's bucket, then silently, then to the end. Ends with 1 at the first difference.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

INFRA = pathlib.Path(__file__).resolve().parent.parent.parent / "infra"
# Answers by what is in the call; `sam` keeps what it is told when it asks, as `--guided` does.
PLAYED = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in
  *--guided*) printf 'version = 0.1\\n[default.deploy.parameters]\\nparameter_overrides = "Approvals=\\\\"on\\\\" AuditBucket=\\\\"anchors\\\\" AuditDays=\\\\"2557\\\\" ApprovalSender=\\\\"dana@example.com\\\\""\\n' > infra/samconfig.toml ;;
  *LinkKeyArn*) echo arn:key ;;
  *DataKeyArn*) ;;
  *get-public-key*) echo PUBLIC= ;;
  *stagewright-audit*) echo anchors ;;
  *describe-stack-resource*) echo stagewright-Table-1 ;;
  *DeletionProtectionEnabled*) echo True ;;
esac
"""


def must(holds, what):
    if not holds:
        sys.exit(f"deploy.py: {what}")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copytree(INFRA, folder / "infra", ignore=shutil.ignore_patterns("samconfig.toml"))
        (folder / "bin").mkdir()
        for tool in ("sam", "aws"):
            (folder / "bin" / tool).write_text(PLAYED)
            (folder / "bin" / tool).chmod(0o755)
        calls = folder / "calls"

        def run(script, fails=False, **more):
            calls.write_text("")
            plain = {key: value for key, value in os.environ.items() if key not in ("APPROVALS", "AUDIT_DAYS", "DATA", "DATA_KEY", "STACK", "LINK_KID", "LINK_KEYS")}
            environment = plain | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "CALLS": str(calls)} | more
            done = subprocess.run(["sh", f"infra/{script}.sh"], cwd=folder, env=environment, capture_output=True, text=True)
            must((done.returncode != 0) == fails, f"{script}.sh ends with {done.returncode}: {done.stderr}")
            return calls.read_text().splitlines(), done.stderr

        _, said = run("deploy", fails=True)
        must("make package" in said, f"without packages it says {said!r}")
        (folder / "target/package").mkdir(parents=True)

        first, _ = run("deploy", APPROVALS="on", AUDIT_DAYS="2557")
        stacks = [line for line in first if line.startswith("sam deploy")]
        must([line.split("--template-file ")[1].split()[0] for line in stacks] == ["infra/keys.yaml", "infra/audit.yaml", "infra/template.yaml"],
             f"keys, audit, functions, in this order: {stacks}")
        must("AuditDays=2557" in stacks[1] and "FunctionsStack=stagewright" in stacks[1], f"the audit's bucket: {stacks[1]}")
        for given in ("--guided", "Approvals=on", "LinkKeyArn=arn:key", "LinkKeys=k1:PUBLIC=", "AuditBucket=anchors", "AuditDays=2557", "Revision="):
            must(given in stacks[2], f"the first time {given} is given: {stacks[2]}")

        again, _ = run("deploy")
        stacks = [line for line in again if line.startswith("sam deploy")]
        must(len(stacks) == 2 and "audit.yaml" not in again, f"the second time keys and functions: {stacks}")
        for kept in ('AuditBucket="anchors"', 'AuditDays="2557"', 'ApprovalSender="dana@example.com"', 'LinkKeys="k1:PUBLIC="', "--no-confirm-changeset"):
            must(kept in stacks[1], f"the second time {kept} is kept: {stacks[1]}")
        must("--guided" not in stacks[1], "the second time it asks")

        shown, _ = run("outputs")
        must(shown == ["aws cloudformation describe-stacks --stack-name stagewright --query Stacks[0].Outputs[].[OutputKey,OutputValue,Description] --output table"], str(shown))

        held, said = run("destroy", fails=True)
        must("DATA=delete" in said and not any("delete-stack" in line for line in held), f"the table is protected: {said} {held}")
        gone, _ = run("destroy", DATA="delete")
        must([line.split()[2] for line in gone[2:]] == ["update-table", "delete-stack", "wait"], f"destroy: {gone}")
    print("deploy, outputs and destroy call sam and aws as they should")


main()
