#!/bin/sh
# Puts the AWS CLI and boto3 into a virtual environment: install.sh FOLDER REQUIREMENTS
set -eu
folder=$1
mkdir -p "$folder"
if ! command -v python3 >/dev/null; then
  echo "SKIPPED: no python3 here, so the AWS CLI and boto3 are not tried" >&2
  exit 0
fi
python3 -m venv "$folder" || {
  echo "SKIPPED: python3 has no venv module here (Debian: apt-get install python3-venv), so the AWS CLI and boto3 are not tried" >&2
  exit 0
}
"$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$2"
touch "$folder/ready"
