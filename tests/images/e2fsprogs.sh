#!/usr/bin/env bash
# Fetches the test images of e2fsprogs, which are damaged in every way that its authors met:
#
#   e2fsprogs.sh CACHE
#
# Debian's source package comes through apt (with the keys and mirrors that the machine has; nothing of the
# machine's own lists changes), and its tests/*/image.gz become CACHE/e2fsprogs/NAME.gz. What is there
# already is left alone. Needs network to a Debian mirror, and the packages apt and xz-utils; no root.
set -euo pipefail

out=$1
if [ -d "$out/e2fsprogs" ]; then
  exit 0
fi
mkdir -p "$out"
work=$(mktemp -d "$out/.e2fsprogs.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/images"

# apt may drop to a user of its own for downloads.
chmod 755 "$work"
cat >"$work/sources.list" <<'SOURCES'
deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
SOURCES
options=(
  -o "Dir::Etc::sourcelist=$work/sources.list"
  -o Dir::Etc::sourceparts=-
  -o "Dir::State::lists=$work/lists"
  -o "Dir::Cache::archives=$work/archives"
  -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
  -o APT::Sandbox::User=
)
cd "$work"
apt-get -qq "${options[@]}" update
apt-get -qq "${options[@]}" source --download-only e2fsprogs
tar -xf e2fsprogs_*.orig.tar.?z --wildcards '*/tests/*/image.gz'
for image in */tests/*/image.gz; do
  mv "$image" "images/$(basename "$(dirname "$image")").gz"
done
mv images "$out/e2fsprogs"
