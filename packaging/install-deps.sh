#!/bin/bash
# Installs what berth is built with, on Debian 12; with --package also what its Debian packages are made with, with --tests or --all-tests what its tests use.
# Needs root or sudo. Does nothing where everything is there, so that it may run again, and without a network then.
set -euo pipefail

build=(
  g++ cmake ninja-build ccache pkg-config git ca-certificates musl-tools linux-libc-dev
  libboost1.81-dev libboost-json1.81-dev libtomlplusplus-dev libcli11-dev libfmt-dev libspdlog-dev prometheus-cpp-dev
  libsystemd-dev libarchive-dev libzstd-dev zlib1g-dev nettle-dev libgmp-dev libmbedtls-dev libsqlite3-dev libnftables-dev libseccomp-dev libnghttp2-dev
)
package=(build-essential debhelper dpkg-dev python3)
check_package=(lintian)
run=(nftables iproute2 procps)
tests=(
  libgtest-dev libgmock-dev python3-cryptography python3-jsonschema python3-yaml util-linux e2fsprogs btrfs-progs xfsprogs curl openssl jq zstd sqlite3
  nginx-light redis-server redis-tools python3-grpcio wrk prometheus prometheus-alertmanager rsyslog rsyslog-openssl strace faketime runit s6 zsh fish mmdebstrap umoci user-mode-linux systemd-container nodejs
  clang-19 libclang-rt-19-dev chromium fonts-dejavu-core
)
benches=(ruby-foreman)
command -v npm >/dev/null || tests+=(npm)  # a package of its own in Debian, a part of nodejs elsewhere

packages=("${build[@]}" "${run[@]}")
case "${1:-}" in
  "") ;;
  --quickstart) packages+=(nginx-light curl) ;;
  --package) packages+=("${package[@]}") ;;
  --tests) packages+=("${package[@]}" "${tests[@]}") ;;
  --all-tests) packages+=("${package[@]}" "${check_package[@]}" "${tests[@]}" "${benches[@]}") ;;
  *) echo "usage: $0 [--quickstart | --package | --tests | --all-tests]" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "install-deps: everything is installed already"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install-deps: run this as root, or install sudo" >&2; exit 7; }
  as_root=(sudo)
fi

# Servers that come as dependencies of tests and of the demo are not to start by themselves, nor to take their ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 0755 "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi

echo "install-deps: installing ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o Acquire::Retries=3)
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
