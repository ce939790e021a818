#!/bin/sh
# Builds functions as they are deployed and zips each as `bootstrap`: package.sh FOLDER [FUNCTION…], all of them when none is named.
# ARCH=arm64 or x86_64 says what for; this machine's when not given. Ends with 1 when a binary is larger than infra/budgets
# allows, or would not start on provided.al2023. The same sources and compiler give the same bytes, wherever the folders are
# (infra/package-twice.sh shows it): no path of this machine is in them, and the zips hold fixed times.
set -eu
folder=$1 && shift
functions=${*:-$(ls functions)}
machine=$(uname -m) && [ "$machine" != aarch64 ] || machine=arm64
arch=${ARCH:-$machine}
case $arch in
  x86_64) target=x86_64-unknown-linux-gnu ;;
  arm64) target=aarch64-unknown-linux-gnu ;;
  *) echo "ARCH=$arch: Lambda has x86_64 and arm64" >&2; exit 1 ;;
esac
root=${CARGO_TARGET_DIR:-target} inside=dist linker=
if [ "$arch" != "$machine" ]; then
  [ "$arch" = arm64 ] || { echo "ARCH=$arch can be built on $arch only; this is $machine" >&2; exit 1; }
  found=$(sh infra/arm64.sh target/arm64) # ends here, and says why, where arm64 cannot be built
  eval "$found"
  export CARGO_BUILD_TARGET=$target
  linker=$CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER
  inside=$target/dist
fi
built=$root/$inside

# Compilers write the paths of what they read into a binary, for panics and assertions: here they are always the same.
home=${CARGO_HOME:-$HOME/.cargo}
tab=$(printf '\037')
beside=$PWD/target/beside
CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$home=/cargo$tab--remap-path-prefix=$PWD=/stagewright$tab--remap-path-prefix=$beside=/stagewright/target"
CFLAGS="-ffile-prefix-map=$home=/cargo -ffile-prefix-map=$PWD=/stagewright -ffile-prefix-map=$beside=/stagewright/target"
export CARGO_ENCODED_RUSTFLAGS CFLAGS

# Each by itself, so that features of the rest of the workspace are not built in. Position-dependent: a relocation
# table of 0.4 MB less in each, and nothing to relocate at a cold start. Heap, stack and libraries stay at random places.
# Equal code is kept once where the linker can (lld, rustc's own on x86_64): 1 % less.
once=--codegen=link-arg=-Wl,--icf=all
probe=$(mktemp)
echo 'fn main() {}' | "${RUSTC:-rustc}" --target "$target" ${linker:+--codegen=linker="$linker"} "$once" -o "$probe" - 2>/dev/null || once=
rm -f "$probe"
build() {
  for name; do
    cargo rustc --locked --profile dist --package "$name" --bin "$name" -- -C relocation-model=static $once || return
  done
}
# Most of a build is the last step of each, on one core: after the first, every second one is built in a folder beside.
set -- $functions
build "$1"
shift
here= there= turn=there
for name; do
  case $turn in
    there) there="$there $name" turn=here ;;
    here) here="$here $name" turn=there ;;
  esac
done
if [ -n "$there" ]; then
  if [ ! -d "$beside" ]; then
    mkdir -p "$beside"
    for part in dist "$target"; do [ ! -d "$root/$part" ] || cp -a "$root/$part" "$beside/"; done
  fi
  (CARGO_TARGET_DIR=$beside && export CARGO_TARGET_DIR && build $there) & other=$!
  build $here || { kill "$other"; exit 1; }
  wait "$other"
  for name in $there; do cp "$beside/$inside/$name" "$built/$name"; done
fi

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
if command -v readelf >/dev/null; then
  for name in $functions; do
    newest=$(readelf --version-info "$built/$name" | sed -n 's/.*Name: GLIBC_\([0-9.]*\).*/\1/p' | sort -uV | tail -n 1)
    case "$newest/$(printf '%s\n2.34\n' "$newest" | sort -V | tail -n 1)" in
      ?*/2.34) ;;
      *) echo "$name needs glibc ${newest:-of no version}; provided.al2023 has 2.34" >&2; exit 1 ;;
    esac
  done
else
  echo "SKIPPED: no readelf here (Debian: binutils), so the glibc symbols are not checked" >&2
fi

mkdir -p "$folder"
rm -f "$folder"/*.zip
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
cargo metadata --format-version 1 --locked --filter-platform "$target" | python3 infra/sbom.py "$folder"
(cd "$folder" && LC_ALL=C && export LC_ALL && sha256sum ./*.zip sbom.cdx.json LICENSES.txt > SHA256SUMS && cat SHA256SUMS)
