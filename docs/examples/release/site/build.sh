#!/bin/sh
# Puts every page into the layout and copies the assets: build.sh TITLE VERSION
set -eu
title=$1
version=$2
rm -rf dist
mkdir -p dist/assets
for page in pages/*.html; do
  name=$(basename "$page")
  heading=$(sed -n '1s/^<!-- \(.*\) -->$/\1/p' "$page")
  {
    sed -e "s|{{title}}|$title|g" -e "s|{{heading}}|$heading|g" layout/head.html
    sed '1d' "$page"
    sed -e "s|{{version}}|$version|g" layout/foot.html
  } > "dist/$name"
  echo "built $name ($heading)"
done
cp assets/* dist/assets/
