#!/usr/bin/env bash
# Starts and stops Where2Eat, as a service manager would. Both may be run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
set -a
. ./where2eat.env
set +a

running() {
    pid=$(cat where2eat.pid 2>/dev/null) && [[ $(readlink "/proc/$pid/exe" 2>/dev/null) == "$WHERE2EAT_PROGRAM" ]]
}

listens() { { : <>"/dev/tcp/${WHERE2EAT_LISTEN%:*}/${WHERE2EAT_LISTEN##*:}"; } 2>/dev/null; }

case "${1:-}" in
start)
    running && exit 0
    setsid "$WHERE2EAT_PROGRAM" </dev/null >>where2eat.log 2>&1 &
    printf '%s\n' $! >where2eat.pid
    for _ in {1..150}; do
        listens && exit 0
        [[ -n $(jobs -rp) ]] || { tail -n 1 where2eat.log >&2; exit 1; }
        sleep 0.1
    done
    echo "it does not listen on $WHERE2EAT_LISTEN" >&2
    exit 1
    ;;
stop)
    running || exit 0
    kill -TERM "$pid"
    for _ in {1..150}; do
        running || exit 0
        sleep 0.1
    done
    kill -KILL "$pid"
    ;;
*)
    echo "usage: where2eat.sh start|stop" >&2
    exit 2
    ;;
esac
