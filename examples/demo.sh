# What the demonstrations share; they source it.
# shellcheck shell=bash

step() { printf '\n== %s\n\n' "$*"; }
say() { printf '   %s\n' "$*"; }
indent() { sed 's/^/   /'; }
fail() {
    printf '\ndemo: %s\n' "$*" >&2
    exit 1
}

# Waits until a command succeeds: eventually SECONDS COMMAND…
eventually() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# What runs in the background has a process group of its own, so that Ctrl-C reaches this script
# alone, which then ends the rest in order.
set -m
