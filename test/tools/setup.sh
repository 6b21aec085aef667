#!/usr/bin/env bash
# Gets programs that the demo, the tests and the linters need, unless they are there.
#
#   test/tools/setup.sh NAME...
#
# A NAME is one from the file versions: it goes into .tools/bin. Or it is "debian", which stands for
# PostgreSQL, age, zstd, sqlite3, rclone and Chromium: root gets them from apt, anyone else gets them
# unpacked below .tools. When everything is there, this prints nothing and does not use the network.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
bin=$top/.tools/bin
log=$top/.tools/setup.log
path_without_tools=$(tr : '\n' <<<"$PATH" | grep -vxF "$bin" | paste -sd :)
mkdir -p "$bin"

say() { echo "tools: $*" >&2; }

die() {
    say "$*"
    exit 1
}

# logged runs a command whose output only matters if it fails.
logged() { "$@" </dev/null >>"$log" 2>&1; }

on_path() { PATH=$path_without_tools command -v "$1"; }

at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# module_version prints the module version that a Go program was built from.
module_version() { go version -m "$1" 2>/dev/null | awk '$1 == "mod" { print $3 }'; }

# serves: does PATH have the program, recent enough? One built by 'go install' knows its module's version
# only, one from a release its own only.
serves() {
    local program version
    [ "$2" != - ] && program=$(on_path "$1") || return 1
    version=$( (module_version "$program"; "$program" --version 2>/dev/null) | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | sed -n 1p)
    at_least "$2" "${version:-0}"
}

go_program() {
    local name=$1 package version oldest
    read -r package version oldest < <(awk -v name="$name" '$1 == name { print $2, $3, $4 }' "$here/versions") ||
        die "no program '$name' in test/tools/versions"
    if [ "$(module_version "$bin/$name")" = "$version" ] || serves "$name" "$oldest"; then
        return
    fi
    say "building $name $version (up to 3 minutes, once)"
    (cd / && GOBIN=$bin CGO_ENABLED=0 GOFLAGS='' GOWORK=off logged go install -trimpath -ldflags='-s -w' "$package@$version") ||
        die "cannot build $name; the end of $log:"$'\n'"$(tail -n 20 "$log")"
}

# shellcheck source-path=SCRIPTDIR source=debian.sh
. "$here/debian.sh"

command -v go >/dev/null || die "install Go $(awk '$1 == "go" { print $2 }' "$top/go.mod") or newer (https://go.dev/dl), then run this again"
: >"$log"
for name in "$@"; do
    case $name in
    debian) debian_programs ;;
    *) go_program "$name" ;;
    esac
done
