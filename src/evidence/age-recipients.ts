import { CameraError } from '../errors.js';
import { decodeBech32, encodeBech32 } from './bech32.js';
import { X25519_BYTES, generatePair, pairOf, secretOf, sharedSecret } from './x25519.js';
import type { X25519Pair } from './x25519.js';

const RECIPIENT_PREFIX = 'age';
const IDENTITY_PREFIX = 'age-secret-key-';

/** Someone footage is sealed to. */
export interface AgeRecipient {
  /** `age1…`, as given. */
  readonly text: string;
  /** Raw X25519 key. */
  readonly publicKey: Buffer;
}

/**
 * Reads an X25519 recipient (`age1…`). Throws `evidence/bad-recipient` for anything else: passphrases, plugins,
 * post-quantum and ssh recipients, which the `age` of a court's distribution may not open, and keys nobody can own.
 */
export function parseRecipient(text: string): AgeRecipient {
  const publicKey = decodeBech32(RECIPIENT_PREFIX, text);
  if (publicKey?.length !== X25519_BYTES || text !== text.toLowerCase()) {
    throw new CameraError(
      'evidence/bad-recipient',
      `not an age X25519 recipient: ${shorten(text)}`,
    );
  }
  // A key of low order would fail at the first press instead of here.
  if (sharedSecret(generatePair(), publicKey) === undefined) {
    throw new CameraError('evidence/bad-recipient', `a key of low order: ${shorten(text)}`);
  }
  return { text, publicKey };
}

/** Enough to recognise a mistyped recipient in a message, and never a whole secret pasted by mistake. */
const shorten = (text: string): string => JSON.stringify(`${text.slice(0, 8)}…`);

/**
 * Reads an X25519 identity (`AGE-SECRET-KEY-1…`). Throws `evidence/wrong-key` for anything else; the message never
 * holds the text.
 */
export function parseIdentity(text: string): X25519Pair {
  const secret = decodeBech32(IDENTITY_PREFIX, text);
  if (secret?.length !== X25519_BYTES || text !== text.toUpperCase()) {
    throw new CameraError('evidence/wrong-key', 'not an age X25519 identity (AGE-SECRET-KEY-1...)');
  }
  return pairOf(secret);
}

const recipientText = (pair: X25519Pair): string => encodeBech32(RECIPIENT_PREFIX, pair.publicKey);

/** A fresh identity and its recipient, in the form `age-keygen` prints. */
export function generateIdentity(): { readonly identity: string; readonly recipient: string } {
  const pair = generatePair();
  return {
    identity: encodeBech32(IDENTITY_PREFIX, secretOf(pair)).toUpperCase(),
    recipient: recipientText(pair),
  };
}

/** The recipient of an identity. Throws `evidence/wrong-key` when it is not one. */
export const recipientOf = (identity: string): string => recipientText(parseIdentity(identity));
