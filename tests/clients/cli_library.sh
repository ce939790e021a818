# What the AWS CLI sessions share; sourced with cli, python, url, here and name set: a folder for files, the object, the
# custom action type and the pipeline of definition.py.
export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=credentials AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
folder=$(mktemp -d)
worker=
trap '[ -z "$worker" ] || kill "$worker"; rm -rf "$folder"' EXIT

aws() { "$cli" --endpoint-url "$url" --region eu-west-1 --output text "$@"; }
call() { aws codepipeline "$@"; }
fail() { echo "$*"; call get-pipeline-state --name $name; exit 1; }
# is WHAT EXPECTED FOUND
is() { [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"; }
# refused EXCEPTION OPERATION…
refused() {
  exception=$1; shift
  if call "$@" > "$folder/out" 2> "$folder/error"; then fail "not refused: $*"; fi
  grep -q "($exception)" "$folder/error" || { cat "$folder/error"; fail "expected $exception of: $*"; }
}
# until WHAT EXPECTED OPERATION…: asks until the answer is the expected one
until_is() {
  what=$1; expected=$2; shift 2
  tries=0
  while found=$(call "$@"); [ "$found" != "$expected" ]; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] || fail "$what: waited for '$expected', found '$found'"
    sleep 0.1
  done
}
status() { until_is "status of $1" "$2" get-pipeline-execution --pipeline-name $name --pipeline-execution-id "$1" --query pipelineExecution.status; }
start() { call start-pipeline-execution --name $name "$@"; }
answer() {
  until_is 'who asks' "$1	InProgress" get-pipeline-state --name $name \
    --query "stageStates[?stageName=='Approve'].[latestExecution.pipelineExecutionId,actionStates[0].latestExecution.status] | [0]"
  token=$(call get-pipeline-state --name $name --query "stageStates[?stageName=='Approve'].actionStates[0].latestExecution.token | [0]")
  call put-approval-result --pipeline-name $name --stage-name Approve --action-name Ask --token "$token" \
    --result summary=seen,status=Approved > "$folder/out"
}
fail_job() {
  tries=0
  while job=$(call poll-for-jobs --action-type-id "$kind" --query 'jobs[0].[id,nonce]'); [ "$job" = None ]; do
    tries=$((tries + 1)); [ $tries -lt 60 ] || fail 'no job came'
    sleep 0.1
  done
  id=${job%%	*}
  is 'the job is ours' InProgress "$(call acknowledge-job --job-id "$id" --nonce "${job##*	}" --query status)"
  call put-job-failure-result --job-id "$id" --failure-details 'type=JobFailed,message=the disk is full'
  refused InvalidJobStateException put-job-success-result --job-id "$id"
}

"$python" "$here/definition.py" "$folder" $name
kind=category=Test,owner=Custom,provider=FileCheck,version=1
object() { "$python" -c "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr('index.html', sys.argv[2])" "$folder/site.zip" "$1"
  aws s3api put-object --bucket sources --key site.zip --body "$folder/site.zip" --query VersionId; }
aws s3api put-bucket-versioning --bucket sources --versioning-configuration Status=Enabled
old=$(object old)
object new > "$folder/out"

call create-custom-action-type --cli-input-json "file://$folder/type.json" --query actionType.id.owner > "$folder/out"
call create-pipeline --cli-input-json "file://$folder/pipeline.json" --tags key=team,value=web > "$folder/out"
first=$(call list-pipeline-executions --pipeline-name "$name" --query 'pipelineExecutionSummaries[0].pipelineExecutionId')
arn=$(call get-pipeline --name "$name" --query metadata.pipelineArn)
echo "created $arn"
