#!/bin/bash
# From a bare Debian 12 to a real app that is published, deployed, switched without a failed request, and reverted by itself when a release is bad.
#
# usage: packaging/quickstart.sh
# Installs what berth is built with, builds it, and shows the main job with nginx. Needs root or sudo, and Debian's mirror; no systemd. Leaves nothing
# running and nothing behind but the packages and build/release. An ordinary user builds as himself; packages and the demo are root's.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

prepare() {
  say "1. What berth is built with"
  bash packaging/install-deps.sh --quickstart

  say "2. The build (release, what is shipped)"
  local unity=()
  [ -e build/release/CMakeCache.txt ] || unity=(-DBERTH_UNITY=ON)
  cmake --preset release -DBUILD_TESTING=OFF "${unity[@]}" > /dev/null
  ninja -C build/release -j "$(nproc)" --quiet
  g++ -std=c++20 -O1 -pthread -o build/release/berth-load tests/tools/load/*.cc  # asks the app while releases are switched
  echo "built after $SECONDS s: $(build/release/cli/berth --version)"
}

if [ "$(id -u)" -ne 0 ]; then
  [ $# -eq 0 ] || { echo "usage: packaging/quickstart.sh" >&2; exit 2; }
  command -v sudo >/dev/null || { echo "quickstart: run this as root, or install sudo (berthd starts apps as users of their own)" >&2; exit 7; }
  prepare
  exec sudo bash packaging/quickstart.sh --demo-after "$SECONDS"
fi
case "${1:-}" in
  "")
    prepare
    # What root built in somebody's clone is his.
    chown --reference=. build
    chown -R --no-dereference --reference=. build/release
    ;;
  --demo-after) SECONDS="${2:?}" ;;
  *) echo "usage: packaging/quickstart.sh" >&2; exit 2 ;;
esac
bin="$PWD/build/release"
export PATH="$bin/cli:$PATH"

# A place of our own: nothing of it outlives this script.
work="$(mktemp -d /tmp/berth-quickstart.XXXXXX)"
chmod 0755 "$work"
export HOME="$work" BERTH_SOCKET="$work/run/api.sock" BERTH_LOGS="$work/logs"
unset XDG_DATA_HOME
daemon="" load=""

clean_up() {
  local code=$?
  trap - EXIT
  [ -z "$load" ] || kill "$load" 2>/dev/null || true
  if [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; then
    berth remove web --yes --purge > /dev/null 2>&1 || true  # stops what berthd would leave running, as it should
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
  fi
  if [ $code -ne 0 ]; then
    echo "quickstart: failed (exit $code); the end of berthd's log:" >&2
    tail -n 40 "$work/berthd.log" >&2 2>/dev/null || true
  fi
  rm -rf "$work"
  exit $code
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# free_port FIRST: the first port from there on at which nothing listens.
free_port() {
  local port=$1
  while ss -Hltn "sport = :$port" | grep -q .; do port=$((port + 1)); done
  echo "$port"
}
port="$(free_port 8080)"
metrics="$(free_port 9464)"

# site TEXT: the app's tree: nginx itself, a page, and berth.toml.
site() {
  mkdir -p "$work/site/bin" "$work/site/html"
  cp /usr/sbin/nginx "$work/site/bin/nginx"
  echo "$1" > "$work/site/html/index.html"
  cat > "$work/site/berth.toml" <<END
app = "web"

[process.web]
command = ["bin/nginx", "-p", ".", "-e", "stderr", "-c", "\${BERTH_CONFIG_DIR}/nginx.conf"]
socket = $port
listen_env = { NGINX = "3;" }
stop = { signal = "QUIT", grace = "5s" }

[process.web.readiness]
http = "/"
period = "200ms"

[deploy]
strategy = "blue-green"
bake = "3s"
ready_timeout = "5s"
drain = "3s"
END
}

# The environment's configuration; what ends in .tmpl is rendered when an instance starts.
mkdir -p "$work/environments/production/files"
touch "$work/environments/production/env.toml"
cat > "$work/environments/production/files/nginx.conf.tmpl" <<END
daemon off;
worker_processes 1;
error_log stderr notice;
pid \${BERTH_RUN_DIR}/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path \${BERTH_RUN_DIR}/body;
  proxy_temp_path \${BERTH_RUN_DIR}/proxy;
  fastcgi_temp_path \${BERTH_RUN_DIR}/fastcgi;
  uwsgi_temp_path \${BERTH_RUN_DIR}/uwsgi;
  scgi_temp_path \${BERTH_RUN_DIR}/scgi;
  server {
    listen [::]:$port ipv6only=off;
    root html;
    add_header X-Release \${BERTH_RELEASE} always;
  }
}
END

# publish: a build of the tree, joined with the configuration to the next release.
publish() {
  run berth build "$work/site"
  run berth release web --env production --repo "$work/repo" --environments "$work/environments"
}

say "3. A repository: keys, and signed metadata"
run berth repo init "$work/repo"

say "4. A node: berthd, told where releases come from and whom to trust"
root="$(find "$work/repo" -name 1.root.json)"
cat > "$work/berthd.toml" <<END
node = "quickstart"
environment = "production"
[paths]
state = "$work/state"
logs = "$work/logs"
run = "$work/run"
[repository]
url = "file://$work/repo"
root = "$root"
[metrics]
listen = "127.0.0.1:$metrics"
[store]
reserve = "16MB"
[log]
level = "warning"
END
"$bin/daemon/berthd" --config "$work/berthd.toml" > "$work/berthd.log" 2>&1 &
daemon=$!
for _ in $(seq 100); do
  ! curl -sf -o /dev/null "http://127.0.0.1:$metrics/readyz" || break
  kill -0 "$daemon" || exit 1
  sleep 0.1
done
demo=$SECONDS

say "5. The first release"
site "hello from the first release"
publish
run berth deploy web@v1
run curl -si "http://127.0.0.1:$port/"

say "6. The second release, while requests come in: each on a connection of its own, each answer is counted by its release"
site "hello from the second release"
publish
"$bin/berth-load" --port "$port" --rate 500 > "$work/load" &
load=$!
run berth deploy web@v2
kill "$load"; wait "$load" || true; load=""
cat "$work/load"
grep -q '"failed": 0,' "$work/load" || { echo "quickstart: requests failed during the switch" >&2; exit 1; }
grep -q '"v1": .*"v2": ' "$work/load" || { echo "quickstart: the switch was not seen" >&2; exit 1; }
echo "no request failed."

say "7. A third release that does not work: its page is missing, so that it is never ready. The second one goes on serving"
site "never seen"
rm "$work/site/html/index.html"
publish
"$bin/berth-load" --port "$port" --rate 500 > "$work/load" &
load=$!
code=0
run berth deploy web@v3 || code=$?
kill "$load"; wait "$load" || true; load=""
cat "$work/load"
[ "$code" -eq 1 ] || { echo "quickstart: the bad release ended with $code instead of 1" >&2; exit 1; }
grep -q '"failed": 0,' "$work/load" || { echo "quickstart: requests failed" >&2; exit 1; }
echo "exit $code: it failed before the switch; no request did."

say "8. One that works at first and dies in its bake, which reverts it by itself"
site "dying"
# shellcheck disable=SC2016
sed -i 's|^command = .*|command = ["bin/die-soon", "${BERTH_CONFIG_DIR}/nginx.conf"]|' "$work/site/berth.toml"
cat > "$work/site/bin/die-soon" <<'END'
#!/bin/sh
# nginx, for one and a half seconds.
bin/nginx -p . -e stderr -c "$1" &
trap 'kill -QUIT $!; wait; exit 0' QUIT
sleep 1.5
echo "something terrible happened" >&2
kill $!
exit 1
END
chmod +x "$work/site/bin/die-soon"
publish
code=0
run berth deploy web@v4 || code=$?
[ "$code" -eq 5 ] || { echo "quickstart: the dying release ended with $code instead of 5" >&2; exit 1; }
echo "exit $code: reverted."
run curl -s "http://127.0.0.1:$port/"

say "9. What the node says"
run berth status
run berth history web
run berth logs web -n 8
printf '\033[2m$ curl -s http://127.0.0.1:%s/metrics | grep web\033[0m\n' "$metrics"
curl -s "http://127.0.0.1:$metrics/metrics" | awk '/app="web"/ && lines++ < 12'

say "10. And back again, or away"
run berth revert web
run curl -s "http://127.0.0.1:$port/"
run berth remove web --yes --purge

say "Done: $((SECONDS - demo)) s for all that, $SECONDS s with installing and building."
cat <<END
Everything the demo made is removed. To go on:
  build/release/cli/berth --help             every verb has an example
  cmake --install build/release              berthd.service and berthd.toml for a node of yours; README.md says what to write there
  tests/run.sh                               all of this, and much more, as tests
END
