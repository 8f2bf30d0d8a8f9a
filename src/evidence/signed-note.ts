import { CameraError } from '../errors.js';
import { sha256 } from './merkle-tree.js';
import { verifySignature } from './public-key.js';
import type { Signer } from './signer.js';

/**
 * Signed notes (c2sp.org/signed-note): a text, an empty line, and lines of signatures that name their key. Ed25519 only;
 * signatures of other types are those of unknown keys.
 */

/** More than the sixteen signatures that every reader must take, were they all post-quantum ones of 5 kB. */
export const NOTE_LENGTH_MAX = 128 * 1024;
const SIGNATURES_MAX = 64;
const KEY_ID_BYTES = 4;
const ED25519 = 1;
const DASH = '\u2014';
/** Neither a space of any kind nor a plus, which the text form of keys needs. */
const NAME = /^[^\s+]+$/u;
const LINE = new RegExp(`^${DASH} ([^\\s+]+) ([A-Za-z0-9+/]+={0,2})$`, 'u');
// eslint-disable-next-line no-control-regex -- these are what a note must not hold
const CONTROL = /[\u0000-\u0009\u000b-\u001f]|\p{Surrogate}/u;

export interface NoteSignature {
  /** Name of the key, as a URL without its scheme. */
  readonly name: string;
  /** First four bytes of a hash that says which key and algorithm of that name. */
  readonly keyId: Buffer;
  readonly bytes: Buffer;
}

export interface Note {
  /** With its last newline, without the empty line: what is signed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A key that may have signed a note. */
export interface NoteKey {
  readonly name: string;
  readonly publicKey: Buffer;
}

/** `SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]`; the type of a plain Ed25519 signature is 1. */
export const noteKeyId = ({ name, publicKey }: NoteKey, type = ED25519): Buffer =>
  sha256(Buffer.from(`${name}\n`), Buffer.from([type]), publicKey).subarray(0, KEY_ID_BYTES);

/** The text form of a key that tools for notes take: `name+keyid+base64(type ‖ public key)`. */
export const formatNoteKey = (key: NoteKey): string => {
  const id = noteKeyId(key).toString('hex');
  const encoded = Buffer.concat([Buffer.from([ED25519]), key.publicKey]).toString('base64');
  return `${key.name}+${id}+${encoded}`;
};

const fail = (why: string): never => {
  throw new CameraError('evidence/malformed', `not a signed note: ${why}`);
};

function checkText(text: string): void {
  if (!text.endsWith('\n')) fail('its text does not end with a newline');
  if (CONTROL.test(text)) fail('it holds a control character');
}

/** One signature line with its newline; `bytes` is what follows the key id. */
export function formatSignatureLine({ name, keyId, bytes }: NoteSignature): string {
  return `${DASH} ${name} ${Buffer.concat([keyId, bytes]).toString('base64')}\n`;
}

/** Signs a text with each of the keys, in their order. Throws `evidence/malformed` for a text or name that has no form. */
export function signNote(
  text: string,
  signers: readonly {
    readonly name: string;
    readonly signer: Pick<Signer, 'sign' | 'publicKey'>;
  }[],
): string {
  checkText(text);
  const lines = signers.map(({ name, signer }) => {
    if (!NAME.test(name)) fail(`${JSON.stringify(name)} is no name of a key`);
    const keyId = noteKeyId({ name, publicKey: signer.publicKey });
    return formatSignatureLine({ name, keyId, bytes: signer.sign(Buffer.from(text)) });
  });
  return `${text}\n${lines.join('')}`;
}

/** The whole note in its text form. */
export const formatNote = ({ text, signatures }: Note): string =>
  `${text}\n${signatures.map(formatSignatureLine).join('')}`;

/** Reads a note and says nothing about its signatures. Throws `evidence/malformed`. */
export function parseNote(note: string): Note {
  if (note.length > NOTE_LENGTH_MAX) fail('it is too long');
  const end = note.lastIndexOf('\n\n');
  if (end < 0) fail('there is no empty line');
  const text = note.slice(0, end + 1);
  checkText(text);
  if (!note.endsWith('\n')) fail('it does not end with a newline');
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > SIGNATURES_MAX) fail('it has too many signatures');
  return { text, signatures: lines.map(parseLine) };
}

function parseLine(line: string): NoteSignature {
  const [, name = '', encoded = ''] = LINE.exec(line) ?? fail('a line is no signature');
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded || bytes.length <= KEY_ID_BYTES) {
    fail('a signature is not canonical base64');
  }
  return {
    name,
    keyId: bytes.subarray(0, KEY_ID_BYTES),
    bytes: bytes.subarray(KEY_ID_BYTES),
  };
}

/**
 * Those of `keys` that signed the note. Signatures of other keys are ignored, as the format demands. Throws
 * `evidence/bad-signature` when one of a known key does not hold, or when there is none.
 */
export function verifyNote(note: Note, keys: readonly NoteKey[]): readonly NoteKey[] {
  const signed = Buffer.from(note.text);
  const found = new Set<NoteKey>();
  for (const { name, keyId, bytes } of note.signatures) {
    const key = keys.find((known) => known.name === name && noteKeyId(known).equals(keyId));
    if (key === undefined) continue;
    if (!verifySignature(key.publicKey, signed, bytes)) {
      throw new CameraError('evidence/bad-signature', `the note was not signed by ${name}`);
    }
    found.add(key);
  }
  if (found.size > 0) return [...found];
  throw new CameraError('evidence/bad-signature', 'the note is signed by no key that is known');
}
