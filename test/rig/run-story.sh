#!/usr/bin/env bash
# run-story.sh [6.12|6.1]: `npm run rig`. In the guest, first the rig shows that it works, then Lapel works on it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/run-guest.sh" "${1:-6.12}" 'node build/test/rig/guest-check.js &&
  node node_modules/ava/entrypoints/cli.mjs --config test/rig/ava.config.js test/rig/contract/adapters.test.ts'
