#!/usr/bin/env bash
# run-story.sh [6.12|6.1]: `npm run rig`. In the guest, the Linux adapters keep their contracts on the kernel's own drivers,
# then a whole shift is told. One run of AVA: loading it takes 15 s there. guest-check.js shows that the rig itself works.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/run-guest.sh" "${1:-6.12}" 'node node_modules/ava/entrypoints/cli.mjs --config test/rig/ava.config.js \
  test/rig/contract/adapters.test.ts test/rig/story.test.ts'
