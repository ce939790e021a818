#!/bin/sh
# An AWS CLI session against `stagewright serve`: cli_session.sh AWS URL PIPELINE_JSON ends with `ok`.
set -eu
aws() { "$cli" --endpoint-url "$url" --region eu-west-1 --output text "$@"; }
cli=$1
url=$2
definition=$3
export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=credentials AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

sed -e 's/"site-release"/"cli-release"/' \
  -e "s|\"name\": \"PreviewUrl\"|\"name\": \"PreviewUrl\", \"defaultValue\": \"$url/_stagewright/site/corner-bakery-preview/\"|" \
  -e "s|\"name\": \"SiteUrl\"|\"name\": \"SiteUrl\", \"defaultValue\": \"$url/_stagewright/site/corner-bakery-live/\"|" \
  "$definition" > "$folder/pipeline.json"
aws codepipeline create-pipeline --cli-input-json "file://$folder/pipeline.json" --query pipeline.name
execution=$(aws codepipeline list-pipeline-executions --pipeline-name cli-release \
  --query 'pipelineExecutionSummaries[0].pipelineExecutionId')

tries=0
token=None
while [ "$token" = None ] || [ -z "$token" ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || { echo "no approval came"; aws codepipeline get-pipeline-state --name cli-release; exit 1; }
  sleep 0.2
  token=$(aws codepipeline get-pipeline-state --name cli-release \
    --query "stageStates[?stageName=='Approve'].actionStates[0].latestExecution.token | [0]")
done
aws codepipeline put-approval-result --pipeline-name cli-release --stage-name Approve --action-name Release \
  --result summary=seen,status=Approved --token "$token" --query approvedAt

status=InProgress
tries=0
while [ "$status" = InProgress ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || { echo "it did not end"; exit 1; }
  sleep 0.2
  status=$(aws codepipeline get-pipeline-execution --pipeline-name cli-release --pipeline-execution-id "$execution" \
    --query pipelineExecution.status)
done
[ "$status" = Succeeded ] || { echo "ended $status"; exit 1; }
aws codepipeline list-action-executions --pipeline-name cli-release \
  --query 'actionExecutionDetails[].[stageName,actionName,status]'
aws s3 cp --quiet s3://corner-bakery-live/index.html "$folder/index.html"
grep -q 'Fresh today' "$folder/index.html"
aws s3 ls s3://corner-bakery-live/ --recursive
if aws codepipeline get-pipeline --name nobody 2> "$folder/error"; then exit 1; fi
grep -q PipelineNotFoundException "$folder/error"
echo ok
