# shellcheck shell=sh
# What berthd leaves on a node, and how it is taken away. Part of the package's postrm and of the tarball's install.sh; needs nothing of berth itself.
# BERTH_PREFIX: where berth is installed (/usr). BERTH_SYSTEMCTL: who stops units (deb-systemd-invoke).

# berth_pids PROGRAM…: who runs one of these programs, also where its file was removed or replaced since. Not those of containers.
berth_pids() {
  here="$(stat -L -c %d:%i /proc/self/root/)"
  find /proc/[0-9]* -maxdepth 1 -name exe -printf '%p %l\n' 2>/dev/null | sed 's/ (deleted)$//' | while read -r exe program; do
    for wanted in "$@"; do
      [ "$program" = "$wanted" ] || continue
      pid="${exe#/proc/}"
      pid="${pid%/exe}"
      [ "$(stat -L -c %d:%i "/proc/$pid/root/" 2>/dev/null)" != "$here" ] || echo "$pid"
    done
  done
}

# berth_wait_for_end SECONDS PROGRAM…: until nobody runs these. 1 where somebody still does after that.
berth_wait_for_end() {
  left="$1"
  shift
  while [ -n "$(berth_pids "$@")" ]; do
    [ "$left" -gt 0 ] || return 1
    left=$((left - 1))
    sleep 1
  done
}

# berth_stop_apps: ends what berthd ran, each app by its own signal and within its own grace.
berth_stop_apps() {
  keeper="${BERTH_PREFIX:-/usr}/libexec/berth/berth-keeper"
  if [ -d /run/systemd/system ]; then ${BERTH_SYSTEMCTL:-deb-systemd-invoke} stop berth.slice || true; fi
  for pid in $(berth_pids "$keeper"); do kill -TERM "$pid" 2>/dev/null || true; done
  berth_wait_for_end 60 "$keeper"
}

# berth_empty FOLDER: removes it with all that is in it; of a mount point, what is in it. Nothing that is mounted below is touched.
berth_empty() {
  [ -e "$1" ] || [ -L "$1" ] || return 0
  folder="$(readlink -f "$1")"
  sed 's/^\([^ ]* \)\{4\}\([^ ]*\) .*$/\2/' /proc/self/mountinfo 2>/dev/null | sort -r | while read -r mounted; do
    case "$mounted" in "$folder"/*) umount "$mounted" || exit 1 ;; esac
  done || { echo "berthd: $folder stays, since something is mounted in it" >&2; return 0; }
  if [ -d "$folder" ]; then find "$folder" -xdev -mindepth 1 ! -path "$folder/lost+found" -delete; fi
  if [ -L "$1" ] || [ ! -d "$folder" ]; then rm -f "$1"; elif ! mountpoint -q "$folder"; then rmdir "$folder"; fi
}

# berth_purge FOLDER…: stops what runs, and takes these folders, berth's users and groups, and its nftables table away.
berth_purge() {
  daemon="${BERTH_PREFIX:-/usr}/sbin/berthd"
  for pid in $(berth_pids "$daemon"); do kill -TERM "$pid" 2>/dev/null || true; done
  berth_wait_for_end 60 "$daemon" || { echo "berthd: it does not end, so nothing is purged; end it and purge again" >&2; return 1; }
  berth_stop_apps || { echo "berthd: apps do not end, so nothing is purged; end them and purge again: $(berth_pids "$keeper")" >&2; return 1; }
  for folder in "$@"; do berth_empty "$folder"; done
  if command -v nft > /dev/null && nft list table inet berth > /dev/null 2>&1; then nft delete table inet berth; fi
  if command -v userdel > /dev/null; then
    if getent passwd berth-unpack > /dev/null; then userdel berth-unpack || true; fi  # which says why, and the rest is taken away all the same
    for group in berth-unpack berth; do
      if getent group "$group" > /dev/null; then groupdel "$group" || true; fi  # one that other users need stays, and groupdel says so
    done
  fi
}
