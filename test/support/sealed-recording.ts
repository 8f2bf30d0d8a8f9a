import { randomBytes } from 'node:crypto';
import { generateIdentity, parseRecipient } from '../../src/evidence/age-recipients.js';
import type { AgeRecipient } from '../../src/evidence/age-recipients.js';
import { encryptWhole } from '../../src/evidence/age-container.js';
import { formatEnvelopeFile, payloadDigest } from '../../src/evidence/dsse.js';
import type { Envelope } from '../../src/evidence/dsse.js';
import { NO_DIGEST } from '../../src/evidence/fields.js';
import { sealHead } from '../../src/evidence/head.js';
import { sealManifest } from '../../src/evidence/manifest.js';
import type { Manifest } from '../../src/evidence/manifest.js';
import { Frontier, sha256Hex } from '../../src/evidence/merkle-tree.js';
import { toSpkiBase64 } from '../../src/evidence/public-key.js';
import { SegmentSealer } from '../../src/evidence/segment-sealer.js';
import { sealSessionKey } from '../../src/evidence/session-key.js';
import { createSigner } from '../../src/evidence/signer.js';
import type { Signer } from '../../src/evidence/signer.js';
import { emptyTrust, withDevice } from '../../src/evidence/trust.js';
import type { Trust } from '../../src/evidence/trust.js';
import type { SegmentFiles } from '../../src/evidence/verify-segment.js';
import type { SegmentRef } from '../../src/units.js';

/** A camera as far as evidence goes: its keys, the sessions it has had, and who may read its footage. */
export interface TestCamera {
  readonly device: string;
  readonly deviceKey: Signer;
  readonly trust: Trust;
  readonly identity: string;
  readonly recipients: readonly AgeRecipient[];
  /** Session key by boot. */
  readonly sessionKeys: ReadonlyMap<number, Signer>;
  /** Certificate file by boot. */
  readonly sessions: ReadonlyMap<number, string>;
}

/** A camera with random keys that has booted as `boots` says. */
export function makeCamera(
  device = 'lapel-000123',
  boots: readonly number[] = [17, 18],
): TestCamera {
  const deviceKey = createSigner(randomBytes(32));
  const sessionKeys = new Map(boots.map((boot) => [boot, createSigner(randomBytes(32))]));
  const sessions = new Map(
    [...sessionKeys].map(([boot, key]) => [
      boot,
      formatEnvelopeFile(sealSessionKey({ device, boot, issuedMonoMs: 12 }, key, deviceKey)),
    ]),
  );
  const { identity, recipient } = generateIdentity();
  return {
    device,
    deviceKey,
    trust: withDevice(emptyTrust(), device, toSpkiBase64(deviceKey.publicKey)),
    identity,
    recipients: [parseRecipient(recipient)],
    sessionKeys,
    sessions,
  };
}

/** The session key of a boot the camera had. */
export function sessionOf(camera: TestCamera, boot: number): Signer {
  const key = camera.sessionKeys.get(boot);
  if (key === undefined) throw new Error(`camera had no boot ${boot}`);
  return key;
}

/** Everything of one segment, files as buffers so that tests can damage them. */
export interface TestSegment {
  readonly ref: SegmentRef;
  readonly plain: Buffer;
  readonly salt: Buffer;
  readonly ciphertext: Buffer;
  readonly leaves: Buffer;
  readonly heads: string;
  readonly meta: Buffer;
  readonly envelope: Envelope;
  readonly manifest: string;
  /** Bytes of leaf 0. */
  readonly head: number;
}

export interface SegmentChoices {
  readonly ref?: SegmentRef;
  readonly bytes?: number;
  /** What is sealed: as many random bytes unless it is given. */
  readonly plain?: Buffer;
  /** The sealed metadata, from the salt of the plaintext. */
  readonly metadata?: (salt: Buffer) => Buffer;
  readonly previous?: TestSegment;
  readonly change?: (manifest: Omit<Manifest, 'v' | 'type'>) => Omit<Manifest, 'v' | 'type'>;
}

/** Ticks of a second. */
const TICKS = 90_000;
/** Two seconds of pictures for every 64 KiB: fragment k starts at second 2k and at byte 100 + 65,536 k. */
const SECONDS_PER_CHUNK = 2;
const INIT_BYTES = 100;

const fragmentsOf = (bytes: number): [number, number][] =>
  Array.from({ length: Math.max(1, Math.ceil((bytes - INIT_BYTES) / 65_536)) }, (_, index) => [
    index * SECONDS_PER_CHUNK * TICKS,
    INIT_BYTES + index * 65_536,
  ]);

/** One sealed segment of boot 17, recording 3, with a head after every push. */
export function makeSegment(camera: TestCamera, choices: SegmentChoices = {}): TestSegment {
  const { ref = { boot: 17, rec: 3, seq: 0 }, previous } = choices;
  const plain = choices.plain ?? randomBytes(choices.bytes ?? 200_000);
  const bytes = plain.length;
  const session = sessionOf(camera, ref.boot);
  const sealer = new SegmentSealer({ recipients: camera.recipients });
  const where = { device: camera.device, ...ref };
  const tree = new Frontier();
  const written: Buffer[] = [];
  const hashes: Buffer[] = [];
  const heads: string[] = [];
  const write = (leaves: readonly { bytes: Buffer; hash: Buffer }[]): void => {
    for (const leaf of leaves) {
      written.push(leaf.bytes);
      hashes.push(leaf.hash);
      tree.push(leaf.hash);
    }
  };
  write(sealer.start());
  for (let at = 0; at < bytes; at += 70_000) {
    write(sealer.push([plain.subarray(at, at + 70_000)]));
    const { size, n, root } = sealer.file();
    const media = { duration90k: TICKS, frames: 30, opening: null };
    const facts = { ...where, n, size, root: root.toString('hex'), mono: 1000 + at, ...media };
    heads.push(formatEnvelopeFile(sealHead(facts, session)));
  }
  write(sealer.end());
  const facts = choices.metadata?.(sealer.salt) ?? Buffer.from('{"salt":"sealed"}\n');
  const meta = encryptWhole(facts, camera.recipients);
  const file = sealer.file();
  const plainFacts = sealer.plain();
  const fragments = fragmentsOf(bytes);
  const document: Omit<Manifest, 'v' | 'type'> = {
    ...where,
    key: session.keyId,
    sealed_by: ref.boot,
    last: false,
    prev: previous === undefined ? NO_DIGEST : payloadDigest(previous.envelope),
    file: { ...file, root: file.root.toString('hex') },
    plain: { size: plainFacts.size, root: plainFacts.root.toString('hex') },
    meta: sha256Hex(meta),
    media: {
      codec: 'avc1.42c01f',
      width: 1280,
      height: 720,
      run: 1,
      start90k: ref.seq * 10 * TICKS,
      duration90k: 10 * TICKS,
      frames: 300,
      gap_before_ms: 0,
    },
    fragments,
    pre_event: ref.seq === 0 ? { asked_ms: 30_000, got_ms: 29_500, reason: 'none' } : null,
    end: 'normal',
    recovered: null,
    mono: [1000, 11_000],
    time: { source: 'gnss', uncertainty_ms: 20 },
    cfg: sha256Hex(Buffer.from('cfg')),
    fw: sha256Hex(Buffer.from('fw')),
  };
  const envelope = sealManifest(choices.change?.(document) ?? document, session);
  return {
    ref,
    plain,
    salt: sealer.salt,
    ciphertext: Buffer.concat(written),
    leaves: Buffer.concat(hashes),
    heads: heads.join(''),
    meta,
    envelope,
    manifest: formatEnvelopeFile(envelope),
    head: file.head,
  };
}

/** The bytes as a stream of pieces that fit no boundary. */
export async function* inPieces(bytes: Buffer, pieceBytes = 50_021): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    yield await Promise.resolve(bytes.subarray(at, at + pieceBytes));
  }
}

/** What a verifier is given; `damage` replaces or removes files. */
export const filesOf = (
  camera: TestCamera,
  segment: TestSegment,
  damage: Partial<Omit<SegmentFiles, 'ciphertext'>> & { ciphertext?: Buffer | undefined } = {},
): SegmentFiles => {
  const { ref, manifest, leaves, heads, meta } = segment;
  const ciphertext = 'ciphertext' in damage ? damage.ciphertext : segment.ciphertext;
  return {
    ref,
    sessions: camera.sessions,
    manifest,
    leaves,
    heads,
    meta,
    ...damage,
    ciphertext: ciphertext && inPieces(ciphertext),
  };
};

/** A copy with the bits of `mask` turned at one byte. */
export function flip(bytes: Buffer, at: number, mask = 1): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ mask;
  return copy;
}

/** The same for the text of a file, as a reader gets it. */
export const flipText = (text: string, at: number, mask = 1): string =>
  flip(Buffer.from(text, 'utf8'), at, mask).toString('utf8');
