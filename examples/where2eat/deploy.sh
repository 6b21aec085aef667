#!/usr/bin/env bash
# Deploys a release of Where2Eat. A release is a Git tag and never changes.
#
#   deploy.sh --tag TAG   build TAG, switch to it, restart the service
#   deploy.sh --current   print the tag that is deployed
#
# WHERE2EAT_REPO        Git repository                 (default: the one of this file)
# WHERE2EAT_HOME        where releases are kept        (default: ~/.local/share/where2eat)
# WHERE2EAT_PACKAGE     the program in the repository  (default: ./examples/where2eat)
# WHERE2EAT_LISTEN      where the service answers      (default: 127.0.0.1:8090)
# WHERE2EAT_DEPLOY_LOG  gets a line "TIME TAG" when a deploy begins  (default: none is kept)
# The service gets the environment that deploy.sh is started with.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=${WHERE2EAT_REPO:-$(git -C "$here" rev-parse --show-toplevel)}
home=${WHERE2EAT_HOME:-${HOME:?}/.local/share/where2eat}
package=${WHERE2EAT_PACKAGE:-./examples/where2eat}
listen=${WHERE2EAT_LISTEN:-127.0.0.1:8090}
pid_file=$home/where2eat.pid

fail() {
    printf 'deploy: %s\n' "$1" >&2
    exit "${2:-1}"
}

current() {
    [[ -L $home/current ]] || fail "nothing is deployed in $home"
    basename "$(readlink "$home/current")"
}

# build makes releases/TAG, or leaves nothing there.
build() {
    local tag=$1 commit release work
    git -C "$repo" rev-parse --quiet --verify "refs/tags/$tag" >/dev/null ||
        fail "there is no release $tag; there are: $(git -C "$repo" tag --list | tr '\n' ' ')"
    commit=$(git -C "$repo" rev-parse "refs/tags/$tag^{commit}")
    release=$home/releases/$tag
    if [[ -d $release ]]; then
        [[ $(cat "$release/COMMIT") == "$commit" ]] || fail "the tag $tag was moved; releases must not change"
        return
    fi
    mkdir -p "$home/releases"
    work=$(mktemp -d "$home/releases/.build-XXXXXX")
    # shellcheck disable=SC2064 # the folder of this very build
    trap "rm -rf '$work'" EXIT
    git -C "$repo" archive --format=tar "$commit" | tar -x -C "$work"
    (cd "$work" && CGO_ENABLED=0 go build -buildvcs=false -trimpath \
        -ldflags "-X main.release=$tag -X main.commit=$commit" -o "$work/where2eat" "$package")
    printf '%s\n' "$commit" >"$work/COMMIT"
    mv -T "$work" "$release"
    trap - EXIT
}

# running prints the pid of the service, if it is one of our releases.
running() {
    local pid
    pid=$(cat "$pid_file" 2>/dev/null) || return 1
    [[ $(readlink "/proc/$pid/exe" 2>/dev/null) == "$home/releases/"* ]] || return 1
    printf '%s' "$pid"
}

stop() {
    local pid
    pid=$(running) || return 0
    kill -TERM "$pid"
    for _ in {1..150}; do
        running >/dev/null || return 0
        sleep 0.1
    done
    fail "the service (pid $pid) did not stop within 15 seconds"
}

answers() {
    local status
    { exec 3<>"/dev/tcp/${listen%:*}/${listen##*:}"; } 2>/dev/null || return 1
    printf 'GET /health HTTP/1.0\r\n\r\n' >&3
    read -r -t 5 status <&3 || true
    exec 3>&-
    [[ ${status:-} == *' 200 '* ]]
}

start() {
    setsid "$(readlink -f "$home/current")/where2eat" </dev/null >>"$home/where2eat.log" 2>&1 9>&- &
    printf '%s\n' $! >"$pid_file"
    for _ in {1..150}; do
        answers && return 0
        [[ -n $(jobs -rp) ]] || fail "the service ended at once: $(tail -n 1 "$home/where2eat.log")"
        sleep 0.1
    done
    fail "the service does not answer on $listen/health"
}

deploy() {
    local tag=$1
    [[ -z ${WHERE2EAT_DEPLOY_LOG:-} ]] || printf '%s %s\n' "$(date -u +%FT%TZ)" "$tag" >>"$WHERE2EAT_DEPLOY_LOG"
    [[ $tag =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || fail "a tag has letters, digits, dots, hyphens and underscores only" 2
    mkdir -p "$home"
    home=$(cd "$home" && pwd -P)
    exec 9>"$home/.lock"
    flock -n 9 || fail "another deploy is under way"
    build "$tag"
    ln -sfn "releases/$tag" "$home/.next"
    mv -T "$home/.next" "$home/current"
    stop
    start
    printf 'deployed %s\n' "$tag"
}

case "${1:-}" in
--current) current ;;
--tag) deploy "${2:?name the tag}" ;;
*) fail "usage: deploy.sh --tag TAG | --current" 2 ;;
esac
