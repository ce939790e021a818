#!/bin/sh
# An AWS CLI session that runs executions: cli_control.sh AWS PYTHON URL ends with `ok`.
# A custom action type with its worker, approval, retry both ways, start with variables and revisions, stop both ways.
set -eu
cli=$1
python=$2
url=$3
here=$(dirname "$0")
name=cli-control
. "$here/cli_library.sh"

is 'action types' FileCheck "$(call list-action-types --action-owner-filter Custom --query 'actionTypes[].id.provider')"
retry="--pipeline-name $name --stage-name Check --pipeline-execution-id $first"
fail_job
status "$first" Failed
is 'the same execution' "$first" "$(call retry-stage-execution $retry --retry-mode FAILED_ACTIONS)"
fail_job
status "$first" Failed
call retry-stage-execution $retry --retry-mode ALL_ACTIONS > "$folder/out"
refused StageNotRetryableException retry-stage-execution $retry --retry-mode ALL_ACTIONS
echo 'retried twice'

"$python" "$here/file_worker.py" "$url" Test FileCheck 1 &
worker=$!
answer "$first"
status "$first" Succeeded
is 'attempts' '3' "$(call list-action-executions --pipeline-name $name --filter pipelineExecutionId="$first" \
  --query "length(actionExecutionDetails[?actionName=='Files'])")"
aws s3 cp --quiet s3://live/index.html "$folder/index.html"
is 'the page' new "$(cat "$folder/index.html")"
echo 'the worker did its work'

second=$(start --variables name=Target,value=elsewhere \
  --source-revisions "actionName=Object,revisionType=S3_OBJECT_VERSION_ID,revisionValue=$old")
until_is 'the revision' "$old" get-pipeline-execution --pipeline-name $name --pipeline-execution-id "$second" \
  --query 'pipelineExecution.artifactRevisions[0].revisionId'
is 'the variable' elsewhere "$(call get-pipeline-execution --pipeline-name $name --pipeline-execution-id "$second" \
  --query "pipelineExecution.variables[?name=='Target'].resolvedValue | [0]")"
until_is 'the approval' InProgress get-pipeline-state --name $name \
  --query "stageStates[?latestExecution.pipelineExecutionId=='$second' && stageName=='Approve'].actionStates[0].latestExecution.status | [0]"
stop="--pipeline-name $name --pipeline-execution-id $second"
call stop-pipeline-execution $stop --reason lunch > "$folder/out"
refused DuplicatedStopRequestException stop-pipeline-execution $stop
answer "$second"
status "$second" Stopped
refused PipelineExecutionNotStoppableException stop-pipeline-execution $stop
call retry-stage-execution --pipeline-name $name --stage-name Approve --pipeline-execution-id "$second" \
  --retry-mode FAILED_ACTIONS > "$folder/out"
status "$second" Succeeded
third=$(start)
until_is 'the approval' "$third" get-pipeline-state --name $name \
  --query "stageStates[?stageName=='Approve'].latestExecution.pipelineExecutionId | [0]"
call stop-pipeline-execution --pipeline-name $name --pipeline-execution-id "$third" --abandon > "$folder/out"
status "$third" Stopped
echo 'stopped both ways'
echo ok
