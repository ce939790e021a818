#!/bin/sh
# Packages functions twice from nothing and compares the bytes: package-twice.sh FOLDER [FUNCTION…], all of them when none is named.
# The two builds see other paths of the sources, of cargo's home and of the target folder, another time zone, locale and mask,
# and the second takes the functions the other way round.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd) && shift
first=$folder/one second=$folder/another-and-longer/two
home=${CARGO_HOME:-$HOME/.cargo}
rm -rf "$first" "$folder/another-and-longer"
for copy in "$first" "$second"; do
  mkdir -p "$copy/sources"
  # What is committed or changed here, without what was built.
  git ls-files --cached --others --exclude-standard -z | xargs -0 sh -c 'for one; do [ ! -e "$one" ] || printf "%s\0" "$one"; done' - |
    tar --null --files-from=- --create --file=- | tar --extract --file=- --directory="$copy/sources"
done
# Another cargo home over the same downloads.
mkdir "$second/home"
for one in "$home"/*; do ln -s "$one" "$second/home/"; done

[ $# -gt 0 ] || set -- $(ls functions)
reversed=
for name; do reversed="$name $reversed"; done
build() { (cd sources && unset CARGO_TARGET_DIR && sh infra/package.sh ../package "$@") > build.log 2>&1 || { tail -n 30 build.log >&2; exit 1; }; }
echo "building in $first"
(cd "$first" && build "$@")
echo "building in $second"
(cd "$second" && umask 077 && CARGO_HOME=$second/home TZ=Pacific/Auckland LC_ALL=C && export CARGO_HOME TZ LC_ALL && build $reversed)

if ! diff "$first/package/SHA256SUMS" "$second/package/SHA256SUMS"; then
  echo "two builds of the same sources differ; look with: diff <(strings -n 8 ONE) <(strings -n 8 TWO) on $folder/*/sources/target/dist" >&2
  exit 1
fi
# Nothing of this machine is in them either.
for zip in "$first"/package/*.zip; do
  if python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read("bootstrap"))' "$zip" | grep -aqF -e "$folder" -e "$home"; then
    echo "$zip holds a path of this machine" >&2; exit 1
  fi
done
cat "$first/package/SHA256SUMS"
echo "the same bytes, twice"
