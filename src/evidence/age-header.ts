import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  timingSafeEqual,
} from 'node:crypto';
import { CameraError } from '../errors.js';
import type { AgeRecipient } from './age-recipients.js';
import { X25519_BYTES, generatePair, sharedSecret } from './x25519.js';
import type { X25519Pair } from './x25519.js';

/**
 * The header of an age v1 file (C2SP age.md): one stanza per recipient, each wrapping the same file key, and a MAC
 * over them that only a holder of the file key can make.
 */

export const NONCE_BYTES = 16;
export const FILE_KEY_BYTES = 16;
/** Poly1305. */
export const TAG_BYTES = 16;
const MAC_BYTES = 32;

/** A header with 16 recipients has 2 kB; more than that serves nobody and lengthens every segment. */
export const RECIPIENTS_MAX = 16;
/** A reader must find the end of a header within so many bytes: room for stanzas of other programs, yet bounded. */
export const HEAD_BYTES_MAX = 65_536;
const STANZAS_MAX = 64;

const VERSION_LINE = 'age-encryption.org/v1';
const WRAP_INFO = 'age-encryption.org/v1/X25519';
const BODY_COLUMNS = 64;

const malformed = (message: string): CameraError => new CameraError('evidence/malformed', message);

const encode64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes).toString('base64').replace(/=+$/, '');

/** Unpadded base64 with no spare bits; undefined for anything else. */
function decode64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return encode64(bytes) === text ? bytes : undefined;
}

/** HKDF-SHA-256 (RFC 5869). */
export const deriveKey = (secret: Uint8Array, salt: Uint8Array, info: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, salt, info, 32));

const headerMac = (fileKey: Uint8Array, text: string): Buffer =>
  createHmac('sha256', deriveKey(fileKey, Buffer.alloc(0), 'header'))
    .update(text)
    .digest();

/** The wrap key serves for one file key only, so its nonce may be zero (age.md, X25519 recipient stanza). */
const WRAP_NONCE = Buffer.alloc(12);
const AEAD = 'chacha20-poly1305';
const AEAD_OPTIONS = { authTagLength: TAG_BYTES };

function wrap(fileKey: Uint8Array, recipient: AgeRecipient): string {
  const ephemeral = generatePair();
  const shared = sharedSecret(ephemeral, recipient.publicKey);
  if (shared === undefined) {
    throw new CameraError('evidence/bad-recipient', 'a recipient is a key of low order');
  }
  const salt = Buffer.concat([ephemeral.publicKey, recipient.publicKey]);
  const cipher = createCipheriv(AEAD, deriveKey(shared, salt, WRAP_INFO), WRAP_NONCE, AEAD_OPTIONS);
  const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
  return `-> X25519 ${encode64(ephemeral.publicKey)}\n${encode64(body)}\n`;
}

/**
 * The header, with its last newline, that lets each recipient unwrap `fileKey`. Throws `evidence/bad-recipient` for
 * none, too many or a key of low order.
 */
export function buildHeader(fileKey: Uint8Array, recipients: readonly AgeRecipient[]): Buffer {
  if (recipients.length === 0 || recipients.length > RECIPIENTS_MAX) {
    throw new CameraError(
      'evidence/bad-recipient',
      `${recipients.length} recipients; there must be 1 to ${RECIPIENTS_MAX}`,
    );
  }
  const stanzas = recipients.map((recipient) => wrap(fileKey, recipient));
  const signed = `${VERSION_LINE}\n${stanzas.join('')}---`;
  return Buffer.from(`${signed} ${encode64(headerMac(fileKey, signed))}\n`, 'latin1');
}

/**
 * Length of leaf 0: the header and the payload nonce after it. `bytes` are the first bytes of the file; only the
 * first `HEAD_BYTES_MAX` are looked at. Throws `evidence/malformed` when the end of the header is not among them.
 */
export function headLength(bytes: Buffer): number {
  const prefix = bytes.subarray(0, HEAD_BYTES_MAX);
  const mac = prefix.indexOf('\n--- ', 0, 'latin1');
  const end = mac < 0 ? -1 : prefix.indexOf('\n', mac + 1, 'latin1');
  const length = end + 1 + NONCE_BYTES;
  const isAge = prefix.indexOf(`${VERSION_LINE}\n`, 0, 'latin1') === 0;
  if (!isAge || end < 0 || length > prefix.length) throw malformed('no whole age v1 header');
  return length;
}

interface Stanza {
  readonly type: string;
  readonly args: readonly string[];
  readonly body: Buffer;
}

/** A stanza from its lines: arguments, then base64 in full lines of 64 columns and a last shorter one. */
function parseStanza(lines: readonly string[], at: number): { stanza: Stanza; next: number } {
  const [arrow, type, ...args] = (lines[at] ?? '').split(' ');
  const isWord = (word: string): boolean => /^[\x21-\x7e]+$/.test(word);
  if (arrow !== '->' || type === undefined || ![type, ...args].every(isWord)) {
    throw malformed('age header: bad stanza');
  }
  let next = at + 1;
  while (lines[next]?.length === BODY_COLUMNS) next += 1;
  const last = lines[next];
  if (last === undefined || last.length > BODY_COLUMNS) throw malformed('age header: bad stanza');
  const body = decode64(lines.slice(at + 1, next + 1).join(''));
  if (body === undefined) throw malformed('age header: bad stanza body');
  return { stanza: { type, args, body }, next: next + 1 };
}

interface Header {
  readonly stanzas: readonly Stanza[];
  readonly mac: Buffer;
  /** What the MAC covers. */
  readonly signed: string;
}

function parseHeader(text: string): Header {
  const lines = text.split('\n');
  const macLine = lines.at(-2) ?? '';
  const mac = macLine.startsWith('--- ') ? decode64(macLine.slice(4)) : undefined;
  if (lines[0] !== VERSION_LINE || lines.at(-1) !== '' || mac?.length !== MAC_BYTES) {
    throw malformed('age header: bad frame');
  }
  const body = lines.slice(1, -2);
  const stanzas: Stanza[] = [];
  for (let at = 0; at < body.length;) {
    if (stanzas.length === STANZAS_MAX) throw malformed('age header: too many stanzas');
    const { stanza, next } = parseStanza(body, at);
    stanzas.push(stanza);
    at = next;
  }
  const signed = text.slice(0, text.lastIndexOf('\n--- ') + 4);
  return { stanzas, mac, signed };
}

/** The file key of one X25519 stanza, or undefined when it is for somebody else. */
function unwrap(stanza: Stanza, identity: X25519Pair): Buffer | undefined {
  const [share = ''] = stanza.args;
  const ephemeral = decode64(share);
  if (
    stanza.args.length !== 1 ||
    ephemeral?.length !== X25519_BYTES ||
    stanza.body.length !== FILE_KEY_BYTES + TAG_BYTES
  ) {
    throw malformed('age header: bad X25519 stanza');
  }
  const shared = sharedSecret(identity, ephemeral);
  if (shared === undefined) throw malformed('age header: share of low order');
  const salt = Buffer.concat([ephemeral, identity.publicKey]);
  const key = deriveKey(shared, salt, WRAP_INFO);
  const decipher = createDecipheriv(AEAD, key, WRAP_NONCE, AEAD_OPTIONS);
  decipher.setAuthTag(stanza.body.subarray(FILE_KEY_BYTES));
  try {
    return Buffer.concat([
      decipher.update(stanza.body.subarray(0, FILE_KEY_BYTES)),
      decipher.final(),
    ]);
  } catch {
    return undefined; // The tag tells whose stanza it is: age headers name no recipients.
  }
}

/**
 * The file key, from a header without the nonce. Stanzas of other kinds are passed over. Throws
 * `evidence/wrong-key` when no stanza is for `identity`, `evidence/malformed` when the header is not well formed or
 * its MAC does not hold.
 */
export function unwrapFileKey(header: Buffer, identity: X25519Pair): Buffer {
  const { stanzas, mac, signed } = parseHeader(header.toString('latin1'));
  for (const stanza of stanzas) {
    if (stanza.type !== 'X25519') continue;
    const fileKey = unwrap(stanza, identity);
    if (fileKey === undefined) continue;
    if (!timingSafeEqual(headerMac(fileKey, signed), mac)) {
      throw malformed('age header: the MAC does not hold');
    }
    return fileKey;
  }
  throw new CameraError('evidence/wrong-key', 'the file is not sealed to this identity');
}
