#!/bin/sh
# Builds the functions as they are deployed and zips each as `bootstrap`: package.sh FOLDER
# The zips hold fixed times, so that the same sources give the same bytes. Ends with 1 when a binary is larger than
# infra/budgets allows, or would not start on provided.al2023.
set -eu
folder=$1
functions=$(ls functions)
# One after the other, so that features of the rest of the workspace are not built in. Position-dependent: a relocation
# table of 0.4 MB less in each, and nothing to relocate at a cold start. Heap, stack and libraries stay at random places.
# Equal code is kept once where the linker can (lld, rustc's own on x86_64): 1 % less.
once=--codegen=link-arg=-Wl,--icf=all
probe=$(mktemp)
echo 'fn main() {}' | rustc "$once" -o "$probe" - 2>/dev/null || once=
rm -f "$probe"
for name in $functions; do
  cargo rustc --profile dist --package "$name" --bin "$name" -- -C relocation-model=static $once
done
built=${CARGO_TARGET_DIR:-target}/dist

for name in $functions; do
  most=$(awk -v name="$name" '$1 == name { print $2 * 1000000 }' infra/budgets)
  size=$(wc -c < "$built/$name")
  if [ -z "$most" ]; then
    echo "$name has no line in infra/budgets; it weighs $size bytes" >&2; exit 1
  elif [ "$size" -gt "$most" ]; then
    echo "$name weighs $size bytes; infra/budgets allows $most" >&2; exit 1
  fi
done

# provided.al2023 has glibc 2.34; a newer symbol would end the function at its start.
if command -v objdump >/dev/null; then
  for name in $functions; do
    newest=$(objdump -T "$built/$name" | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -uV | tail -n 1)
    case "$(printf '%s\n2.34\n' "$newest" | sort -V | tail -n 1)" in
      2.34) ;;
      *) echo "$name needs glibc $newest; provided.al2023 has 2.34" >&2; exit 1 ;;
    esac
  done
else
  echo "SKIPPED: no objdump here, so the glibc symbols are not checked" >&2
fi

mkdir -p "$folder"
for name in $functions; do
  python3 - "$built/$name" "$folder/$name.zip" <<'P'
import sys, zipfile
source, target = sys.argv[1:]
entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
entry.external_attr = 0o755 << 16
entry.compress_type = zipfile.ZIP_DEFLATED
with open(source, "rb") as binary, zipfile.ZipFile(target, "w") as package:
    package.writestr(entry, binary.read(), compresslevel=9)
P
done
# What is in them, and under which licences.
cargo metadata --format-version 1 --locked --filter-platform x86_64-unknown-linux-gnu | python3 infra/sbom.py "$folder"
(cd "$folder" && sha256sum ./*.zip > SHA256SUMS && cat SHA256SUMS)
