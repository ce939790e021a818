#!/bin/sh
# All checks of the templates, or one of them: check.sh TOOLS INFRA OUT [plain|lint|lint-plain|guard|policies|own|states|checkov|examples|terraform]
set -eu
tools=$(cd "$1" && pwd) infra=$(cd "$2" && pwd) out=$3 only=${4-all}
here=$(cd "$(dirname "$0")" && pwd)
python=$tools/python/bin/python3
export AWS_DEFAULT_REGION=eu-west-1 PYTHONWARNINGS=ignore
templates=${TEMPLATES-template keys audit artifacts target-role custom-action-types example-pipeline example-machine examples/two-regions examples/two-accounts}
# Conditions are read as if all were switched on, where a check follows them.
on="Approvals=on CallbackPath=0123456789abcdef0123456789abcdef Tracing=Active ApprovalMailTopic=arn:aws:sns:eu-west-1:123456789012:mails SlackToken=ssm:stagewright/slack SlackSigningSecret=ssm:stagewright/signing SignInIssuer=https://id.example.com SignInClientSecret=ssm:stagewright/oidc TaskStateMachines=release- StartPipelines=shop-* $(sed -n 's/^  \(Action[A-Za-z]*Mode\):$/\1=worker/p' "$infra/template.yaml" | tr '\n' ' ')"
mkdir -p "$out/examples" && out=$(cd "$out" && pwd)
rm -rf "$out/cdk" # made below; checkov reads what is here

wanted() { [ "$only" = all ] || [ "$only" = "$1" ]; }
each() { for name in $templates; do "$@"; done; }

plain() { "$python" "$infra/plain.py" "$infra/$name.yaml" Canary=true $on > "$out/$name.json"; }
guard() { "$tools/bin/cfn-guard" validate --data "$out/$name.json" --rules "$here/rules.guard" --show-summary fail; }

if wanted lint; then echo "cfn-lint"; (cd "$infra" && "$tools/python/bin/cfn-lint" --include-checks I -- $(each eval 'printf "%s.yaml " "$name"')); fi
# Everything below reads what SAM makes of a template: some faults are silent before.
[ "$only" = lint ] || each plain
if wanted lint-plain; then echo "cfn-lint on the plain form"; (cd "$out" && "$tools/python/bin/cfn-lint" --include-checks I --ignore-checks I3013 -- $(each eval 'printf "%s.json " "$name"')); fi
if wanted guard; then echo "cfn-guard"; each guard; fi
if wanted policies; then echo "parliament"; each eval '"$python" "$here/policies.py" "$out/$name.json"'; fi
if wanted own; then echo "our own"; each eval '"$python" "$here/own.py" "$out/$name.json" "$infra/custom-action-types.yaml"'; fi
# As a stack has them, with its partition.
if wanted states; then
  echo "asl-validator"
  for machine in "$infra"/*.asl.json; do
    sed 's/${Partition}/aws/g' "$machine" > "$out/${machine##*/}"
    "$tools/node_modules/.bin/asl-validator" --json-path "$out/${machine##*/}"
  done
fi
# From inside: checkov takes a path of forty characters for a secret key.
if wanted checkov; then echo "checkov"; (cd "$out" && "$tools/python/bin/checkov" --config-file "$here/checkov.yaml" --directory .); fi
if wanted examples; then
  echo "examples"
  NODE_PATH=$tools/node_modules CDK_OUTDIR=$out/cdk node "$infra/examples/cdk.js" "$out/template.json" > "$out/cdk.log" 2>&1 || { cat "$out/cdk.log"; exit 1; }
  # Each resource of the template, and what CDK adds of its own (its metadata, a condition's output).
  "$python" - "$out/template.json" "$out/cdk/stagewright.template.json" <<'P'
import json, sys
ours, theirs = (set(json.load(open(path))["Resources"]) for path in sys.argv[1:])
sys.exit(f"CDK loses {sorted(ours - theirs)}" if ours - theirs else None)
P
fi
if wanted terraform; then
  echo "terraform"
  "$python" "$here/hcl.py" "$infra/examples/stagewright.tf" "$out/template.json"
fi
if wanted examples; then
  # Terraform and its provider are of no package registry: taken where they are. Providers that lie in a folder: TERRAFORM_PROVIDERS.
  mkdir -p "$out/terraform" && cp "$infra/examples/stagewright.tf" "$out/terraform"
  if [ -n "${TERRAFORM_PROVIDERS-}" ]; then
    printf 'provider_installation {\n  filesystem_mirror { path = "%s" }\n}\n' "$TERRAFORM_PROVIDERS" > "$out/terraform/cli.tfrc"
    export TF_CLI_CONFIG_FILE=$out/terraform/cli.tfrc
  fi
  if command -v terraform >/dev/null && terraform -chdir="$out/terraform" init -backend=false -input=false > "$out/terraform.log" 2>&1; then
    terraform -chdir="$out/terraform" validate -no-color
    # What it would ask of CloudFormation, with an AWS that is played.
    cp "$here/stagewright.tftest.hcl" "$out/terraform" && terraform -chdir="$out/terraform" test -no-color
  else
    echo "SKIPPED: no terraform with hashicorp/aws here, so infra/examples/stagewright.tf is parsed and held against the template only" >&2
  fi
fi
