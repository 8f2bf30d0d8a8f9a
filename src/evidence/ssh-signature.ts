import { createHash } from 'node:crypto';
import { CameraError } from '../errors.js';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verifySignature } from './public-key.js';
import type { Signer } from './signer.js';

/**
 * Signatures of files as `ssh-keygen -Y verify` takes them (OpenSSH, PROTOCOL.sshsig), by an Ed25519 key (RFC 8709).
 * ssh-keygen reads what is written here.
 */

const MAGIC = Buffer.from('SSHSIG');
const VERSION = 1;
const KEY_TYPE = 'ssh-ed25519';
const HASH = 'sha512';
export const SSH_DIGEST_BYTES = 64;
/** ssh-keygen(1): the namespace of files. A signature under another one does not count for `-n file`. */
export const SSH_NAMESPACE = 'file';
const COLUMNS = 70;

/** A name that is one word in an allowed signers file and holds no pattern: ssh-keygen(1), ALLOWED SIGNERS. */
export const PRINCIPAL_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/** RFC 4251 §5, `string`. */
function field(bytes: Uint8Array | string): Buffer {
  const body = Buffer.from(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

function keyBlob(publicKey: Buffer): Buffer {
  if (publicKey.length !== PUBLIC_KEY_BYTES) throw new RangeError('not an Ed25519 public key');
  return Buffer.concat([field(KEY_TYPE), field(publicKey)]);
}

/** `SHA256:…`, as `ssh-keygen -l` prints it. */
export const sshFingerprint = (publicKey: Buffer): string =>
  `SHA256:${createHash('sha256').update(keyBlob(publicKey)).digest('base64').replace(/=+$/, '')}`;

/**
 * The line that lets `ssh-keygen -Y verify -I principal` believe this key, for files only. Throws `evidence/malformed` for
 * a principal that is not one word of letters, digits, and `._@-`.
 */
export function allowedSigner(principal: string, publicKey: Buffer): string {
  if (!PRINCIPAL_PATTERN.test(principal)) {
    throw new CameraError('evidence/malformed', `${JSON.stringify(principal)} names no signer`);
  }
  const key = keyBlob(publicKey).toString('base64');
  return `${principal} namespaces="${SSH_NAMESPACE}" ${KEY_TYPE} ${key}\n`;
}

/** The text of a signature file. `digest` is the SHA-512 of the file. */
export function sshSignature(digest: Buffer, signer: Signer): string {
  return armoured(signer.publicKey, signer.sign(signedBytes(digest)));
}

/**
 * Whether a signature file is by `publicKey` for a file of this SHA-512, in the one form in which it is written here: no other
 * hash, namespace or line length.
 */
export function verifySshSignature(text: string, digest: Buffer, publicKey: Buffer): boolean {
  const lines = text.split('\n').filter((line) => !line.startsWith('-----'));
  const signature = Buffer.from(lines.join(''), 'base64').subarray(-SIGNATURE_BYTES);
  return (
    text === armoured(publicKey, signature) &&
    verifySignature(publicKey, signedBytes(digest), signature)
  );
}

/** Namespace, a reserved field and the hash, as both the signature and what it signs have them. */
const scope = (): Buffer => Buffer.concat([field(SSH_NAMESPACE), field(''), field(HASH)]);

function signedBytes(digest: Buffer): Buffer {
  if (digest.length !== SSH_DIGEST_BYTES) throw new RangeError('not a SHA-512 digest');
  return Buffer.concat([MAGIC, scope(), field(digest)]);
}

function armoured(publicKey: Buffer, signature: Buffer): string {
  const version = Buffer.alloc(4);
  version.writeUInt32BE(VERSION);
  const signed = field(Buffer.concat([field(KEY_TYPE), field(signature)]));
  const blob = Buffer.concat([MAGIC, version, field(keyBlob(publicKey)), scope(), signed]);
  const lines = blob.toString('base64').match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? [];
  const frame = (word: string): string => `-----${word} SSH SIGNATURE-----`;
  return `${[frame('BEGIN'), ...lines, frame('END')].join('\n')}\n`;
}
