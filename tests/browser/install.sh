#!/bin/sh
# Makes the browser tests possible: install.sh FOLDER. Chromium from the system (Debian's package where we may install
# it), axe-core from npm.
set -eu
folder=$1
mkdir -p "$folder"
if ! command -v chromium >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null ||
      echo "SKIPPED: chromium could not be installed, so the pages are not tried in a browser" >&2
  else
    echo "SKIPPED: no chromium here (Debian: apt-get install chromium), so the pages are not tried in a browser" >&2
  fi
fi
if ! command -v npm >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm >/dev/null || true
fi
if command -v npm >/dev/null; then
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" axe-core@4.14.1 ||
    echo "SKIPPED: npm could not install axe-core, so the pages are not judged by it" >&2
else
  echo "SKIPPED: no npm here, so the pages are not judged by axe-core" >&2
fi
touch "$folder/ready"
