#!/bin/sh
# Every page has one title, one heading, a language and no placeholder left: pages.sh FOLDER
set -eu
cd "$1"
bad=0
for page in *.html; do
  [ "$(grep -c '<title>..* · ..*</title>' "$page")" = 1 ] || { echo "$page: no proper title"; bad=1; }
  [ "$(grep -c '<h1>..*</h1>' "$page")" = 1 ] || { echo "$page: no heading"; bad=1; }
  grep -q '<html lang="en">' "$page" || { echo "$page: no language"; bad=1; }
  ! grep -n '{{' "$page" || { echo "$page: placeholder left"; bad=1; }
done
[ "$bad" = 0 ] && echo "pages: titles, headings and language are there"
exit "$bad"
