#!/bin/sh
# Installs Bunri, or takes it away again. Needs no root, no Python, no network.
#
# Everything is copied beside its destination first and takes its final name by renaming, last: an
# installation is the old one or the new one, whatever interrupts this script. What a running host
# has loaded stays whole until the host lets go of it.
set -eu
umask 022

# The newest glibc that a file in here needs, put in when the archive was made.
needed_glibc=@GLIBC@
version=@VERSION@

say() { printf '%s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

usage() {
    cat <<END
Usage: sh install.sh [--prefix DIR] [--uninstall]

Without options: into your own folders,
  ~/.clap/Bunri.clap
  ~/.vst3/Bunri.vst3
  \$XDG_DATA_HOME/bunri/engine, or ~/.local/share/bunri/engine
  ~/.local/bin/bunri-bounce and others, links into the engine's folder

  --prefix DIR  into DIR/lib/clap, DIR/lib/vst3, DIR/lib/bunri and DIR/bin instead. With /usr, as
                root, hosts find it for every user.
  --uninstall   take all of that away again
END
}

prefix=
uninstall=no
while [ $# -gt 0 ]; do
    case $1 in
        --prefix)
            [ $# -ge 2 ] || fail "--prefix wants a folder"
            prefix=$2
            shift
            ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --uninstall) uninstall=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            usage >&2
            fail "unknown option $1"
            ;;
    esac
    shift
done

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)

if [ -n "$prefix" ]; then
    case $prefix in
        /*) ;;
        *) prefix=$(pwd -P)/$prefix ;;
    esac
    clap=$prefix/lib/clap
    vst3=$prefix/lib/vst3
    data=$prefix/lib/bunri
    programs=$prefix/bin
else
    case ${HOME:-} in
        /*) ;;
        *) fail "HOME is no absolute path, so there is no place to install to: use --prefix DIR" ;;
    esac
    clap=$HOME/.clap
    vst3=$HOME/.vst3
    # As the plugin reads it: a relative path there is to be ignored.
    case ${XDG_DATA_HOME:-} in
        /*) data=$XDG_DATA_HOME/bunri ;;
        *) data=$HOME/.local/share/bunri ;;
    esac
    programs=$HOME/.local/bin
fi

# What is installed: a folder, a name in it, and where it comes from in the archive.
each_item() {
    "$1" "$data" engine "$here/bunri-engine"
    "$1" "$vst3" Bunri.vst3 "$here/Bunri.vst3"
    "$1" "$clap" Bunri.clap "$here/Bunri.clap"
    if [ -n "$prefix" ]; then
        # Nobody's data folder: the plugin finds the engine beside itself.
        "$1" "$vst3" bunri-engine ../bunri/engine
        "$1" "$clap" bunri-engine ../bunri/engine
    fi
}
# And the programs, by their names in the engine's folder.
each_program() {
    for program in @PROGRAMS@; do "$1" "$program"; done
}

there() { [ -e "$1" ] || [ -L "$1" ]; }

# What a run that was killed left behind: its old version goes back if nothing took its place.
recover() {
    for old in "$1/.$2.bunri-old-"*; do
        there "$old" || continue
        if there "$1/$2"; then rm -rf "$old"; else mv "$old" "$1/$2"; fi
    done
    rm -rf "$1/.$2.bunri-new-"*
}

stage() {
    mkdir -p "$1" || fail "cannot create $1"
    case $3 in
        /*) cp -R -P "$3" "$1/.$2.bunri-new-$$" || fail "cannot write into $1: is the disk full?" ;;
        *) ln -s "$3" "$1/.$2.bunri-new-$$" || fail "cannot write into $1" ;;
    esac
}

put_away() {
    if there "$1/$2"; then mv "$1/$2" "$1/.$2.bunri-old-$$"; fi
}

commit() {
    [ -z "$broken" ] || return 0
    if ! { put_away "$1" "$2" && mv "$1/.$2.bunri-new-$$" "$1/$2"; }; then
        broken="$1/$2"
        if ! there "$1/$2" && there "$1/.$2.bunri-old-$$"; then
            mv "$1/.$2.bunri-old-$$" "$1/$2"
        fi
    fi
}

roll_back() {
    # What is still staged never took its place.
    if there "$1/.$2.bunri-new-$$"; then return 0; fi
    rm -rf "${1:?}/$2"
    if there "$1/.$2.bunri-old-$$"; then mv "$1/.$2.bunri-old-$$" "$1/$2"; fi
}

discard() { rm -rf "$1/.$2.bunri-new-$$" "$1/.$2.bunri-old-$$"; }
discard_staged() { rm -rf "$1/.$2.bunri-new-$$"; }

link_program() {
    link=$programs/bunri-${1#bunri-}
    if there "$link" && [ ! -L "$link" ]; then
        say "left alone: $link, which is no link of ours; run $data/engine/$1 in its place"
        return 0
    fi
    [ -x "$data/engine/$1" ] || return 0
    mkdir -p "$programs"
    rm -f "$link"
    ln -s "$data/engine/$1" "$link"
}

unlink_program() {
    link=$programs/bunri-${1#bunri-}
    if [ -L "$link" ] && [ "$(readlink "$link")" = "$data/engine/$1" ]; then rm -f "$link"; fi
}

if [ "$uninstall" = yes ]; then
    found=no
    look_for() { if there "$1/$2"; then found=yes; fi; }
    each_item recover
    each_item look_for
    # Out of sight at once, then gone.
    trap '' HUP INT TERM
    each_item put_away
    each_item discard
    each_program unlink_program
    rmdir "$data" 2>/dev/null || true
    if [ "$found" = yes ]; then say "Bunri is gone"; else say "Bunri was not installed here"; fi
    exit 0
fi

# First everything that can be wrong, before anything is touched.
[ "$(uname -s)" = Linux ] || fail "this is Linux's archive, and here is $(uname -s)"
[ "$(uname -m)" = x86_64 ] || fail "this archive is for x86_64, and here is $(uname -m)"
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/^glibc //') || glibc=
[ -n "$glibc" ] || fail "this system has no glibc, which libtorch is made for"
newest=$(printf '%s\n%s\n' "$glibc" "$needed_glibc" | sort -t . -k 1,1n -k 2,2n | tail -n 1)
[ "$newest" = "$glibc" ] ||
    fail "this system's glibc is $glibc, and $needed_glibc is needed: Debian 12, Ubuntu 22.04, Fedora 36 or newer"
cd -- "$here"
[ -f SHA256SUMS ] || fail "there is no SHA256SUMS beside this script: unpack the archive again"
say "checking the files"
if ! sums=$(sha256sum -c SHA256SUMS 2>&1); then
    printf '%s\n' "$sums" | grep -v ': OK$' >&2 || true
    fail "the archive is damaged: download it and unpack it again. Nothing was changed."
fi

staged=no
clean_up() {
    status=$?
    trap - EXIT
    if [ "$staged" = yes ]; then each_item discard_staged; fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM

say "copying"
staged=yes
each_item recover
each_item stage
# Does it start here? The dynamic linker says what this system lacks, before the old version goes.
if ! started=$("$data/.engine.bunri-new-$$/bounce" --version 2>&1); then
    printf '%s\n' "$started" >&2
    fail "the programs do not start on this system: see above. Nothing was changed."
fi

# From here on: all or nothing.
trap '' HUP INT TERM
broken=
each_item commit
if [ -n "$broken" ]; then
    each_item roll_back
    fail "cannot replace $broken. What was there before is there again."
fi
staged=no
each_item discard
each_program link_program

say "Bunri $version is installed:"
say "  $clap/Bunri.clap"
say "  $vst3/Bunri.vst3"
say "  $data/engine"
say "Scan for plugins in your host, or run: $programs/bunri-bounce song.mp3"
case ":${PATH:-}:" in
    *":$programs:"*) ;;
    *) say "($programs is not in your PATH)" ;;
esac
if [ -z "$prefix" ]; then
    for folder in "$clap" "$vst3"; do
        if there "$folder/bunri-engine"; then
            say "note: $folder/bunri-engine, put there by hand, will be used in place of the engine"
            say "      that was just installed: remove it"
        fi
    done
fi
say "To take it away again: sh $data/engine/install.sh --uninstall${prefix:+ --prefix $prefix}"
