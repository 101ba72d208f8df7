#!/bin/sh
# Print a Python the book runs on, or say what to install. PYTHON=... in the environment wins.
suitable='import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))'
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$candidate" -c "$suitable" >/dev/null 2>&1; then
        command -v "$candidate"
        exit 0
    fi
done
cat >&2 <<'MESSAGE'
No suitable Python found: the book needs Python 3.11 or newer with its venv module.
  Debian, Ubuntu:  sudo apt install python3 python3-venv
  macOS:           brew install python@3.13        (or the installer from python.org)
If it is installed under another name, say so:  make book PYTHON=/path/to/python3
MESSAGE
exit 1
