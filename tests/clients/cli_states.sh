#!/bin/sh
# An AWS CLI session with a state machine: cli_states.sh AWS URL ends with `ok`.
set -eu
cli=$1
url=$2
export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=credentials AWS_DEFAULT_REGION=eu-west-1 AWS_PAGER=

call() {
  "$cli" stepfunctions --endpoint-url "$url" --output text "$@"
}

definition='{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"sum.$":"States.MathAdd($.a, $.b)"},"Next":"W"},"W":{"Type":"Wait","Seconds":1,"End":true}}}'
test "$(call validate-state-machine-definition --definition "$definition" --query result)" = OK
machine=$(call create-state-machine --name sum --role-arn arn:aws:iam::123456789012:role/states \
  --definition "$definition" --query stateMachineArn)
execution=$(call start-execution --state-machine-arn "$machine" --name one --input '{"a":1,"b":2}' --query executionArn)
status=RUNNING
tries=0
while [ "$status" = RUNNING ] && [ $tries -lt 60 ]; do
  status=$(call describe-execution --execution-arn "$execution" --query status)
  tries=$((tries + 1))
done
test "$status" = SUCCEEDED
test "$(call describe-execution --execution-arn "$execution" --query output)" = '{"sum":3}'
test "$(call get-execution-history --execution-arn "$execution" --query 'length(events)')" = 6
test "$(call list-executions --state-machine-arn "$machine" --query 'executions[0].name')" = one
if refused=$(call update-map-run --map-run-arn "$machine" --max-concurrency 1 2>&1); then exit 1; fi
case $refused in *UpdateMapRun*) ;; *) echo "$refused" >&2; exit 1 ;; esac
echo ok
