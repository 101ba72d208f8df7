#!/bin/sh
# Print a Python the book runs on, or say what to install. PYTHON=... in the environment wins.
# The virtual environment's own ($VENV) is the last resort: with it everything is there already.
# -I: what the machine sets for other Pythons must not decide.
works='import sys; sys.exit(sys.version_info < (3, 11))'
whole='import ensurepip, venv'
tested='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

if [ -n "$PYTHON" ]; then
    if ! command -v "$PYTHON" >/dev/null 2>&1; then
        echo "PYTHON=$PYTHON: there is no such program." >&2
    elif ! words=$("$PYTHON" -I -c "" 2>&1); then
        echo "PYTHON=$PYTHON does not run as a Python. ${words:+It says: $words}" >&2
    elif ! "$PYTHON" -I -c "$works" >/dev/null 2>&1; then
        echo "PYTHON=$PYTHON is too old: $("$PYTHON" -V 2>&1)." >&2
    elif ! "$PYTHON" -I -c "$whole" >/dev/null 2>&1; then
        echo "PYTHON=$PYTHON lacks the modules venv and ensurepip." >&2
    else
        command -v "$PYTHON"
        exit 0
    fi
    set --
else
    set -- python3 python3.13 python3.12 python3.11 python3.14 "${VENV:-.venv}/bin/python"
fi

for wish in "$tested" "$works"; do
    for candidate in "$@"; do
        "$candidate" -I -c "$wish" >/dev/null 2>&1 || continue
        if "$candidate" -I -c "$whole" >/dev/null 2>&1; then
            command -v "$candidate"
            exit 0
        fi
        lacking="$candidate"
    done
done
[ -z "$lacking" ] || echo "$lacking lacks the modules venv and ensurepip." >&2
cat >&2 <<'MESSAGE'
No suitable Python found: the book needs Python 3.11 or newer with its venv module.
  Debian, Ubuntu:  sudo apt install python3 python3-venv
  macOS:           brew install python@3.13        (or the installer from python.org)
If it is installed under another name, say so:  make book PYTHON=/path/to/python3
MESSAGE
exit 1
