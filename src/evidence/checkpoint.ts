import { CameraError } from '../errors.js';
import { HASH_BYTES, TREE_SIZE_MAX } from './merkle-tree.js';
import { SIGNATURE_BYTES, verifySignature } from './public-key.js';
import type { Signer } from './signer.js';
import { formatSignatureLine, noteKeyId, parseNote, signNote, verifyNote } from './signed-note.js';
import type { Note, NoteKey } from './signed-note.js';

/** Heads of the device log as C2SP tlog-checkpoint notes, and the cosignatures of witnesses (C2SP tlog-cosignature). */

/** Size and root (RFC 6962) of a log. */
export interface TreeHead {
  readonly size: number;
  readonly root: Buffer;
}

/** A checkpoint as it was read; nothing is said of its signatures. */
export interface Checkpoint extends TreeHead {
  /** Which log: `originOf` of a device. */
  readonly origin: string;
  readonly note: Note;
}

/** Reserved by RFC 2606, so that it is nobody's: the device id behind it is the name, before and after a rotation of keys. */
const ORIGIN_PREFIX = 'lapel.example/';

/** The origin of the log of a device, and the name of its key in signature lines. */
export const originOf = (device: string): string => `${ORIGIN_PREFIX}${device}`;

/** The device whose log has this origin; undefined for the log of somebody else. */
export const deviceOfOrigin = (origin: string): string | undefined =>
  origin.startsWith(ORIGIN_PREFIX) ? origin.slice(ORIGIN_PREFIX.length) : undefined;

const SIZE = /^(?:0|[1-9]\d{0,9})$/;
const COSIGNATURE = 4;
const TIME_BYTES = 8;

/**
 * The signed note over a head of the log of `device`: by the device key, and after a rotation by the old one beside the new.
 * Signing is the caller's promise that the head extends every one signed before.
 */
export function sealCheckpoint(
  device: string,
  { size, root }: TreeHead,
  deviceKeys: readonly Pick<Signer, 'sign' | 'publicKey'>[],
): string {
  const name = originOf(device);
  return signNote(
    `${name}\n${size}\n${root.toString('base64')}\n`,
    deviceKeys.map((signer) => ({ name, signer })),
  );
}

/** Reads a checkpoint. Extension lines are allowed and ignored. Throws `evidence/malformed`. */
export function parseCheckpoint(text: string): Checkpoint {
  const note = parseNote(text);
  const [origin = '', size = '', encoded = '', ...extensions] = note.text.slice(0, -1).split('\n');
  const root = Buffer.from(encoded, 'base64');
  const isWhole =
    origin !== '' &&
    SIZE.test(size) &&
    Number(size) <= TREE_SIZE_MAX &&
    root.length === HASH_BYTES &&
    root.toString('base64') === encoded &&
    !extensions.includes('');
  if (!isWhole) throw new CameraError('evidence/malformed', 'not a checkpoint of a log');
  return { origin, size: Number(size), root, note };
}

/**
 * Reads a checkpoint of the log of `device` and verifies that one of its keys signed it. Throws `evidence/malformed`, also
 * for the log of another, and `evidence/bad-signature`.
 */
export function openCheckpoint(
  text: string,
  device: string,
  publicKeys: readonly Buffer[],
): Checkpoint {
  const checkpoint = parseCheckpoint(text);
  const name = originOf(device);
  if (checkpoint.origin !== name) {
    const message = `a checkpoint of ${checkpoint.origin}, not of ${name}`;
    throw new CameraError('evidence/malformed', message);
  }
  verifyNote(
    checkpoint.note,
    publicKeys.map((publicKey) => ({ name, publicKey })),
  );
  return checkpoint;
}

const cosigned = (text: string, time: bigint): Buffer =>
  Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);

/** The line by which a witness says that at that Unix second it had seen this log grow up to this checkpoint. */
export function cosignatureLine(
  name: string,
  witness: Pick<Signer, 'sign' | 'publicKey'>,
  checkpoint: Pick<Checkpoint, 'note'>,
  unixSeconds: number,
): string {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64BE(BigInt(unixSeconds));
  const signature = witness.sign(cosigned(checkpoint.note.text, BigInt(unixSeconds)));
  return formatSignatureLine({
    name,
    keyId: noteKeyId({ name, publicKey: witness.publicKey }, COSIGNATURE),
    bytes: Buffer.concat([time, signature]),
  });
}

/**
 * The Unix second of this witness's cosignature; undefined when there is none. Throws `evidence/bad-signature` when there
 * is one that does not hold.
 */
export function findCosignature(
  { note }: Pick<Checkpoint, 'note'>,
  witness: NoteKey,
): number | undefined {
  const id = noteKeyId(witness, COSIGNATURE);
  for (const { name, keyId, bytes } of note.signatures) {
    if (name !== witness.name || !keyId.equals(id)) continue;
    const isWhole = bytes.length === TIME_BYTES + SIGNATURE_BYTES;
    const time = isWhole ? bytes.readBigUInt64BE() : 0n;
    const signed = cosigned(note.text, time);
    if (isWhole && verifySignature(witness.publicKey, signed, bytes.subarray(TIME_BYTES))) {
      return Number(time);
    }
    throw new CameraError('evidence/bad-signature', `${name} did not cosign this`);
  }
  return undefined;
}
