#!/bin/sh
# Every relative link and asset of every page must exist: links.sh FOLDER
set -eu
cd "$1"
bad=0
for page in *.html; do
  for target in $(grep -o '\(href\|src\)="[^"#:]*"' "$page" | sed 's/^[^"]*"//; s/"$//' | sort -u); do
    [ -f "$target" ] || { echo "$page links to $target, which is not there"; bad=1; }
  done
done
[ "$bad" = 0 ] && echo "links: all targets exist"
exit "$bad"
