#!/bin/sh
# Deploys to AWS. The first time `sam deploy --guided` asks and keeps the answers in samconfig.toml; afterwards nothing is asked.
# With approvals, the key that signs links is a stack of its own, made before; KMS gives its public half. So is the audit's bucket.
set -eu
cd "$(dirname "$0")/.."
stack=${STACK-stagewright}
config=infra/samconfig.toml

for tool in sam aws; do
  command -v "$tool" >/dev/null || { echo "make deploy needs $tool: pip install aws-sam-cli awscli" >&2; exit 1; }
done
[ -d target/package ] || { echo "make deploy needs the packages: make package" >&2; exit 1; }

# Settings alone publish no version of the approval functions; whoever deploys wants what was said.
revision=$(date -u +%Y%m%d%H%M%S)
overrides="Revision=$revision"
if [ "${APPROVALS-}" = on ] || grep -q 'Approvals=[\\"]*on' "$config" 2>/dev/null; then
  sam deploy --template-file infra/keys.yaml --stack-name "$stack-keys" --resolve-s3 --no-confirm-changeset --no-fail-on-empty-changeset \
    --parameter-overrides "FunctionsStack=$stack" "DataKey=${DATA_KEY-false}"
  output() { aws cloudformation describe-stacks --stack-name "$stack-keys" --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text; }
  key=$(output LinkKeyArn)
  public=$(aws kms get-public-key --key-id "$key" --query PublicKey --output text)
  overrides="$overrides Approvals=on LinkKeyArn=$key LinkKeys=${LINK_KEYS:+$LINK_KEYS,}${LINK_KID-k1}:$public LinkKid=${LINK_KID-k1}"
  data=$(output DataKeyArn)
  [ -z "$data" ] || overrides="$overrides DataKeyArn=$data"
  # Asked for, since for so many days nobody can delete what is in it; the answer is kept with the others.
  if [ -n "${AUDIT_DAYS-}" ]; then
    sam deploy --template-file infra/audit.yaml --stack-name "$stack-audit" --resolve-s3 --no-confirm-changeset --no-fail-on-empty-changeset \
      --parameter-overrides "FunctionsStack=$stack" "AuditDays=$AUDIT_DAYS"
    bucket=$(aws cloudformation describe-stacks --stack-name "$stack-audit" --query 'Stacks[0].Outputs[0].OutputValue' --output text)
    overrides="$overrides AuditBucket=$bucket AuditDays=$AUDIT_DAYS"
  fi
fi

if [ -f "$config" ]; then
  # What was answered then, and what is found out anew each time; of two values the later wins.
  python3 - "$config" $overrides <<'P'
import os, shlex, sys, tomllib
with open(sys.argv[1], "rb") as config:
    answered = tomllib.load(config)["default"]["deploy"]["parameters"].get("parameter_overrides", "")
answered = shlex.split(answered) if isinstance(answered, str) else answered
values = dict(pair.split("=", 1) for pair in [*answered, *sys.argv[2:]])
pairs = ['%s="%s"' % (name, value.replace('"', '\\"')) for name, value in values.items() if value]
os.execvp("sam", ["sam", "deploy", "--template-file", "infra/template.yaml", "--config-file", "samconfig.toml", "--no-confirm-changeset",
                  "--no-fail-on-empty-changeset", "--parameter-overrides", *pairs])
P
else
  sam deploy --guided --template-file infra/template.yaml --config-file samconfig.toml --stack-name "$stack" --capabilities CAPABILITY_IAM \
    --parameter-overrides $overrides
fi
sh infra/outputs.sh
