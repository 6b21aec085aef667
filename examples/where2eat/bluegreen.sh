#!/usr/bin/env bash
# Deploys Where2Eat to one of two slots, blue and green, while the other one goes on
# serving. Which one is active is a symbolic link that the proxy follows: it reads where
# to send requests from $WHERE2EAT_HOME/active/address.
#
#   bluegreen.sh --tag TAG        deploy TAG to the idle slot, and switch once it is well
#   bluegreen.sh --switch [SLOT]  switch to that slot, unless what runs there is not well
#   bluegreen.sh --current        print the tag that is active
#
# SLOT is blue, green, or the one that was deployed to later or earlier: newer, older.
# If it is active already, nothing is done. Without it, the other one is meant: who does
# not know whether that ran must not run it again.
#
# WHERE2EAT_HOME   where the slots are kept   (default: ~/.local/share/where2eat)
# WHERE2EAT_BLUE   where each of them answers (default: 127.0.0.1:8091
# WHERE2EAT_GREEN                              and      127.0.0.1:8092)
# and what deploy.sh takes besides.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=${WHERE2EAT_HOME:-${HOME:?}/.local/share/where2eat}
declare -A address=([blue]=${WHERE2EAT_BLUE:-127.0.0.1:8091} [green]=${WHERE2EAT_GREEN:-127.0.0.1:8092})

fail() {
    printf 'bluegreen: %s\n' "$1" >&2
    exit "${2:-1}"
}

active() { basename "$(readlink "$home/active" || echo none)"; }

# idle is the slot that may be deployed to.
idle() { [[ $(active) == blue ]] && echo green || echo blue; }

# on SLOT runs deploy.sh for that slot.
on() {
    local slot=$1
    shift
    WHERE2EAT_HOME=$home/$slot WHERE2EAT_LISTEN=${address[$slot]} "$here/deploy.sh" "$@" 8>&-
}

# activate SLOT lets the proxy follow it, at once and completely.
activate() {
    printf '%s\n' "${address[$1]}" >"$home/$1/address"
    ln -sfn "$1" "$home/.next"
    mv -T "$home/.next" "$home/active"
    printf '%s is active: %s\n' "$1" "$(on "$1" --current)"
}

deploy() {
    local slot
    slot=$(idle)
    on "$slot" --tag "$1"
    ln -sfn "$slot" "$home/.next"
    mv -T "$home/.next" "$home/newer"
    activate "$slot"
}

# meant SLOT is the slot that is called so.
meant() {
    local newer
    newer=$(basename "$(readlink "$home/newer" || echo none)")
    case "$1/$newer" in
    /*) idle ;;
    blue/* | green/*) echo "$1" ;;
    newer/blue | older/green) echo blue ;;
    newer/green | older/blue) echo green ;;
    newer/none | older/none) fail "which slot is newer is not known before a deploy" ;;
    *) fail "a slot is blue, green, newer or older" 2 ;;
    esac
}

switch() {
    local slot
    slot=$(meant "$1")
    if [[ $slot == $(active) ]]; then
        printf '%s is active already: %s\n' "$slot" "$(on "$slot" --current)"
        return
    fi
    curl --silent --fail --max-time 5 --output /dev/null "http://${address[$slot]}/health" ||
        fail "nothing that is well answers on $slot (${address[$slot]}); $(active) stays active"
    activate "$slot"
}

# alone makes sure that no other deploy or switch is under way.
alone() {
    mkdir -p "$home"
    exec 8>"$home/.slots"
    flock -n 8 || fail "another deploy or switch is under way"
}

case "${1:-}" in
--current)
    [[ -L $home/active ]] || fail "nothing is active in $home"
    on "$(active)" --current
    ;;
--tag)
    alone
    deploy "${2:?name the tag}"
    ;;
--switch)
    alone
    switch "${2:-}"
    ;;
*) fail "usage: bluegreen.sh --tag TAG | --switch [blue|green|newer|older] | --current" 2 ;;
esac
