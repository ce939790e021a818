#!/bin/sh
# Makes a new action from the template: new.sh NAME [ROOT]. It compiles, is tested and can be deployed as it is.
set -eu
name=$1
root=${2:-.}
here=$(dirname "$0")
case "$name" in
  ''|*[!a-z0-9-]*|-*|*-|*--*) echo "NAME is made of small letters, digits and single dashes, as in: make new-action NAME=wait-for-page" >&2; exit 2 ;;
  action-*) echo "NAME goes without action-" >&2; exit 2 ;;
esac
folder=$root/functions/action-$name
if [ -e "$folder" ]; then
  echo "$folder is there already" >&2; exit 2
fi
type=$(printf '%s' "$name" | awk -F- '{ for (i = 1; i <= NF; i++) printf "%s%s", toupper(substr($i, 1, 1)), substr($i, 2) }')
crate=$(printf '%s' "$name" | tr - _)
mkdir -p "$folder/src"
for file in Cargo.toml src/main.rs src/lib.rs src/description.rs src/tests.rs; do
  sed -e "s/action-template/action-$name/g" -e "s/action_template/action_$crate/g" -e "s/Template/$type/g" \
    "$here/$file" > "$folder/$file"
done
# A function with CodePipeline and the web; raise it with what the action links (infra/package.sh checks).
printf '%-20s 7\n' "action-$name" >> "$root/infra/budgets"
# Until it drives a vendor: then it gets its line in the matrix of connectors.
plain=$root/tests/it/matrix/no-connectors
if [ -f "$plain" ]; then echo "action-$name" >> "$plain"; fi
echo "functions/action-$name is there. Next: cargo test -p action-$name; docs/write-an-action.md"
