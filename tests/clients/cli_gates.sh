#!/bin/sh
# An AWS CLI session that holds the gates: cli_gates.sh AWS PYTHON URL ends with `ok`.
# Transitions, rollback, rules, tags, a webhook, update, delete.
set -eu
cli=$1
python=$2
url=$3
here=$(dirname "$0")
name=cli-gates
. "$here/cli_library.sh"

"$python" "$here/file_worker.py" "$url" Test FileCheck 1 &
worker=$!
answer "$first"
status "$first" Succeeded
gate="--pipeline-name $name --stage-name Approve --transition-type Inbound"
call disable-stage-transition $gate --reason 'release freeze'
second=$(start)
until_is 'who waits' "$second" get-pipeline-state --name $name \
  --query "stageStates[?stageName=='Approve'].inboundExecution.pipelineExecutionId | [0]"
is 'the reason' 'False	release freeze' "$(call get-pipeline-state --name $name \
  --query "stageStates[?stageName=='Approve'].inboundTransitionState.[enabled,disabledReason] | [0]")"
call enable-stage-transition $gate
answer "$second"
status "$second" Succeeded
echo 'waited at the gate'

back="--pipeline-name $name --stage-name Deploy"
refused UnableToRollbackStageException rollback-stage --pipeline-name $name --stage-name Source --target-pipeline-execution-id "$first"
rolled=$(call rollback-stage $back --target-pipeline-execution-id "$first")
status "$rolled" Succeeded
is 'its kind' "ROLLBACK	$first" "$(call get-pipeline-execution --pipeline-name $name --pipeline-execution-id "$rolled" \
  --query 'pipelineExecution.[executionType,rollbackMetadata.rollbackTargetPipelineExecutionId]')"
aws s3 cp --quiet s3://live/index.html "$folder/index.html"
is 'the page' new "$(cat "$folder/index.html")"
echo 'rolled back'

is 'rule types' VariableCheck "$(call list-rule-types --query "ruleTypes[?id.provider=='VariableCheck'].id.provider")"
is 'rules' 'NotForbidden	Succeeded' "$(call list-rule-executions --pipeline-name $name \
  --filter pipelineExecutionId="$first" --query 'ruleExecutionDetails[].[ruleName,status]')"
call tag-resource --resource-arn "$arn" --tags key=cost,value=7
call untag-resource --resource-arn "$arn" --tag-keys team
is 'tags' 'cost	7' "$(call list-tags-for-resource --resource-arn "$arn" --query 'tags[].[key,value]')"

hook='{"name":"cli-hook","targetPipeline":"cli-gates","targetAction":"Object","authentication":"UNAUTHENTICATED",
  "filters":[{"jsonPath":"$.ref","matchEquals":"refs/heads/main"}],"authenticationConfiguration":{}}'
address=$(call put-webhook --webhook "$hook" --query webhook.url)
is 'the webhook' "cli-hook	$address" "$(call list-webhooks --query 'webhooks[].[definition.name,url]')"
third=$("$python" -c 'import json, sys, urllib.request
request = urllib.request.Request(sys.argv[1], b"{\"ref\":\"refs/heads/main\"}", {"Content-Type": "application/json"})
print(json.load(urllib.request.urlopen(request))["pipelineExecutionId"])' "$address")
is 'its trigger' Webhook "$(call get-pipeline-execution --pipeline-name $name --pipeline-execution-id "$third" \
  --query pipelineExecution.trigger.triggerType)"
answer "$third"
status "$third" Succeeded
call delete-webhook --name cli-hook
is 'no webhook' '' "$(call list-webhooks --query 'webhooks[].definition.name')"
echo 'hooked'

"$cli" --endpoint-url "$url" --region eu-west-1 --output json codepipeline get-pipeline --name $name --query '{pipeline: pipeline}' \
  | sed 's/"QUEUED"/"SUPERSEDED"/' > "$folder/changed.json"
is 'the version' 2 "$(call update-pipeline --cli-input-json "file://$folder/changed.json" --query pipeline.version)"
refused UnableToRollbackStageException rollback-stage $back --target-pipeline-execution-id "$first"
call delete-pipeline --name $name
refused PipelineNotFoundException get-pipeline --name $name
kill "$worker"
worker=
call delete-custom-action-type --category Test --provider FileCheck --action-version 1
refused ActionTypeNotFoundException poll-for-jobs --action-type-id $kind
echo ok
