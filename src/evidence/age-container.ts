import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { CameraError } from '../errors.js';
import {
  FILE_KEY_BYTES,
  HEAD_BYTES_MAX,
  NONCE_BYTES,
  TAG_BYTES,
  buildHeader,
  deriveKey,
  headLength,
  unwrapFileKey,
} from './age-header.js';
import { parseIdentity } from './age-recipients.js';
import type { AgeRecipient } from './age-recipients.js';

/**
 * age v1 files (C2SP age.md) cut into leaves: leaf 0 is the header with the payload nonce, leaf i ≥ 1 is STREAM
 * chunk i - 1. A camera writes them without being able to read them; any age program decrypts them.
 */

export const CHUNK_BYTES = 65_536;
/** Ciphertext of a full chunk. The last chunk may be shorter. */
export const LEAF_BYTES = CHUNK_BYTES + TAG_BYTES;

const AEAD = 'chacha20-poly1305';
const AEAD_OPTIONS = { authTagLength: TAG_BYTES };

/** STREAM nonce: an 11-byte counter, then 1 in the final chunk. Node writes at most 6 of the 11 bytes: 2^48 chunks. */
function chunkNonce(index: number, isFinal: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(index, 5, 6);
  nonce[11] = isFinal ? 1 : 0;
  return nonce;
}

const lengthOf = (parts: readonly Uint8Array[]): number =>
  parts.reduce((sum, part) => sum + part.length, 0);

/**
 * Encrypts as bytes come. The final chunk carries a flag, so the newest 1 to 65,536 bytes always wait for more.
 *
 * INVARIANTS: 1. the file key exists in this object only and is overwritten by `end`; 2. no (key, nonce) pair is used
 * twice: the counter rises with every chunk; 3. plaintext is copied once at most, into `#pending`.
 */
export class AgeWriter {
  /** Leaf 0: header and nonce. */
  readonly head: Buffer;
  readonly #key: Buffer;
  readonly #pending = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  readonly #onChunk: (parts: readonly Buffer[]) => void;
  #pendingBytes = 0;
  #chunks = 0;
  #isEnded = false;

  /**
   * `onChunk` sees the plaintext of every chunk just before it is encrypted, in one or two parts that are only valid
   * during the call. Throws `evidence/bad-recipient` for none or more than `RECIPIENTS_MAX` recipients.
   */
  constructor(
    recipients: readonly AgeRecipient[],
    onChunk: (parts: readonly Buffer[]) => void = () => undefined,
  ) {
    const fileKey = randomBytes(FILE_KEY_BYTES);
    const nonce = randomBytes(NONCE_BYTES);
    this.head = Buffer.concat([buildHeader(fileKey, recipients), nonce]);
    this.#key = deriveKey(fileKey, nonce, 'payload');
    this.#onChunk = onChunk;
    fileKey.fill(0);
  }

  /** Plaintext that waits to be encrypted: at most `CHUNK_BYTES`. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * Takes plaintext and returns the leaves that are whole now, each a buffer of `LEAF_BYTES` of its own. `bytes` may
   * be reused afterwards. Throws Error after `end`.
   */
  push(bytes: Buffer): Buffer[] {
    if (this.#isEnded) throw new Error('age file has ended');
    const leaves: Buffer[] = [];
    let at = 0;
    while (this.#pendingBytes + bytes.length - at > CHUNK_BYTES) {
      const take = CHUNK_BYTES - this.#pendingBytes;
      leaves.push(this.#seal(this.#window(bytes.subarray(at, at + take)), false));
      this.#pendingBytes = 0;
      at += take;
    }
    this.#pendingBytes += bytes.copy(this.#pending, this.#pendingBytes, at);
    return leaves;
  }

  /** The final leaf; forgets the key. Throws Error when called twice. */
  end(): Buffer {
    if (this.#isEnded) throw new Error('age file has ended');
    this.#isEnded = true;
    const leaf = this.#seal(this.#window(Buffer.alloc(0)), true);
    this.#key.fill(0);
    this.#pending.fill(0);
    this.#pendingBytes = 0;
    return leaf;
  }

  #window(fresh: Buffer): readonly Buffer[] {
    const waiting = this.#pending.subarray(0, this.#pendingBytes);
    return [waiting, fresh].filter((part) => part.length > 0);
  }

  /** Writes ciphertext and tag into one buffer: 30 % faster than joining them (measured), still one write call. */
  #seal(parts: readonly Buffer[], isFinal: boolean): Buffer {
    this.#onChunk(parts);
    const nonce = chunkNonce(this.#chunks, isFinal);
    this.#chunks += 1;
    const cipher = createCipheriv(AEAD, this.#key, nonce, AEAD_OPTIONS);
    const leaf = Buffer.allocUnsafeSlow(lengthOf(parts) + TAG_BYTES);
    let at = 0;
    for (const part of parts) at += cipher.update(part).copy(leaf, at);
    cipher.final();
    cipher.getAuthTag().copy(leaf, at);
    return leaf;
  }
}

export interface OpenedChunk {
  readonly plain: Buffer;
  /** True in the last chunk of a whole file. A file without one is cut. */
  readonly isFinal: boolean;
}

/** Reads chunk by chunk in any order: what is lost or damaged costs that chunk and no other. */
export interface AgeReader {
  /**
   * Decrypts the chunk at `index` (from 0: leaf `index + 1`). Throws `evidence/malformed` when the leaf was changed,
   * stands at another index, or has a length that no chunk has.
   */
  openChunk(index: number, leaf: Buffer): OpenedChunk;
}

function openWith(key: Buffer, nonce: Buffer, leaf: Buffer): Buffer | undefined {
  const decipher = createDecipheriv(AEAD, key, nonce, AEAD_OPTIONS);
  decipher.setAuthTag(leaf.subarray(-TAG_BYTES));
  const plain = decipher.update(leaf.subarray(0, -TAG_BYTES));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined; // Does not authenticate; what `update` gave is dropped unseen.
  }
}

/**
 * Opens a file from its leaf 0. Throws `evidence/wrong-key` when `identity` is not one of its recipients or no X25519
 * identity at all, `evidence/malformed` when `head` is not exactly a leaf 0.
 */
export function openAge(head: Buffer, identity: string): AgeReader {
  const pair = parseIdentity(identity);
  if (headLength(head) !== head.length) {
    throw new CameraError('evidence/malformed', 'bytes after the age header');
  }
  const nonce = head.subarray(-NONCE_BYTES);
  const key = deriveKey(unwrapFileKey(head.subarray(0, -NONCE_BYTES), pair), nonce, 'payload');
  return {
    openChunk(index, leaf) {
      // Only an empty file has an empty chunk (age.md, Payload).
      const isPossible = leaf.length > TAG_BYTES || (leaf.length === TAG_BYTES && index === 0);
      if (isPossible && leaf.length <= LEAF_BYTES) {
        for (const isFinal of leaf.length === LEAF_BYTES ? [false, true] : [true]) {
          const plain = openWith(key, chunkNonce(index, isFinal), leaf);
          if (plain !== undefined) return { plain, isFinal };
        }
      }
      throw new CameraError('evidence/malformed', `chunk ${index} does not authenticate`);
    },
  };
}

/** A small file as a whole: sealed metadata, exports. */
export function encryptWhole(bytes: Buffer, recipients: readonly AgeRecipient[]): Buffer {
  const writer = new AgeWriter(recipients);
  return Buffer.concat([writer.head, ...writer.push(bytes), writer.end()]);
}

export interface DecryptedWhole {
  /** Every chunk that authenticates, in order. */
  readonly plain: Buffer;
  /** True when nothing is missing: no bad leaf, and the final chunk is there and last. */
  readonly isComplete: boolean;
  /** Leaf numbers that do not authenticate. */
  readonly badLeaves: readonly number[];
}

/**
 * Decrypts a small file held in memory and salvages what it can. Throws `evidence/wrong-key`, or `evidence/malformed`
 * when the header is damaged: without it nothing can be read.
 */
export function decryptWhole(bytes: Buffer, identity: string): DecryptedWhole {
  const head = headLength(bytes.subarray(0, HEAD_BYTES_MAX));
  const reader = openAge(bytes.subarray(0, head), identity);
  const plain: Buffer[] = [];
  const badLeaves: number[] = [];
  let isComplete = false;
  for (let at = head, index = 0; at < bytes.length; at += LEAF_BYTES, index += 1) {
    try {
      const chunk = reader.openChunk(index, bytes.subarray(at, at + LEAF_BYTES));
      plain.push(chunk.plain);
      isComplete = chunk.isFinal;
    } catch (error) {
      if (!(error instanceof CameraError)) throw error;
      badLeaves.push(index + 1);
      isComplete = false;
    }
  }
  return {
    plain: Buffer.concat(plain),
    isComplete: isComplete && badLeaves.length === 0,
    badLeaves,
  };
}
