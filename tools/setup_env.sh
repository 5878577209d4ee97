#!/bin/sh
# Create or refresh a virtual environment from the tested pins; does nothing when nothing changed.
#   tools/setup_env.sh core      .venv           the library and its development tools
#   tools/setup_env.sh interop   .venv-interop   the registry's torch with torchvision and timm
set -eu
cd "$(dirname "$0")/.."

case "${1:-core}" in
core)
    venv=.venv constraints=constraints.txt first="torch" rest=".[dev]" extra="" ;;
interop)
    venv=.venv-interop constraints=constraints-interop.txt first="torch torchvision timm"
    rest=".[vision-backbones]" extra="hypothesis pytest pytest-xdist" ;;
*)
    echo "setup_env.sh: unknown environment '$1'. Known: core, interop." >&2
    exit 2 ;;
esac

stamp="$venv/.installed"
key="$(cat pyproject.toml "$constraints" tools/setup_env.sh | cksum) $PWD"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ] && "$venv/bin/python" -c ''; then
    exit 0
fi

if ! "$venv/bin/python" -c '' 2>/dev/null; then
    python="${PYTHON:-python3}"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "setup_env.sh: $python is older than 3.11. Name a newer one: make venv PYTHON=..." >&2
        exit 1
    }
    "$python" -m venv --clear "$venv"
fi

echo "Installing into $venv; the first time this downloads PyTorch and takes minutes."
# pip first: unlike uv it honours the machine's pip settings, and torch is most of the download.
"$venv/bin/python" -m pip install -qq --disable-pip-version-check -c "$constraints" $first uv
"$venv/bin/uv" pip install -q --python "$venv/bin/python" -c "$constraints" -b "$constraints" \
    -e "$rest" $extra
printf '%s' "$key" >"$stamp"
