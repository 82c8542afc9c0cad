#!/usr/bin/env bash
# Before the job's first step: whether the job may prove who it is. Later steps cannot be asked for it.
set -euo pipefail
if [[ -z ${ACTIONS_ID_TOKEN_REQUEST_URL:-} ]]; then
    printf '::warning title=Assent::this job has no OpenID token: give it `permissions: id-token: write`\n'
fi
