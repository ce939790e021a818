#!/bin/sh
# Puts the engines that state machines are measured beside, apart from moto, into a virtual environment: engines.sh FOLDER
set -eu
folder=$1
mkdir -p "$folder"
if command -v python3 >/dev/null && python3 -m venv "$folder"; then
  "$folder/bin/pip" install --quiet --disable-pip-version-check ministack==1.5.33 ||
    echo "SKIPPED: pip could not install ministack, so state machines are not measured beside it" >&2
else
  echo "SKIPPED: no python3 with venv here, so state machines are not measured beside MiniStack" >&2
fi
touch "$folder/ready"
