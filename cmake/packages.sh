#!/bin/sh
# packages.sh PACKAGE...: installs the Debian packages that are missing; does nothing, and needs no root, when none is.
set -eu
if ! command -v dpkg-query >/dev/null; then
  echo "not a Debian system: these packages, or their like, must be there: $*"
  exit 0
fi
missing=
for package in "$@"; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then
  as_root=
elif command -v sudo >/dev/null; then
  as_root=sudo
else
  echo "missing packages and neither root nor sudo; have someone run: apt-get install$missing" >&2
  exit 1
fi
echo "installing$missing"
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
# The names are one word each.
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing </dev/null
