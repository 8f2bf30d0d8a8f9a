import test from 'ava';
import { stallFaults, stallKinds, tryStall } from '../stall/stall-try.js';

// The short version of `npm run stall`: one try of each kind, with the real capture child.

for (const kind of stallKinds) {
  test.serial(`${kind}: seen, told, shown in amber and over within its bounds`, async (t) => {
    t.timeout(60_000);
    const times = await tryStall(kind);
    t.deepEqual(stallFaults(kind, times), [], JSON.stringify(times));
  });
}
