#!/usr/bin/env bash
# The step, in place of this shell, so that the signals of a cancellation reach the binary.
# Of the runner's temporary directory only the home is the host's too.
set -euo pipefail
export RUNNER_TEMP=$HOME
exec assent-action main
