import test from 'ava';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { NodeFileSystem } from '../../../../src/hal/linux/node-file-system.js';
import { DeviceIntake } from '../../../../src/sync/receiver/device-intake.js';
import type { ReceiverFault } from '../../../../src/sync/receiver/device-intake.js';
import { EvidenceStore } from '../../../../src/sync/receiver/evidence-store.js';
import { Tally } from '../../../../src/sync/tally.js';
import { makeDevice, makeSigner } from '../../../support/sync/sealed-segment.js';
import { quiet } from '../../../support/sync/station.js';

const owner = makeDevice('cam-1');
const chunk = { key: 1, epoch: 1, index: 0, leaf: Buffer.alloc(1) };

function makeIntake(): { intake: DeviceIntake; tally: Tally<ReceiverFault> } {
  const tally = new Tally<ReceiverFault>(quiet);
  const intake = new DeviceIntake('cam-1', owner.deviceKey.publicKey, {
    key: { rx: 'rx1', signer: makeSigner() },
    // Never reached: nothing is offered.
    store: new EvidenceStore(new NodeFileSystem(), '/dev/null'),
    clock: new SimClock(),
    logger: quiet,
    tally,
    publish: () => Promise.resolve(),
    onStored: () => undefined,
  });
  return { intake, tally };
}

test('more messages than the queue holds are dropped and counted, the others are worked off', async (t) => {
  const { intake, tally } = makeIntake();
  for (let sent = 0; sent < 1000; sent += 1) intake.enqueue({ type: 'chunk', chunk });
  // One is under way, 256 wait.
  t.is(tally.count('overflow'), 1000 - 257);
  await intake.close();
  t.is(tally.count('stale'), 257);
});

test('a closed intake takes nothing more', async (t) => {
  const { intake, tally } = makeIntake();
  await intake.close();
  intake.enqueue({ type: 'chunk', chunk });
  intake.tick();
  t.deepEqual(tally.all(), {});
});
