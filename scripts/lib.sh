# Shared by the scripts beside it: where things are, and what is up to date.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
venv=$root/.venv
stamps=$root/.cache/stamps

# One cargo profile builds everything, into one target folder, with one interpreter: nothing is compiled twice.
profile=ci
export CARGO_TARGET_DIR=$root/target
export PYO3_PYTHON=$venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# install PACKAGE...: Debian packages.
install() {
    command -v apt-get >/dev/null || { say "there is no apt-get to install: $*"; return 1; }
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -q &&
        DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -q -y --no-install-recommends "$@"
}

# fingerprint PATH...: one hash over the sources under the paths, and over the name of each.
fingerprint() {
    find "$@" \( -name target -o -name __pycache__ -o -name '.*_cache' \) -prune -o -type f \
        \( -name '*.rs' -o -name '*.py' -o -name '*.toml' -o -name '*.proto' -o -name '*.lock' -o -name '*.txt' \
        -o -name '*.md' -o -name '*.pyi' -o -name py.typed \) -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-32
}

# fresh STAMP FINGERPRINT: whether the stamp was made with that fingerprint.
fresh() { [ "$(cat "$stamps/$1" 2>/dev/null)" = "$2" ]; }
stamp() { mkdir -p "$stamps"; printf '%s\n' "$2" >"$stamps/$1"; }

. "$root/scripts/steps.sh"
