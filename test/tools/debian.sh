# Part of setup.sh, whose variables it uses: programs that come from Debian's packages.
# shellcheck shell=bash disable=SC2154

# program, package
debian_packages='
initdb   postgresql
age      age
zstd     zstd
sqlite3  sqlite3
rclone   rclone
chromium chromium
'

has_program() {
    [ -x "$bin/$1" ] || on_path "$1" >/dev/null && return
    case $1 in
    initdb) ls -d /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
    chromium) on_path chromium-browser >/dev/null || on_path google-chrome >/dev/null ;;
    *) false ;;
    esac
}

debian_programs() {
    local program package missing=()
    while read -r program package; do
        [ -z "$program" ] || has_program "$program" || missing+=("$package")
    done <<<"$debian_packages"
    [ ${#missing[@]} -gt 0 ] || return 0

    command -v apt-get >/dev/null || by_hand "${missing[@]}"
    if [ "$(id -u)" = 0 ]; then
        say "installing by apt: ${missing[*]}"
        install_packages "${missing[@]}" || by_hand "${missing[@]}"
    else
        say "unpacking Debian packages into .tools (once): ${missing[*]}"
        unpack_packages "${missing[@]}" || by_hand "${missing[@]}"
    fi
}

by_hand() {
    [ ! -s "$log" ] || say "the end of $log:"$'\n'"$(tail -n 10 "$log")"
    die "install these with your system's package manager, then run this again: $*"
}

# install_packages is for root. Debian's PostgreSQL makes and starts a database of its own when it is
# installed, which nobody asked for; it does so by pg_createcluster, which is shadowed meanwhile.
install_packages() {
    local shadow status=0
    shadow=$(mktemp -d)
    chmod 755 "$shadow"
    ln -s /bin/true "$shadow/pg_createcluster"
    apt_install() {
        DEBIAN_FRONTEND=noninteractive logged apt-get install -y --no-install-recommends -o DPkg::Path="$shadow:$PATH" "$@"
    }
    apt_install "$@" || { logged apt-get update && apt_install "$@"; } || status=$?
    rm -r "$shadow"
    return $status
}

# unpack_packages is for everybody else: apt works on lists of its own, resolves what the system lacks,
# and dpkg-deb unpacks it below .tools/debian. Wrappers in .tools/bin come last: they say that all is there.
unpack_packages() {
    local root=$top/.tools/debian apt=$top/.tools/apt packages
    mkdir -p "$root" "$apt/lists/partial" "$apt/archives/partial"
    local private=(-o Dir::State="$apt" -o Dir::State::Lists="$apt/lists" -o Dir::State::status=/var/lib/dpkg/status
        -o Dir::Cache="$apt" -o Debug::NoLocking=1)
    logged apt-get "${private[@]}" update || return 1
    packages=$(apt-get "${private[@]}" install --simulate --no-install-recommends "$@" 2>>"$log" | awk '$1 == "Inst" { print $2 }' | unpackable) || return 1
    # shellcheck disable=SC2086 # one word per package
    (cd "$apt/archives" && logged apt-get "${private[@]}" download $packages) || return 1
    for package in "$apt"/archives/*.deb; do
        logged dpkg-deb -x "$package" "$root" || return 1
    done
    # Without this file PostgreSQL compiles no queries; with it, it would need libllvm, which is large.
    rm -f "$root"/usr/lib/postgresql/*/lib/llvmjit.so
    rm -rf "$apt"
    wrap_programs "$root" || return 1
}

# unpackable keeps programs, fonts and shared libraries; packages that only work when configured are of no
# use, and a C library beside the system's would not fit its loader.
unpackable() {
    grep -E '^(postgresql(-client)?-[0-9]+|age|zstd|sqlite3|rclone|chromium(-common)?|fontconfig-config|fonts-.+|lib.+)$' | grep -vE '^(libc6|libc-.*|libllvm.*|libz3.*|libperl.*|lib.*-perl)$'
}

wrap_programs() {
    local root=$1 program
    for program in "$root"/usr/lib/postgresql/*/bin/* "$root"/usr/bin/{age,age-keygen,zstd,sqlite3,rclone} "$root"/usr/lib/chromium/chromium; do
        [ -x "$program" ] || continue
        cat >"$bin/.wrapper" <<WRAPPER
#!/bin/sh
# Written by test/tools/debian.sh.
root=\$(cd "\${0%/*}/../debian" && pwd)
for dir in "\$root"/usr/lib/*-linux-gnu/pulseaudio "\$root"/usr/lib/*-linux-gnu "\$root"/lib/*-linux-gnu; do
    LD_LIBRARY_PATH=\$dir\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH
if [ -d "\$root/etc/fonts" ]; then
    export FONTCONFIG_PATH="\$root/etc/fonts" XDG_DATA_HOME="\$root/usr/share"
fi
exec "\$root${program#"$root"}" "\$@"
WRAPPER
        chmod 755 "$bin/.wrapper"
        mv "$bin/.wrapper" "$bin/${program##*/}"
    done
}
