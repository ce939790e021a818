#!/bin/sh
# Deletes the functions' stack. Keys stay (keys.yaml), and so does the table while its protection is on.
set -eu
stack=${STACK-stagewright}
table=$(aws cloudformation describe-stack-resource --stack-name "$stack" --logical-resource-id Table --query StackResourceDetail.PhysicalResourceId --output text)
protected=$(aws dynamodb describe-table --table-name "$table" --query Table.DeletionProtectionEnabled --output text)
if [ "$protected" = True ]; then
  if [ "${DATA-}" != delete ]; then
    echo "$table holds approvals and what actions started, and is protected: DATA=delete make destroy deletes it too" >&2
    exit 1
  fi
  aws dynamodb update-table --table-name "$table" --no-deletion-protection-enabled >/dev/null
fi
aws cloudformation delete-stack --stack-name "$stack"
aws cloudformation wait stack-delete-complete --stack-name "$stack"
echo "$stack is deleted. $stack-keys stays: links that were signed can be verified by its key alone."
