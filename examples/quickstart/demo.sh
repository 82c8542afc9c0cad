#!/usr/bin/env bash
# A Terraform apply that waits for two people, against a server of its own on loopback.
#
#   make demo                people decide, on the pages that it prints
#   make demo APPROVE=auto   bob and carol approve through the command line
#   make demo DENY=1         bob denies
#
# Everything it makes is in a temporary directory and goes when it ends.
set -euo pipefail
umask 077

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
audience=orders-db
objection='not on a Friday evening'

case "${DENY:-}/${APPROVE:-}" in
    /) mode=people ;;
    /auto) mode=approve ;;
    1/) mode=deny ;;
    *) printf 'demo: say APPROVE=auto, or DENY=1, or neither\n' >&2 && exit 2 ;;
esac

# shellcheck source=../demo.sh
source "$root/examples/demo.sh"

work= server= terraform= viewer= watcher=

# Terraform first: stopped, it withdraws what is still pending, for which it needs the server.
clean_up() {
    local status=$? pid
    trap '' INT TERM
    for pid in "$terraform" "$viewer" "$watcher" "$server"; do
        [[ -z $pid ]] || kill -TERM "$pid" 2>/dev/null || continue
        [[ -z $pid ]] || wait "$pid" 2>/dev/null || true
    done
    [[ -z $work ]] || rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for tool in cargo cc terraform; do
    command -v "$tool" >/dev/null || fail "\`$tool\` is missing; install it and run this again"
done

step 'Building the server, the command line and the provider'
cd "$root"
cargo build --quiet --package assent-cli --package assent-provider
target=$(cargo metadata --format-version 1 --no-deps |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
bin=$target/debug
say "in $bin"

work=$(mktemp -d "${TMPDIR:-/tmp}/assent-demo.XXXXXX")
export PATH=$bin:$PATH

# ------------------------------------------------------------------------------------------------
step 'Starting the server on loopback, with its ledger in a temporary directory'

serve --policy "$here/policy"
say "$ASSENT_URL, policy $here/policy"
say 'alice asks; bob and carol are release-managers'

assent watch --from 0 >"$work/story" 2>/dev/null &
watcher=$!

# ------------------------------------------------------------------------------------------------
step 'terraform plan, as alice'

mkdir "$work/quickstart"
cp "$here/main.tf" "$here/resize.sh" "$work/quickstart/"
cd "$work/quickstart"
cat >"$work/terraform.rc" <<END
provider_installation {
  dev_overrides { "assent-dev/assent" = "$bin" }
  direct {}
}
END
export TF_CLI_CONFIG_FILE=$work/terraform.rc CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
export DEMO_TOKEN_FILE=$work/token

if ! terraform plan -no-color -input=false -out=plan.out >"$work/plan.log" 2>&1; then
    cat "$work/plan.log" >&2
    fail 'terraform plan failed'
fi
grep '^Plan:' "$work/plan.log" | indent
sed -n '/^Warning: Approval required/,/^http/p' "$work/plan.log" | grep -v '^ \|^$' | indent

# ------------------------------------------------------------------------------------------------
step 'terraform apply, as alice: it stops where the approval is'

# What terraform says, without its warning that the provider was built here.
view() {
    local line began=
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$work/apply.log"
        case $line in
            assent_approval.* | Error:*) began=1 ;;
            *'output suppressed'*) continue ;;
        esac
        [[ -z $began ]] || printf '   | %s\n' "$line"
    done
}
: >"$work/apply.log"
mkfifo "$work/pipe"
view <"$work/pipe" &
viewer=$!
terraform apply -no-color -input=false -auto-approve plan.out >"$work/pipe" 2>&1 &
terraform=$!

request=
find_request() {
    request=$(assent list --state pending --output json | grep -o '"req_[0-9A-Z]*"' | tr -d '"') ||
        ! kill -0 "$terraform" 2>/dev/null
}
eventually 60 find_request || true
[[ -n $request ]] || fail 'terraform asked for nothing'

still_creating() { grep -q '^assent_approval.release: Still creating' "$work/apply.log"; }
waits_or_is_over() { still_creating || ! kill -0 "$terraform" 2>/dev/null; }

step 'This is asked'
assent show "$request" | grep -E '^(requester|kind|environment|target|context|reason|digest|asks|url) ' |
    indent
echo

case $mode in
    people)
        say 'Log in as these two and approve it. One denial ends it.'
        ;;
    approve | deny)
        say 'These links are for you; here the command line decides once terraform says that it waits.'
        ;;
esac
say "bob    $(told dev_login link bob)"
say "carol  $(told dev_login link carol)"
echo

if [[ $mode != people ]]; then
    eventually 30 waits_or_is_over || fail 'terraform does not say that it waits'
fi
case $mode in
    approve)
        echo
        say "\$ assent approve $request      # as bob, then as carol"
        as bob assent approve "$request" --comment 'looks right' 2>/dev/null | indent
        as carol assent approve "$request" 2>/dev/null | indent
        ;;
    deny)
        echo
        say "\$ assent deny $request --comment '$objection'      # as bob"
        as bob assent deny "$request" --comment "$objection" 2>/dev/null | indent
        ;;
esac

status=0
wait "$terraform" || status=$?
terraform=
wait "$viewer" || true
viewer=

# ------------------------------------------------------------------------------------------------
# The audit entries of the whole story, and whether the log is whole.
tell_audit() {
    step 'The audit log of the whole story'
    local verified entries
    verified=$(assent audit verify) || fail 'assent audit verify: the log is not whole'
    entries=$(sed -n 's/^ok: \([0-9]*\) entries.*/\1/p' <<<"$verified")
    all_told() { (($(wc -l <"$work/story") >= entries)); }
    eventually 30 all_told || fail 'the watcher missed entries'
    indent <"$work/story"
    echo
    say '$ assent audit verify'
    indent <<<"$verified"
}

# ------------------------------------------------------------------------------------------------
if ((status != 0)); then
    [[ $mode != approve ]] || fail 'the apply failed although it was approved'
    step 'The apply failed, cleanly'
    grep -q '^Error: Approval denied' "$work/apply.log" || fail 'it did not fail for the denial'
    # Terraform wraps what it prints.
    told=$(sed -n '/^Error: Approval denied/,$p' "$work/apply.log" | tr '\n' ' ')
    denial='was denied by '
    [[ $mode == people ]] || denial+="bob: $objection"
    [[ $told == *"$denial"* ]] || fail 'it does not say who denied it and why'
    say 'It says who denied it and why.'
    if [[ -e orders.txt || -e $DEMO_TOKEN_FILE || -n $(terraform state list 2>/dev/null) ]]; then
        fail 'something was touched'
    fi
    say 'No credential was minted, the database was not touched, nothing is in the state.'
    tell_audit
    exit 0
fi

[[ $mode != deny ]] || fail 'the apply went through although it was denied'

step 'During the apply the credential was good'
[[ -s $DEMO_TOKEN_FILE && -s orders.txt ]] || fail 'the guarded step did not run'
say 'What `assent credential verify` said inside the guarded step:'
indent <verified.txt
say "and so: $(cat orders.txt)"

step 'Now the same credential is refused'
verdict=0
said=$(ASSENT_CREDENTIAL=$(cat "$DEMO_TOKEN_FILE") \
    assent credential verify --audience "$audience" 2>&1) || verdict=$?
indent <<<"$said"
((verdict == 1)) || fail "the credential was not refused (exit code $verdict)"

step 'It is in neither state nor plan file'
mkdir "$work/plan"
unpacked='as terraform shows it'
if command -v unzip >/dev/null; then
    unzip -q plan.out -d "$work/plan"
    unpacked='unpacked, and as terraform shows it'
fi
terraform show -json plan.out >"$work/plan/shown.json"
terraform show -json >"$work/plan/state.json"
# The digest of what was approved is in both, so the search finds what is there.
digest=$(sed -n 's/.*"intent_digest": *"sha256:\([0-9a-f]*\)".*/\1/p' terraform.tfstate)
for place in terraform.tfstate "$work/plan"; do
    grep -rqF "$digest" "$place" || fail "the search does not work in $place"
    # Whole, and its signature alone.
    for secret in "$(cat "$DEMO_TOKEN_FILE")" "$(sed 's/.*\.//' "$DEMO_TOKEN_FILE")"; do
        ! grep -rqF -e "$secret" "$place" plan.out || fail "the credential is in $place"
    done
done
say 'terraform.tfstate   searched: not there'
say "plan.out            searched, $unpacked: not there"

tell_audit
