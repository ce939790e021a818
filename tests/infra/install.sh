#!/bin/sh
# Installs the checks of the templates: install.sh FOLDER [emulator]
set -eu
folder=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"
for tool in python3 npm; do
  command -v "$tool" >/dev/null || { echo "the checks of the templates need $tool (Debian: apt-get install python3-venv npm)" >&2; exit 1; }
done
venv() {
  python3 -m venv "$1" && "$1/bin/python3" -m pip install --quiet --disable-pip-version-check --requirement "$2"
}
if [ "${2-}" = emulator ]; then
  venv "$folder/emulator" "$here/emulator.txt"
  touch "$folder/emulator/ready"
  exit 0
fi
venv "$folder/python" "$here/requirements.txt"
cp "$here/package.json" "$folder/"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder"
# A linter of rules as data; three minutes once.
[ -x "$folder/bin/cfn-guard" ] || cargo install --quiet --locked --root "$folder" --target-dir "$folder/build" cfn-guard@3.2.1
rm -rf "$folder/build"
touch "$folder/ready"
