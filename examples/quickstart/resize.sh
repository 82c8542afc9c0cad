#!/usr/bin/env bash
# Stands for a service that does nothing without a good credential: it asks the server whether the
# credential in ASSENT_CREDENTIAL is good for it, and only then "resizes the database".
set -euo pipefail
umask 077

assent credential verify --audience orders-db >verified.txt

# The demo looks at the credential again after the apply, so it asks for a copy of it.
if [[ -n ${DEMO_TOKEN_FILE:-} ]]; then
    printf '%s' "$ASSENT_CREDENTIAL" >"$DEMO_TOKEN_FILE"
fi

printf 'orders is now %s\n' "$INSTANCE_CLASS" >>orders.txt
