#!/bin/sh
# Prints the Python to make the virtual environment with: $PYTHON, or the first of those found that is usable.
# The exceptions below are platforms for which a library that hears speech has no wheel.
usable='
import platform, sys
version, machine = sys.version_info[:2], (sys.platform, platform.machine())
if not (3, 11) <= version <= (3, 13) or sys.implementation.name != "cpython":
    sys.exit(1)
if machine == ("darwin", "x86_64") or (machine == ("linux", "aarch64") and version == (3, 12)):
    sys.exit(1)
'
if [ -n "$PYTHON" ]; then
    set -- "$PYTHON"
else
    set -- python3.13 python3.11 python3.12 python3 python
fi
for name in "$@"; do
    if "$name" -c "$usable" 2>/dev/null; then
        echo "$name"
        exit 0
    fi
done
cat >&2 <<'END'
No usable Python was found. vivavoce runs on
    Linux (x86_64)           with CPython 3.11, 3.12 or 3.13
    Linux (aarch64)          with CPython 3.11 or 3.13
    macOS (Apple silicon)    with CPython 3.11, 3.12 or 3.13
Install one, or name it: make run PYTHON=/path/to/python3.13
END
exit 1
