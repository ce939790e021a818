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
# The vendor's own client, as a judge of its stand-in. Its scripts download a tunnel that nobody needs.
if command -v npm >/dev/null; then
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder/npm" ghost-inspector@7.0.1 ||
    echo "SKIPPED: npm could not install ghost-inspector, so Ghost Inspector's stand-in is not judged by it" >&2
else
  echo "SKIPPED: no npm here, so Ghost Inspector's stand-in is not judged by the vendor's client" >&2
fi
touch "$folder/ready"
