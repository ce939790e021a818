#!/bin/sh
# Follows docs/write-an-action.md word for word in a copy of the workspace: guide.sh COPY. Each command of the guide is run as
# it stands there, in its order; the first that fails ends it. The crates of others come from what is built already.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
copy=$(cd "$1" && pwd)
find "$copy" -mindepth 1 -maxdepth 1 ! -name target -exec rm -rf {} +
(cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf -) | tar -xf - -C "$copy"
if [ ! -d "$copy/target/debug" ] && [ -d "$root/target/debug/deps" ]; then
  mkdir -p "$copy/target/debug"
  cp -al "$root/target/debug/deps" "$copy/target/debug/"
  cp -a "$root/target/debug/build" "$root/target/debug/.fingerprint" "$copy/target/debug/"
  # The workspace's own crates know where they were built: the copy builds its own, into files of its own.
  (cd "$root" && cargo tree --quiet --workspace --depth 0 --prefix none) | cut -d " " -f 1 | grep . | sort -u | while read -r member; do
    rm -rf "$copy/target/debug/.fingerprint/$member"-[0-9a-f]*
    rm -f "$copy/target/debug/deps/"*"$(echo "$member" | tr - _)"-[0-9a-f]*
  done
fi
cd "$copy"
mkdir -p target
# Code in the text that begins with make, and the lines of blocks without a language.
awk '
  /^ *```/ { fence = !fence; language = $0; sub(/^ *```/, "", language); next }
  fence { if (language == "") { sub(/^ +/, ""); print } next }
  { while (match($0, /`make [^`]*`/)) { print substr($0, RSTART + 1, RLENGTH - 2); $0 = substr($0, RSTART + RLENGTH) } }
' docs/write-an-action.md > target/commands
[ "$(grep -c . target/commands)" -ge 4 ] || { echo "the guide has lost its commands" >&2; exit 1; }
while IFS= read -r command; do
  [ -n "$command" ] || continue
  echo "guide: $command"
  sh -c "$command" < /dev/null || { echo "guide: this failed: $command" >&2; exit 1; }
done < target/commands
for made in functions/action-wait-for-page/src/lib.rs docs/actions/action-wait-for-page.md; do
  [ -s "$made" ] || { echo "guide: $made was not made" >&2; exit 1; }
done
grep -q WaitForPage infra/custom-action-types.yaml || { echo "guide: no custom action type was made" >&2; exit 1; }
echo "guide: followed to its end"
