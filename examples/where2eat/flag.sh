#!/usr/bin/env bash
# Turns Where2Eat's new ranking on or off, while it runs: it reads the flag from a file
# at each request.
#
#   flag.sh on|off
#
# WHERE2EAT_FLAG_FILE  the file
set -euo pipefail

file=${WHERE2EAT_FLAG_FILE:?name the file that holds the flag}
case "${1:-}" in
on | off)
    printf '%s\n' "$1" >"$file.next"
    mv -T "$file.next" "$file"
    printf 'the new ranking is %s\n' "$1"
    ;;
*)
    echo 'usage: flag.sh on|off' >&2
    exit 2
    ;;
esac
