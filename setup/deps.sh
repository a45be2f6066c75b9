#!/bin/sh
# Installs what setup/packages.txt lists and is not there yet. Says nothing when all is there.
set -eu
list=$(dirname "$0")/packages.txt

missing=
for package in $(sed -e 's/#.*//' "$list" | awk '{ print $1 }'); do
  dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
    missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "make deps: this is no Debian or Ubuntu. Install what setup/packages.txt lists, by its name here."
  exit 1
fi
if [ "$(id -u)" != 0 ]; then
  echo "make deps: packages are missing. As root, or with sudo, run this one line and try again:"
  echo "  sudo apt-get update && sudo apt-get install --no-install-recommends -y$missing"
  exit 1
fi

echo "installing:$missing"
# nginx is for comparison only. Where nobody has said so yet, this keeps apt from starting services.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
