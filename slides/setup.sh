#!/bin/sh
# What the slides need beside the kit: Node 18 or later and npm, and the packages of package-lock.json.
# With the argument `chromium`, that browser as well. Says nothing when all is there.
set -eu
cd "$(dirname "$0")"

missing=
node=$(node --version 2>/dev/null || echo v0)
major=${node#v}
[ "${major%%.*}" -ge 18 ] || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
[ "${1:-}" != chromium ] || command -v chromium >/dev/null || missing="$missing chromium"
if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
  else
    echo "make slides: missing:$missing. Run this one line, as root or with sudo, and try again:"
    echo "  sudo apt-get update && sudo apt-get install --no-install-recommends -y$missing"
    exit 1
  fi
fi

# The packages, exactly those of the lock, without any script of theirs.
stamp=node_modules/.c10k-lock
if ! cmp -s package-lock.json "$stamp"; then
  echo "installing the packages of slides/package-lock.json"
  PUPPETEER_SKIP_DOWNLOAD=1 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  cp package-lock.json "$stamp"
fi
