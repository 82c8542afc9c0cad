#!/usr/bin/env bash
# A database login that exists for as long as an approved session lasts: in a PostgreSQL of its own,
# with an authority of its own, both on loopback.
#
#   make demo-postgres                a person decides, on the page that it prints
#   make demo-postgres APPROVE=auto   bob approves through the command line
#
# Everything it makes is in a temporary directory and goes when it ends.
set -euo pipefail
umask 077

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

case "${APPROVE:-}" in
    '' | auto) ;;
    *) printf 'demo: say APPROVE=auto, or nothing\n' >&2 && exit 2 ;;
esac

# shellcheck source=../demo.sh
source "$root/examples/demo.sh"

work= server= database= asking= session=

clean_up() {
    local status=$? pid
    trap '' INT TERM
    for pid in "$asking" "$session" "$server"; do
        [[ -z $pid ]] || kill -TERM "$pid" 2>/dev/null || continue
        [[ -z $pid ]] || wait "$pid" 2>/dev/null || true
    done
    if [[ -n $database ]]; then
        as_postgres "$bin_pg/pg_ctl" -D "$work/pg/data" -m fast -w stop >/dev/null 2>&1 || true
        wait "$database" 2>/dev/null || true
    fi
    [[ -z $work ]] || rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bin_pg=
for place in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin; do
    [[ -x $place/initdb && -x $place/postgres ]] && bin_pg=$place
done
[[ -n $bin_pg ]] || fail 'there is no PostgreSQL server here: install one (Debian: postgresql) and run this again'
for tool in cargo cc psql; do
    command -v "$tool" >/dev/null || fail "\`$tool\` is missing; install it and run this again"
done

# PostgreSQL refuses to run as root.
as_postgres() {
    if ((EUID == 0)); then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

step 'Building the server and the command line'
cd "$root"
if [[ -n ${ASSENT_BIN:-} ]]; then
    bin=$(dirname "$ASSENT_BIN")
else
    cargo build --quiet --package assent-cli
    bin=$(cargo metadata --format-version 1 --no-deps |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/debug
fi
say "in $bin"
export PATH=$bin:$PATH LC_ALL=C

# ------------------------------------------------------------------------------------------------
step 'Starting a PostgreSQL of its own'

work=$(mktemp -d "${TMPDIR:-/tmp}/assent-demo.XXXXXX")
mkdir "$work/pg"
if ((EUID == 0)); then
    chmod 711 "$work"
    chown postgres "$work/pg"
fi
# A port that nobody listens on.
port=$((20000 + RANDOM % 20000))
while (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
as_postgres "$bin_pg/initdb" --no-sync --no-instructions --username postgres --encoding UTF8 \
    --auth-local trust --auth-host scram-sha-256 --pgdata "$work/pg/data" >"$work/initdb.log" 2>&1 ||
    { cat "$work/initdb.log" >&2 && fail 'initdb failed'; }
as_postgres "$bin_pg/postgres" -D "$work/pg/data" -p "$port" -k "$work/pg" \
    -c listen_addresses=127.0.0.1 -c fsync=off >"$work/postgres.log" 2>&1 &
database=$!
ready() { as_postgres "$bin_pg/pg_isready" -q -h "$work/pg" -p "$port"; }
eventually 30 ready || { cat "$work/postgres.log" >&2 && fail 'PostgreSQL did not start'; }
ORDERS_DB_PASSWORD=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
export ORDERS_DB_PASSWORD
superuser() {
    as_postgres "$bin_pg/psql" -v ON_ERROR_STOP=1 -qAtX -U postgres -h "$work/pg" -p "$port" "$@"
}
superuser -v password="$ORDERS_DB_PASSWORD" <"$here/setup.sql" >/dev/null
say "127.0.0.1:$port: a database \`orders\`, a role \`orders_reader\`, and the authority's own login"

# ------------------------------------------------------------------------------------------------
step 'Starting the authority'

sed "s/port: 5432/port: $port/" "$here/brokers.yaml" >"$work/brokers.yaml"
serve --policy "$here/policy" --brokers "$work/brokers.yaml"
say "$ASSENT_URL; alice asks, bob and carol own the orders"

# ------------------------------------------------------------------------------------------------
step 'alice asks for a session, and waits'

say '$ assent request --kind database.session --environment production --duration 10m --wait …'
assent request --kind database.session --environment production --target database=orders \
    --duration 10m --reason 'Look at an order that a customer asks about' --wait \
    >"$work/asked" 2>/dev/null &
asking=$!
request=
find_request() {
    request=$(assent list --state pending --output json | grep -o '"req_[0-9A-Z]*"' | tr -d '"')
}
eventually 30 find_request || fail 'nothing was asked'
assent show "$request" | grep -E '^(requester|kind|environment|target|reason|duration|asks|url) ' | indent
echo
if [[ ${APPROVE:-} == auto ]]; then
    say "\$ assent approve $request      # as bob"
    as bob assent approve "$request" --comment 'go ahead' 2>/dev/null | indent
else
    say 'Log in as bob and approve it:'
    say "$(told dev_login link bob)"
fi
wait "$asking" || fail 'it was not approved'
asking=

# ------------------------------------------------------------------------------------------------
step 'The grant opens a login'

# The lines hold the password: they are read, and never printed.
fields=$(assent credential mint --request "$request" --audience orders-db --broker orders-db 2>/dev/null)
field() { sed -n "s/^$1=//p" <<<"$fields"; }
login=$(field username)
url=$(field url)
say "role $login, until the session ends"
query() { "$bin_pg/psql" -v ON_ERROR_STOP=1 -qAtX "$url" -c "$1"; }
say '$ psql -c "SELECT id, item FROM orders"'
query 'SELECT id, item FROM orders' | indent
if said=$(query "INSERT INTO orders VALUES (4, 'a rug')" 2>&1); then fail 'it may write'; fi
say '$ psql -c "INSERT INTO orders …"'
indent <<<"$said"

query 'SELECT pg_sleep(600)' >/dev/null 2>"$work/session.log" &
session=$!
sessions() { superuser -c "SELECT count(*) FROM pg_stat_activity WHERE usename = '$login'"; }
one_session() { [[ $(sessions) == 1 ]]; }
eventually 10 one_session || fail 'no session is open'
say 'and a session that stays open'

step 'alice is done'
say "\$ assent complete $request"
assent complete "$request" >/dev/null 2>&1
no_role() { [[ $(superuser -c "SELECT count(*) FROM pg_roles WHERE rolname = '$login'") == 0 ]]; }
eventually 30 no_role || fail 'the login is still there'
ended=0
wait "$session" || ended=$?
session=
((ended != 0)) || fail 'the open session lived to its end'
say 'The open session is gone:'
head -n 1 "$work/session.log" | indent
if said=$(query 'SELECT 1' 2>&1); then fail 'the login still works'; fi
say 'psql is refused, and the role is dropped:'
tail -n 1 <<<"$said" | sed 's/.*FATAL/FATAL/' | indent

step 'The audit log of it'
as bob assent watch --from 0 >"$work/story" 2>/dev/null &
session=$!
closed() { grep -q 'broker closed' "$work/story"; }
eventually 30 closed || fail 'the log does not say that it was closed'
indent <"$work/story"
echo
say '$ assent audit verify'
as bob assent audit verify | indent
