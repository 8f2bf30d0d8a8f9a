import { isCameraError } from '../errors.js';
import type { SegmentRef } from '../units.js';
import { parseEnvelopeFile, payloadDigest } from './dsse.js';
import type { Envelope } from './dsse.js';
import { openManifest, readManifest } from './manifest.js';
import type { Manifest } from './manifest.js';
import type { Trust } from './trust.js';
import { fileNamesOf, sessionFileOf } from './verdict.js';
import type { Problem, ProblemKind } from './verdict.js';
import { kindOf, verifySession } from './verify-session.js';
import type { SessionResult, TrustedSession } from './verify-session.js';

/** What the manifest file of a segment is worth. */
export interface ManifestResult {
  /** Its content, unless the file is missing or not as it was signed. Unproven when a certificate is lacking. */
  readonly manifest: Manifest | undefined;
  /** True when the signature holds. */
  readonly isProven: boolean;
  /** Digest of the payload, as the next manifest names it. */
  readonly digest: string | undefined;
  /** The key of the boot that recorded, for heads. */
  readonly recorder: TrustedSession | undefined;
  readonly problems: readonly Problem[];
}

/** What judging a manifest needs. */
export interface ManifestFiles {
  readonly ref: SegmentRef;
  readonly manifest?: string | undefined;
  /** Text of `<boot>/session.dsse` by boot. */
  readonly sessions: ReadonlyMap<number, string>;
}

interface ReadableManifest {
  readonly envelope: Envelope;
  readonly manifest: Manifest;
}

/** The content before any signature is checked, or the error that there is none. */
function read(text: string): ReadableManifest | Error {
  try {
    const envelope = parseEnvelopeFile(text);
    return { envelope, manifest: readManifest(envelope) };
  } catch (error) {
    if (isCameraError(error)) return error;
    throw error;
  }
}

type Signer = { readonly session: TrustedSession } | { readonly problems: readonly Problem[] };

/**
 * Whose signature the manifest must bear: the session key of its own boot, or, after a power cut, that of the later
 * boot that recovered it, named by the manifest or by its envelope (one changed byte cannot hide both). Otherwise the
 * problems with the certificates that may be the one.
 */
function signerOf(
  { envelope, manifest }: ReadableManifest,
  files: ManifestFiles,
  own: SessionResult,
  trust: Trust,
): Signer {
  if (manifest.end !== 'power-loss') {
    return own.isGood ? { session: own.session } : { problems: [own.problem] };
  }
  const later = [...files.sessions.entries()]
    .filter(([boot]) => boot > files.ref.boot)
    .map(([boot, text]) => verifySession(boot, text, trust, manifest.device));
  const all = [own, ...later];
  const sessions = all.flatMap((result) => (result.isGood ? [result.session] : []));
  const names = [manifest.key, ...envelope.signatures.map(({ keyid }) => keyid)];
  const session = sessions.find(({ key }) => names.includes(key));
  if (session !== undefined) return { session };
  const problems = all.flatMap((result) => (result.isGood ? [] : [result.problem]));
  if (problems.length > 0) return { problems };
  const file = sessionFileOf(manifest.sealed_by);
  const message = `${file} is missing: without it the recovery of the segment cannot be checked`;
  return { problems: [{ state: 'not-feasible', file, what: 'missing', message }] };
}

/** Whether it is a whole manifest of this camera that belongs to another place. */
function isMisplaced(
  { envelope, manifest }: ReadableManifest,
  files: ManifestFiles,
  trust: Trust,
): boolean {
  const { boot, rec, seq } = files.ref;
  if (manifest.boot === boot && manifest.rec === rec && manifest.seq === seq) return false;
  const { sealed_by: by, device } = manifest;
  const signer = verifySession(by, files.sessions.get(by), trust, device);
  if (!signer.isGood || signer.session.device !== device) return false;
  try {
    openManifest(envelope, signer.session.publicKey);
    return true;
  } catch (error) {
    if (!isCameraError(error)) throw error;
    return false;
  }
}

const placeNamed = ({ boot, rec, seq }: Manifest): string =>
  `is the manifest of segment ${boot}/${rec}/${seq}`;

/** What contradicts the manifest, given its signer; undefined when it is proven. */
function refutation(
  { envelope, manifest }: ReadableManifest,
  { boot, rec, seq }: SegmentRef,
  signer: TrustedSession,
  recorder: TrustedSession | undefined,
): { what: ProblemKind; message: string } | undefined {
  try {
    openManifest(envelope, signer.publicKey);
  } catch (error) {
    if (!isCameraError(error)) throw error;
    return { what: kindOf(error), message: `is not as it was signed: ${error.message}` };
  }
  if (manifest.key !== signer.key || manifest.sealed_by !== signer.boot) {
    return { what: 'contradiction', message: 'names another key than the one it is signed with' };
  }
  if (manifest.device !== signer.device) {
    return { what: 'contradiction', message: `names ${manifest.device}, its key ${signer.device}` };
  }
  if (recorder !== undefined && recorder.device !== signer.device) {
    const message = `was sealed by ${signer.device}, but recorded by ${recorder.device}`;
    return { what: 'contradiction', message };
  }
  if (manifest.boot !== boot || manifest.rec !== rec || manifest.seq !== seq) {
    return { what: 'wrong-place', message: placeNamed(manifest) };
  }
  return undefined;
}

/** Judges the manifest of a segment and the certificates it hangs on. Never throws for bad content. */
export function verifyManifest(files: ManifestFiles, trust: Trust): ManifestResult {
  const file = fileNamesOf(files.ref).manifest;
  const content = files.manifest === undefined ? undefined : read(files.manifest);
  const isReadable = content !== undefined && !(content instanceof Error);
  const { boot } = files.ref;
  const expectedDevice = isReadable ? content.manifest.device : undefined;
  const own = verifySession(boot, files.sessions.get(boot), trust, expectedDevice);
  const ownProblems = own.isGood ? [] : [own.problem];
  const recorder = own.isGood ? own.session : undefined;
  const unusable = (
    state: Problem['state'],
    what: ProblemKind,
    message: string,
  ): ManifestResult => ({
    manifest: undefined,
    isProven: false,
    digest: undefined,
    recorder,
    problems: [{ state, file, what, message: `${file} ${message}` }, ...ownProblems],
  });
  if (content === undefined) {
    return unusable('ok-with-missing', 'unsealed', 'is missing: the segment is not sealed');
  }
  if (content instanceof Error) {
    return unusable('not-ok', 'malformed', `is not as it was signed: ${content.message}`);
  }
  const signer = signerOf(content, files, own, trust);
  const good = { manifest: content.manifest, digest: payloadDigest(content.envelope), recorder };
  if ('problems' in signer) {
    const others = signer.problems.filter(({ file: name }) => name !== sessionFileOf(boot));
    return { ...good, isProven: false, problems: [...ownProblems, ...others] };
  }
  const refuted = refutation(content, files.ref, signer.session, recorder);
  if (refuted?.what === 'bad-signature' && isMisplaced(content, files, trust)) {
    return unusable('not-ok', 'wrong-place', placeNamed(content.manifest));
  }
  if (refuted !== undefined) return unusable('not-ok', refuted.what, refuted.message);
  return { ...good, isProven: true, problems: ownProblems };
}
