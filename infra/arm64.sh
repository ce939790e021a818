#!/bin/sh
# What cargo needs to build for arm64 on x86_64, as `export` lines: eval "$(sh infra/arm64.sh FOLDER)"
# Where the toolchain has the target (rustup target add aarch64-unknown-linux-gnu), that is used. Elsewhere, on Debian, its compiler
# and its library for both architectures are unpacked under FOLDER, with nothing installed or configured: `rustc-web` stands in the
# way of a packaged rustc, and a second architecture is nothing that a build should leave behind.
set -eu
folder=$1
target=aarch64-unknown-linux-gnu
refuse() { echo "arm64 cannot be built here: $1" >&2; exit 1; }

command -v aarch64-linux-gnu-gcc >/dev/null || refuse "no aarch64-linux-gnu-gcc (Debian: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross)"
echo "export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc"
if [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]; then exit 0; fi

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
  refuse "the toolchain has no $target (rustup target add $target), and this is no Debian whose packages have one"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if [ ! -e "$folder/ready" ]; then
  rm -rf "$folder/apt" "$folder/root" && mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$folder/root"
  # Package lists of our own, for both architectures.
  apt() {
    "$@" -o Dir::State::lists="$folder/apt/lists" -o Dir::Cache="$folder/apt" -o APT::Sandbox::User= \
      -o APT::Architectures::=amd64 -o APT::Architectures::=arm64
  }
  quietly() { "$@" > "$folder/apt.log" 2>&1 || { tail -n 5 "$folder/apt.log" >&2; refuse "Debian's packages cannot be had"; }; }
  quietly apt apt-get update
  needs() { apt apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Depends: //p' | tr ',' '\n' | sed 's/^ *\([^ ]*\).*/\1/' | grep -m 1 "$2"; }
  std=$(needs libstd-rust-web-dev '^libstd-rust-web-[0-9]') || refuse "Debian's package lists have no libstd-rust-web-dev"
  llvm=$(needs "$std" '^libllvm') || refuse "$std names no libllvm"
  (cd "$folder/apt" && quietly apt apt-get download rustc-web "$std" libstd-rust-web-dev "$llvm" "$std:arm64" libstd-rust-web-dev:arm64)
  for package in "$folder"/apt/*.deb; do dpkg-deb --extract "$package" "$folder/root"; done
  cat > "$folder/rustc" <<R
#!/bin/sh
LD_LIBRARY_PATH=$folder/root/usr/lib/x86_64-linux-gnu exec $folder/root/usr/bin/rustc --sysroot $folder/root/usr "\$@"
R
  chmod +x "$folder/rustc"
  "$folder/rustc" --version >&2 || refuse "Debian's rustc does not start"
  [ -d "$folder/root/usr/lib/rustlib/$target" ] || refuse "Debian's packages have no $target"
  rm -rf "$folder/apt"
  touch "$folder/ready"
fi
echo "export RUSTC=$folder/rustc"
