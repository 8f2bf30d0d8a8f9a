import { randomBytes } from 'node:crypto';
import { generateIdentity, parseRecipient } from '../../../src/evidence/age-recipients.js';
import { encryptWhole } from '../../../src/evidence/age-container.js';
import { formatEnvelopeFile, payloadDigest } from '../../../src/evidence/dsse.js';
import type { Envelope } from '../../../src/evidence/dsse.js';
import { sealHead } from '../../../src/evidence/head.js';
import { sealManifest } from '../../../src/evidence/manifest.js';
import type { Manifest } from '../../../src/evidence/manifest.js';
import { sha256Hex } from '../../../src/evidence/merkle-tree.js';
import { SegmentSealer } from '../../../src/evidence/segment-sealer.js';
import { sealSessionKey } from '../../../src/evidence/session-key.js';
import { SEED_BYTES, createSigner } from '../../../src/evidence/signer.js';
import type { Signer } from '../../../src/evidence/signer.js';
import type { SegmentRef } from '../../../src/units.js';

export const makeSigner = (): Signer => createSigner(randomBytes(SEED_BYTES));

/** A camera's keys: the device key and the certified session key of one boot. */
export interface TestDevice {
  readonly device: string;
  readonly boot: number;
  readonly deviceKey: Signer;
  readonly session: Signer;
  readonly certificate: Envelope;
}

export function makeDevice(device: string, boot = 3, deviceKey = makeSigner()): TestDevice {
  const session = makeSigner();
  const facts = { device, boot, issuedMonoMs: 12 };
  return {
    device,
    boot,
    deviceKey,
    session,
    certificate: sealSessionKey(facts, session, deviceKey),
  };
}

/** Everything a card holds of one sealed segment. */
export interface TestSegment {
  readonly ref: SegmentRef;
  readonly manifest: Envelope;
  readonly content: Manifest;
  readonly ciphertext: Buffer;
  readonly leaves: Buffer;
  readonly heads: Buffer;
  readonly meta: Buffer | undefined;
}

const recipients = [parseRecipient(generateIdentity().recipient)];
const NO_DIGEST = '0'.repeat(64);
const media = {
  codec: 'avc1.42c01e',
  width: 640,
  height: 360,
  run: 1,
  start90k: 0,
  gap_before_ms: 0,
};

export interface SegmentOptions {
  readonly rec?: number;
  readonly seq?: number;
  readonly plainBytes?: number;
  readonly hasMeta?: boolean;
  /** Heads in the heads file. */
  readonly heads?: number;
  /** The later boot that sealed it after a power cut. */
  readonly sealedBy?: TestDevice;
}

/** Seals random bytes the way a recorder does: real age container, real trees, heads and manifest by the session key. */
export function sealSegment(owner: TestDevice, options: SegmentOptions = {}): TestSegment {
  const { rec = 1, seq = 0, plainBytes = 300_000, hasMeta = true, heads: headCount = 2 } = options;
  const ref = { boot: owner.boot, rec, seq };
  const sealer = new SegmentSealer({ recipients });
  const parts = [...sealer.start(), ...sealer.push([randomBytes(plainBytes)]), ...sealer.end()];
  const file = { ...sealer.file(), root: sealer.file().root.toString('hex') };
  const plain = { ...sealer.plain(), root: sealer.plain().root.toString('hex') };
  const meta = hasMeta ? encryptWhole(Buffer.from(`{"salt":"${seq}"}\n`), recipients) : undefined;
  const heads = Array.from({ length: headCount }, (_, index) =>
    sealHead(
      {
        device: owner.device,
        ...ref,
        n: index + 1,
        size: file.head,
        root: file.root,
        mono: 100 + index,
        duration90k: 0,
        frames: 0,
        opening: index === 0 ? { media, pre_event: null } : null,
      },
      owner.session,
    ),
  );
  const { sealedBy = owner } = options;
  const isRecovered = sealedBy !== owner;
  const newest = heads.at(-1);
  const recovered =
    newest === undefined
      ? { signed: 0, tail: file.n, head: null }
      : { signed: file.n, tail: 0, head: payloadDigest(newest) };
  const manifest = sealManifest(
    {
      device: owner.device,
      key: sealedBy.session.keyId,
      sealed_by: sealedBy.boot,
      ...ref,
      last: false,
      prev: NO_DIGEST,
      file,
      plain,
      meta: meta === undefined ? null : sha256Hex(meta),
      media: { ...media, duration90k: 90_000, frames: 30 },
      fragments: [[0, 0]],
      pre_event: null,
      end: isRecovered ? 'power-loss' : 'normal',
      recovered: isRecovered ? recovered : null,
      mono: [100, 1100],
      time: { source: 'rtc', uncertainty_ms: 1000 },
      cfg: NO_DIGEST,
      fw: NO_DIGEST,
    },
    sealedBy.session,
  );
  return {
    ref,
    manifest,
    content: JSON.parse(Buffer.from(manifest.payload, 'base64').toString()) as Manifest,
    ciphertext: Buffer.concat(parts.map(({ bytes }) => bytes)),
    leaves: Buffer.concat(parts.map(({ hash }) => hash)),
    heads: Buffer.from(heads.map((head) => formatEnvelopeFile(head)).join('')),
    meta,
  };
}

export const digestOf = (segment: TestSegment): string => payloadDigest(segment.manifest);
