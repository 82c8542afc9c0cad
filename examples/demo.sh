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

# The value of FIELD in what the server announced as TYPE, of NAME if one is given.
told() {
    grep "\"type\":\"$1\"" "$work/announced" | grep "\"name\":\"${3:-}" |
        sed -n "s/.*\"$2\":\"\([^\"]*\)\".*/\1/p"
}

# Starts a server for development with these arguments, as $server, in $work, and asks it as alice.
serve() {
    : >"$work/announced"
    assent serve --dev --output json --listen 127.0.0.1:0 --data "$work/data" "$@" \
        >"$work/announced" 2>"$work/server.log" &
    server=$!
    announced() { grep -q '"type":"listening"' "$work/announced"; }
    started() { announced || ! kill -0 "$server" 2>/dev/null; }
    if ! eventually 30 started || ! announced; then
        cat "$work/server.log" >&2
        fail 'the server did not start'
    fi
    ASSENT_URL=$(sed -n 's/.*"type":"listening","url":"\([^"]*\)".*/\1/p' "$work/announced")
    ASSENT_TOKEN=$(told dev_token token alice)
    export ASSENT_URL ASSENT_TOKEN
}

# Runs a command as somebody else: as NAME COMMAND…
as() { ASSENT_TOKEN=$(told dev_token token "$1") "${@:2}"; }
