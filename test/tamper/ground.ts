import { randomBytes } from 'node:crypto';
import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { generateIdentity, parseRecipient } from '../../src/evidence/age-recipients.js';
import { formatEnvelopeFile, parseEnvelopeFile, payloadDigest } from '../../src/evidence/dsse.js';
import type { Envelope } from '../../src/evidence/dsse.js';
import { readManifest } from '../../src/evidence/manifest.js';
import { toSpkiBase64 } from '../../src/evidence/public-key.js';
import { sealReceipt } from '../../src/evidence/receipt.js';
import type { Signer } from '../../src/evidence/signer.js';
import { emptyTrust, formatTrust, withDevice, withReceiver } from '../../src/evidence/trust.js';
import type { Trust } from '../../src/evidence/trust.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { SimClock } from '../../src/hal/sim/sim-clock.js';
import { openCard } from '../../src/storage/card.js';
import type { Card } from '../../src/storage/card.js';
import { formatSegmentRef } from '../../src/units.js';
import type { SegmentRef } from '../../src/units.js';
import { CONFIG_DIGEST, FIRMWARE_DIGEST, silent } from '../support/boot-fixture.js';
import { fakeEnding, fakeFacts, fakePiece } from '../support/fake-media.js';
import { fastSigner } from '../support/fast-signer.js';

/** Recordings of a boot: how many segments each has. */
type Plan = readonly number[];

const PIECES = 3;
const PIECE_BYTES = 70_000;
const MINUTE_MS = 60_000;
/** The newest hour of a log has so many of its minutes. */
const MINUTES = 60;

export const RECEIVER = 'rx-1';

/** What every try starts from: sealed evidence of two cameras, as cards and as a receiver's store, and who is trusted. */
export interface Ground {
  /** `card/`, `old-card/` (the same after its first boot), `other-card/`, `store/cam-1/`, `other-store/cam-2/`. */
  readonly root: string;
  readonly trust: Trust;
  /** The newest checkpoint of the log, as somebody outside has kept it. */
  readonly checkpoint: string;
}

interface Maker {
  readonly fs: NodeFileSystem;
  readonly clock: SimClock;
  readonly device: string;
  readonly deviceKey: Signer;
  readonly recipient: string;
  readonly receiver: Signer;
  readonly card: string;
}

/** A recording of so many segments of three seconds, sealed. */
async function record(maker: Maker, card: Card, segments: number): Promise<void> {
  const rec = await card.recordings.beginRecording();
  for (let seq = 0; seq < segments; seq += 1) {
    const facts = fakeFacts({ rec, seq, start90k: seq * PIECES * 90_000 });
    const preEvent = { askedMs: 30_000, gotMs: 29_500, reason: 'none' } as const;
    const opened = await card.recordings.openSegment(seq === 0 ? { ...facts, preEvent } : facts);
    for (let n = 0; n < PIECES; n += 1) {
      await opened.append(fakePiece(n, PIECE_BYTES));
      await maker.clock.advance(1000);
    }
    await opened.seal(fakeEnding({ isLast: seq === segments - 1 }));
  }
}

/** What a camera writes while nothing happens. */
async function idle(maker: Maker, card: Card): Promise<void> {
  for (let minute = 0; minute < MINUTES; minute += 1) {
    const beat = {
      beat: minute + 1,
      mode: 'buffering',
      isDocked: false,
      freeBytes: 10 ** 9,
    } as const;
    const said = card.journal.record({ type: 'heartbeat', ...beat });
    await maker.clock.advance(MINUTE_MS);
    await said;
  }
}

export const receiptFor = (
  device: string,
  ref: SegmentRef,
  manifest: Envelope,
  receiver: Signer,
): Envelope => {
  const { file } = readManifest(manifest);
  return sealReceipt(
    {
      device,
      seg: formatSegmentRef(ref),
      man: payloadDigest(manifest),
      root: file.root,
      size: file.size,
      log: null,
      stores: [{ id: RECEIVER, kind: 'fs', durable: true }],
      rx: RECEIVER,
      ts: 1_793_606_400_000,
      nonce: randomBytes(16).toString('hex'),
    },
    receiver,
  );
};

/** One boot: some recordings, an hour of nothing, some receipts. */
async function boot(maker: Maker, plan: Plan): Promise<string> {
  const { fs, clock, device, deviceKey, receiver } = maker;
  const card = await openCard(
    { fs, clock, log: silent },
    {
      card: maker.card,
      device,
      deviceKey,
      recipients: [parseRecipient(maker.recipient)],
      configDigest: CONFIG_DIGEST,
      firmwareDigest: FIRMWARE_DIGEST,
      reserveBytes: 0,
      onSealed: () => undefined,
    },
  );
  await card.recovered;
  for (const segments of plan) await record(maker, card, segments);
  // The oldest half has been to the receiver.
  const pending = await card.outgoing.pending(100);
  for (const { ref, manifest } of pending.slice(0, Math.ceil(pending.length / 2))) {
    await card.outgoing.receipted(ref, receiptFor(device, ref, manifest, receiver));
  }
  await idle(maker, card);
  const checkpoint = await card.checkpoint();
  await card.close('power-off');
  return checkpoint;
}

/** What a receiver would hold of the card: the same files, and a receipt for every segment. */
async function asStore(maker: Maker, store: string): Promise<void> {
  await mkdir(path.dirname(store), { recursive: true });
  await cp(path.join(maker.card, 'ev'), store, { recursive: true });
  for (const name of await readdir(store, { recursive: true })) {
    if (!/\d\.dsse$/.test(name)) continue;
    const [bootName = '', rec = '', file = ''] = name.split(path.sep);
    const ref = { boot: Number(bootName), rec: Number(rec), seq: Number.parseInt(file, 10) };
    const manifest = parseEnvelopeFile(await readFile(path.join(store, name), 'utf8'));
    const receipt = receiptFor(maker.device, ref, manifest, maker.receiver);
    await writeFile(
      path.join(store, name.replace(/\.dsse$/, '.receipt')),
      formatEnvelopeFile(receipt),
    );
  }
}

const copyOf = (from: string, to: string): Promise<void> => cp(from, to, { recursive: true });

/** Makes everything a try starts from below `root`: about 3 MB, in a second or two. */
export async function makeGround(root: string): Promise<Ground> {
  const receiver = fastSigner();
  const base = { fs: new NodeFileSystem(), receiver, recipient: generateIdentity().recipient };
  const maker = (device: string, card: string): Maker => ({
    ...base,
    clock: new SimClock(1000),
    device,
    deviceKey: fastSigner(),
    card: path.join(root, card),
  });
  const mine = maker('cam-1', 'card');
  await boot(mine, [3, 2, 2]);
  await copyOf(mine.card, path.join(root, 'old-card'));
  const checkpoint = await boot({ ...mine, clock: new SimClock(1000) }, [3, 2]);
  await asStore(mine, path.join(root, 'store', 'cam-1'));
  const other = maker('cam-2', 'other-card');
  await boot(other, [3, 2, 2]);
  await asStore(other, path.join(root, 'other-store', 'cam-2'));
  let trust = emptyTrust();
  for (const { device, deviceKey } of [mine, other]) {
    trust = withDevice(trust, device, toSpkiBase64(deviceKey.publicKey));
  }
  trust = withReceiver(trust, RECEIVER, toSpkiBase64(receiver.publicKey));
  await writeFile(path.join(root, 'trust.json'), formatTrust(trust));
  return { root, trust, checkpoint };
}
