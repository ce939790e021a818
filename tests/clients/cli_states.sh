#!/bin/sh
# An AWS CLI session with the example's state machines: cli_states.sh AWS URL APP ends with `ok`.
set -eu
cli=$1
url=$2
app=$3
export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=credentials AWS_DEFAULT_REGION=eu-west-1 AWS_PAGER=
here=arn:aws:states:eu-west-1:123456789012

call() {
  "$cli" stepfunctions --endpoint-url "$url" --output text "$@"
}

# The end of an execution, polled as people's scripts do: `STATUS OUTPUT`.
ended() {
  status=RUNNING
  tries=0
  while [ "$status" = RUNNING ] && [ $tries -lt 60 ]; do
    status=$(call describe-execution --execution-arn "$1" --query status)
    tries=$((tries + 1))
  done
  echo "$status" "$(call describe-execution --execution-arn "$1" --query output)"
}

definition='{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"sum.$":"States.MathAdd($.a, $.b)"},"Next":"W"},"W":{"Type":"Wait","Seconds":1,"End":true}}}'
test "$(call validate-state-machine-definition --definition "$definition" --query result)" = OK
machine=$(call create-state-machine --name sum --role-arn arn:aws:iam::123456789012:role/states \
  --definition "$definition" --query stateMachineArn)
execution=$(call start-execution --state-machine-arn "$machine" --name one --input '{"a":1,"b":2}' --query executionArn)
test "$(ended "$execution")" = 'SUCCEEDED {"sum":3}'
test "$(call get-execution-history --execution-arn "$execution" --query 'length(events)')" = 6
test "$(call list-executions --state-machine-arn "$machine" --query 'executions[0].name')" = one

# The CLI puts `sync-` before the host of these two, unless it is told not to.
export AWS_DISABLE_HOST_PREFIX_INJECTION=true
pass='{"Type":"Pass","Result":{"x":1},"End":true}'
express=$(call create-state-machine --name quick --type EXPRESS --role-arn arn:aws:iam::123456789012:role/states \
  --definition "{\"StartAt\":\"A\",\"States\":{\"A\":$pass}}" --query stateMachineArn)
test "$(call start-sync-execution --state-machine-arn "$express" --query output)" = '{"x":1}'
test "$(call test-state --definition "$pass" --query status)" = SUCCEEDED

execution=$(call start-execution --state-machine-arn $here:stateMachine:migration --name tables \
  --input '{"tables":["a","broken","ccc"]}' --query executionArn)
test "$(ended "$execution")" = 'SUCCEEDED {"moved":["a","ccc"],"left":["broken"],"rows":400}'

packed=$(mktemp -d)
python3 -c 'import shutil, sys; shutil.make_archive(sys.argv[1], "zip", sys.argv[2])' "$packed/app" "$app"
"$cli" s3 --endpoint-url "$url" cp --quiet "$packed/app.zip" s3://app-source/app.zip
rm -r "$packed"
execution=$(call start-execution --state-machine-arn $here:stateMachine:release --name two \
  --input '{"version":"2.0","previous":"1.9"}' --query executionArn)
python3 "$(dirname "$0")/approve.py" "$url" two approve
case $(ended "$execution") in SUCCEEDED*dana*pipelineExecutionId*) ;; *) echo "the release failed" >&2; exit 1 ;; esac
token=$(call get-execution-history --execution-arn "$execution" --query 'events[].taskScheduledEventDetails.parameters' |
  tr '\t' '\n' | sed -n 's/.*"taskToken":"\([^"]*\)".*"approval".*/\1/p')
test -n "$token"
if refused=$(call send-task-heartbeat --task-token "$token" 2>&1); then exit 1; fi
case $refused in *TaskTimedOut*) ;; *) echo "$refused" >&2; exit 1 ;; esac
echo ok
