#!/bin/sh
# Prints what a user of the stack puts into pipelines.
set -eu
aws cloudformation describe-stacks --stack-name "${STACK-stagewright}" --query 'Stacks[0].Outputs[].[OutputKey,OutputValue,Description]' --output table
