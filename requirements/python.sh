#!/bin/sh
# Prints the first Python among the arguments that the locks fit; one sentence and status 1 if none does.
# It runs each one, since a name on PATH may be a shim for a version that is not installed.
fits='import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
for candidate in "$@"; do
    if "$candidate" -c "$fits" >/dev/null 2>&1; then
        echo "$candidate"
        exit 0
    fi
done
found=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo "none that runs")
case $found in
3.11 | 3.12 | 3.13) found="$found without its venv module (Debian: apt-get install python3-venv)" ;;
esac
echo "Rekindle needs Python 3.11, 3.12 or 3.13, for which TensorFlow has wheels; $1 is $found." \
    "Install one and name it, for example: make run PYTHON=python3.12" >&2
exit 1
