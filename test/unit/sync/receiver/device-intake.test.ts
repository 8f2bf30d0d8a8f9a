import test from 'ava';
import { CameraError } from '../../../../src/errors.js';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { SimFileSystem } from '../../../../src/hal/sim/sim-file-system.js';
import { decodeWant } from '../../../../src/sync/messages.js';
import { leafRange } from '../../../../src/sync/leaf-layout.js';
import { admit } from '../../../../src/sync/receiver/admission.js';
import { DeviceIntake } from '../../../../src/sync/receiver/device-intake.js';
import type { ReceiverFault } from '../../../../src/sync/receiver/device-intake.js';
import { EvidenceStore } from '../../../../src/sync/receiver/evidence-store.js';
import { Tally } from '../../../../src/sync/tally.js';
import {
  digestOf,
  makeDevice,
  makeSigner,
  sealSegment,
} from '../../../support/sync/sealed-segment.js';
import type { TestSegment } from '../../../support/sync/sealed-segment.js';
import { quiet } from '../../../support/sync/station.js';

const owner = makeDevice('cam-1');
const chunk = { key: 1, epoch: 1, index: 0, leaf: Buffer.alloc(1) };

const certificates = new Map([[owner.boot, owner.certificate]]);
const segments = [0, 1, 2].map((seq) =>
  sealSegment(owner, { seq, plainBytes: 10, hasMeta: false, heads: 0 }),
) as [TestSegment, TestSegment, TestSegment];

const itemOf = ({ ref, manifest }: TestSegment) => ({ key: ref.seq + 1, ref, manifest });

interface Setup {
  readonly intake: DeviceIntake;
  readonly tally: Tally<ReceiverFault>;
  /** Message and key of what was said, in order: `want 1`; a receipt has no key. */
  readonly said: string[];
  readonly files: SimFileSystem;
  readonly store: EvidenceStore;
  /** Offers the segments and waits until the intake has answered. */
  readonly offer: (offered: readonly TestSegment[]) => Promise<void>;
}

function makeIntake(files = new SimFileSystem()): Setup {
  const tally = new Tally<ReceiverFault>(quiet);
  const said: string[] = [];
  const store = new EvidenceStore(files, '/store');
  const intake = new DeviceIntake('cam-1', owner.deviceKey.publicKey, {
    key: { rx: 'rx1', signer: makeSigner() },
    store,
    clock: new SimClock(),
    logger: quiet,
    tally,
    publish: (topic, payload) => {
      const message = topic.split('/').at(-1) ?? '';
      said.push(message === 'want' ? `want ${decodeWant(payload).key}` : message);
      return Promise.resolve();
    },
    onStored: () => undefined,
  });
  const offer = async (offered: readonly TestSegment[]): Promise<void> => {
    const items = offered.map(itemOf);
    intake.enqueue({ type: 'offer', offer: { sid: 's1', items, certificates } });
    await intake.settled();
  };
  return { intake, tally, said, files, store, offer };
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

/** Puts a segment into the store the way a transfer does. */
async function keep(store: EvidenceStore, segment: TestSegment): Promise<void> {
  const admitted = admit('cam-1', owner.deviceKey.publicKey, itemOf(segment), certificates);
  const incoming = await store.begin(admitted);
  const { file } = segment.content;
  for (let index = 0; index < file.n; index += 1) {
    const { offset, length } = leafRange(file, index);
    await incoming.write(index, segment.ciphertext.subarray(offset, offset + length));
  }
  await incoming.seal({ leaves: segment.leaves, heads: segment.heads, meta: segment.meta });
}

test('the receipt of a stored segment is issued, and said again when it is offered again', async (t) => {
  const { store, said, tally, offer } = makeIntake();
  await keep(store, segments[0]);
  await offer([segments[0]]);
  await offer([segments[0]]);
  t.deepEqual(said, ['receipt', 'receipt']);
  t.deepEqual(tally.all(), {});
});

for (const [what, harm] of [
  ['is gone', (files: SimFileSystem) => files.rename('/store/cam-1/3/1/0.age', '/store/elsewhere')],
  [
    'is cut',
    (files: SimFileSystem) => files.writeAtomic('/store/cam-1/3/1/0.age', Buffer.alloc(9)),
  ],
] as const) {
  test(`a stored segment whose ciphertext ${what} gets no receipt, neither a new one nor the old one again`, async (t) => {
    const { store, said, tally, files, offer } = makeIntake();
    await keep(store, segments[0]);
    await harm(files);
    await offer([segments[0]]);
    t.is((await store.find('cam-1', segments[0].ref))?.receipt, undefined);
    const other = makeIntake();
    await keep(other.store, segments[0]);
    await other.offer([segments[0]]);
    await harm(other.files);
    await other.offer([segments[0]]);
    t.deepEqual([said, other.said], [[], ['receipt']]);
    t.is(tally.count('refused-offer'), 1);
    t.is(other.tally.count('refused-offer'), 1);
  });
}

test('a segment that the store fails on lets the others through and comes last in the next offer', async (t) => {
  const { said, tally, files, offer, intake } = makeIntake();
  const bad = `3-1-0-${digestOf(segments[0]).slice(0, 16)}.age`;
  files.faults.beforeStep = (step) => {
    if (step.path.endsWith(bad)) throw new CameraError('storage/io', 'a bad block');
  };
  await offer(segments);
  t.deepEqual(said, ['want 2']);
  t.is(tally.count('store-failed'), 1);
  delete files.faults.beforeStep;
  await offer([segments[0], segments[2]]);
  t.deepEqual(said, ['want 2', 'want 3']);
  await intake.close();
});

test('a transfer that the store fails on makes room for the next segment', async (t) => {
  const { said, tally, files, offer, intake } = makeIntake();
  const [first, second] = segments;
  await offer([first, second]);
  t.deepEqual(said, ['want 1']);
  const epoch = 1 + Math.floor(new SimClock().wallTime().ms / 1000);
  const part = { key: 1, epoch };
  intake.enqueue({ type: 'leaves', part: { ...part, first: 0, hashes: first.leaves } });
  const heads = { kind: 'heads', offset: 0, total: 0, bytes: Buffer.alloc(0) } as const;
  intake.enqueue({ type: 'attachment', part: { ...part, ...heads } });
  await intake.settled();
  t.deepEqual(said, ['want 1', 'want 1']);
  files.faults.beforeStep = ({ kind }) => {
    if (kind === 'write') throw new CameraError('storage/io', 'a bad block');
  };
  const { offset, length } = leafRange(first.content.file, 0);
  const leaf = first.ciphertext.subarray(offset, offset + length);
  intake.enqueue({ type: 'chunk', chunk: { key: 1, epoch: epoch + 1, index: 0, leaf } });
  await intake.settled();
  delete files.faults.beforeStep;
  t.is(tally.count('store-failed'), 1);
  t.deepEqual(said, ['want 1', 'want 1', 'want 2']);
  await intake.close();
});
