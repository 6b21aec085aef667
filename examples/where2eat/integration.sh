#!/usr/bin/env bash
# Tests a running Where2Eat the way its users use it. It fails at the first step that
# does not go well, and says which.
#
#   integration.sh [URL]   (default: where WHERE2EAT_LISTEN says that it answers)
set -euo pipefail

url=${1:-http://${WHERE2EAT_LISTEN:-127.0.0.1:8090}}
token=

# step NAME WANT PATH [CURL OPTION…] fetches a path, whose answer must hold WANT.
step() {
    local name=$1 want=$2 path=$3
    shift 3
    answer=$(curl --silent --show-error --max-time 20 --header "Authorization: Bearer $token" "$@" "$url$path" 2>&1) || true
    if [[ $answer != *"$want"* ]]; then
        printf 'integration: %s: %s does not answer with %s, but: %.200s\n' "$name" "$path" "$want" "$answer" >&2
        exit 1
    fi
    printf 'ok  %s\n' "$name"
}

step 'is ready' '"ready"' /ready
step 'log in' '"token":"' /login --json '{"email":"ada@where2eat.example","password":"lunch-is-served"}'
token=${answer#*'"token":"'}
token=${token%%'"'*}
step 'fetch recommendations' '"recommendations":[{' /recommendations
step 'read the notes' '"notes":[{' /notes
