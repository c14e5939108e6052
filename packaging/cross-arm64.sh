#!/bin/bash
# Builds berth for arm64 on another machine, by Debian's cross compiler and arm64's libraries beside it (multiarch), in a root file system of its own: nothing of
# this machine changes. Then it runs the unit tests of trust, formats and configuration, and asks berthd and berth for their versions, under qemu-user.
#
# usage: packaging/cross-arm64.sh [--root DIR] [--build DIR] [--jobs N]
#   --root DIR   the root file system, which is made where it is missing (build/arm64/root; 1.5 GB)
#   --build DIR  what is built (build/arm64/build); programs are in its daemon and cli
#   --jobs N     sources that are compiled at once (2)
# Needs root, mmdebstrap, and Debian's mirror where the root file system is not there yet.
set -euo pipefail
cd "$(dirname "$0")/.."
source="$PWD"

root=build/arm64/root build=build/arm64/build jobs=2
while [ $# -gt 0 ]; do
  case "$1" in
    --root) root="${2:?--root wants a folder}"; shift 2 ;;
    --build) build="${2:?--build wants a folder}"; shift 2 ;;
    --jobs) jobs="${2:?--jobs wants a number}"; shift 2 ;;
    *) sed -n 's/^# \(usage: .*\)$/\1/p' "$0" >&2; exit 2 ;;
  esac
done
[ "$(id -u)" -eq 0 ] || { echo "cross-arm64: run this as root: it makes a root file system" >&2; exit 7; }
command -v mmdebstrap > /dev/null || { echo "cross-arm64: mmdebstrap is missing: apt install mmdebstrap" >&2; exit 1; }

tools=(g++-aarch64-linux-gnu cmake ninja-build pkg-config qemu-user openssl python3-minimal)
libraries=(libboost1.81-dev libboost-json1.81-dev libtomlplusplus-dev libfmt-dev libspdlog-dev prometheus-cpp-dev libsystemd-dev libarchive-dev libzstd-dev zlib1g-dev nettle-dev
  libgmp-dev libmbedtls-dev libsqlite3-dev libnftables-dev libseccomp-dev libnghttp2-dev libgtest-dev libgmock-dev musl-dev linux-libc-dev)
tests=(core_json core_crypto core_trust core_bundle core_spec daemon_config)
# qemu-user 7.2 has no openat2, by which these read a repository's folder or unpack a tree.
not_here="FolderRemoteTest.*:Repository.*:Delegations.*:DroppedNamesOfRoles.*:TarReaderTest.*:WriteLayer.*:PatchPartsOfATree.*"

# Packages that have no architecture are named as they are.
include="$(IFS=,; echo "${tools[*]}"),libcli11-dev,$(printf '%s:arm64,' "${libraries[@]}")"
if [ ! -e "$root/.made" ]; then
  rm -rf "$root"
  mkdir -p "$root"
  mmdebstrap --quiet --variant=apt --architectures=amd64,arm64 --include="${include%,}" bookworm "$root"
  touch "$root/.made"
  echo "cross-arm64: $root is there after $SECONDS s"
fi
mkdir -p "$build"
root="$(realpath "$root")" build="$(realpath "$build")"

version="${BERTH_SOURCE_VERSION:-$(packaging/version.sh)}"
cat > "$build/job" <<END
set -euo pipefail
export BERTH_SOURCE_VERSION='$version' LC_ALL=C.UTF-8 HOME=/tmp
cmake -S /src -B /out -G Ninja --toolchain /src/cmake/arm64.cmake -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBERTH_UNITY=ON -DBUILD_TESTING=ON > /out/configure.log
ninja -C /out -j$jobs --quiet berthd berth_cli berth-unpack keeper_program berth_texts ${tests[*]/%/_test}
echo "cross-arm64: built after \$SECONDS s"
for program in daemon/berthd cli/berth daemon/unpack/berth-unpack daemon/keeper/berth-keeper; do
  file="\$(aarch64-linux-gnu-readelf -h /out/\$program | sed -n 's/^ *Machine: *//p')"
  [ "\$file" = AArch64 ] || { echo "cross-arm64: \$program is for \$file" >&2; exit 1; }
done
qemu-aarch64 /out/daemon/berthd --version
qemu-aarch64 /out/cli/berth --version
qemu-aarch64 /out/daemon/berthd --config /src/config/berthd.toml --check
for name in ${tests[*]}; do
  qemu-aarch64 "\$(find /out -name "\${name}_test" -type f)" --gtest_brief=1 --gtest_filter="-$not_here"
done
echo "cross-arm64: tested after \$SECONDS s"
END
# A mount namespace of its own: whatever ends this, nothing stays mounted.
unshare --mount --propagation private bash -c '
  set -euo pipefail
  root="$1" source="$2" build="$3"
  mkdir -p "$root/src" "$root/out"
  mount --bind -o ro "$source" "$root/src"
  mount --bind "$build" "$root/out"
  for folder in proc dev; do mount --rbind "/$folder" "$root/$folder"; done
  exec chroot "$root" bash /out/job' cross-arm64 "$root" "$source" "$build"
