import { isCameraError } from '../errors.js';
import { TICKS_PER_SECOND, formatSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';
import { formatEnvelopeFile, parseEnvelope, payloadDigest } from './dsse.js';
import { readManifest } from './manifest.js';
import { sha256Hex } from './merkle-tree.js';
import type { Trust } from './trust.js';
import { fileNamesOf } from './verdict.js';
import type { Problem, ProblemKind } from './verdict.js';
import { verifyReceipt } from './verify-receipt.js';
import type { SegmentVerdict } from './verify-segment.js';

/** The card's database, as problems name it. */
export const DATABASE_FILE = 'lapel.db';

/** What the catalog of a card says about a segment. Nobody signs a row; what is signed in it is the manifest and the receipt. */
export interface CatalogClaim {
  readonly ref: SegmentRef;
  readonly bytes: number;
  readonly ending: string;
  /** The manifest envelope, one line of JSON. */
  readonly manifest: string;
  readonly digest: string;
  /** The receipt envelope, one line of JSON. */
  readonly receipt: string | undefined;
}

/** A segment on the card. */
export interface CataloguedSegment {
  readonly verdict: SegmentVerdict;
  /** False when there is no file of heads. */
  readonly hasHeads: boolean;
  /** SHA-256 over its manifest file in hex; undefined without one. */
  readonly manifestFile: string | undefined;
}

type Finding = Pick<Problem, 'state' | 'what'> & { readonly text: string };

const changed = (text: string): Finding => ({ state: 'not-ok', what: 'contradiction', text });

/** What of a row is not what its own manifest says. */
function inconsistency({ ref, bytes, ending, manifest, digest }: CatalogClaim): string | undefined {
  const envelope = parseEnvelope(manifest);
  const body = readManifest(envelope);
  if (formatSegmentRef(body) !== formatSegmentRef(ref)) return 'holds the manifest of another';
  if (payloadDigest(envelope) !== digest) return 'has another digest than its manifest';
  if (body.file.size !== bytes) return `says ${bytes} bytes, its manifest ${body.file.size}`;
  if (body.end !== ending) return `says it ended by ${ending}, its manifest ${body.end}`;
  return undefined;
}

function judgeRow(claim: CatalogClaim, found: CataloguedSegment | undefined): Finding[] {
  const findings: Finding[] = [];
  try {
    const text = inconsistency(claim);
    if (text !== undefined) findings.push(changed(text));
  } catch (error) {
    if (!isCameraError(error)) throw error;
    findings.push({
      state: 'not-ok',
      what: 'contradiction',
      text: `holds no manifest: ${error.message}`,
    });
    return findings;
  }
  const onCard = found?.manifestFile;
  const inCatalog = sha256Hex(Buffer.from(formatEnvelopeFile(parseEnvelope(claim.manifest))));
  if (onCard !== undefined && onCard !== inCatalog) {
    findings.push(changed('holds another manifest than the card'));
  }
  return findings;
}

function judgeRowReceipt(
  claim: CatalogClaim,
  found: CataloguedSegment | undefined,
  trust: Trust,
): readonly Problem[] {
  if (claim.receipt === undefined) return [];
  const { manifest, manifestDigest: digest } = found?.verdict ?? {};
  const file = `${DATABASE_FILE} (receipt of ${formatSegmentRef(claim.ref)})`;
  const about = { ref: claim.ref, file, manifest, digest };
  return verifyReceipt(`${claim.receipt}\n`, about, trust).problems.map((problem) => ({
    ...problem,
    file: DATABASE_FILE,
  }));
}

/** A camera signs a head each second: a sealed segment longer than this without any has lost them. */
const HEADLESS_TICKS_MAX = 2 * TICKS_PER_SECOND;

/**
 * The manifest says all that the heads said, so without them nothing is less proven; but a camera never removes them alone.
 */
function judgeHeadless({ verdict: { ref, manifest }, hasHeads }: CataloguedSegment): Problem[] {
  if (hasHeads || (manifest?.media.duration90k ?? 0) < HEADLESS_TICKS_MAX) return [];
  const file = fileNamesOf(ref).heads;
  const message = `${file} is missing: what was signed while the segment was being written`;
  return [{ state: 'ok-with-missing', file, what: 'missing', message }];
}

/**
 * Compares the catalog of a card with what lies on it. A row that says something else than the signed manifest is
 * `not-ok`; a sealed segment without a row, or a row without files, is `ok-with-missing` (a power cut can leave the
 * first until the next start). `isDeleted` tells what the device log says was deleted.
 */
export function verifyCatalog(
  claims: Iterable<CatalogClaim>,
  segments: readonly CataloguedSegment[],
  trust: Trust,
  isDeleted: (ref: SegmentRef) => boolean = () => false,
): Problem[] {
  const byRef = new Map(segments.map((found) => [formatSegmentRef(found.verdict.ref), found]));
  const known = new Set<string>();
  const problems: Problem[] = [];
  const add = (state: Finding['state'], what: ProblemKind, message: string): void => {
    problems.push({ state, file: DATABASE_FILE, what, message });
  };
  for (const claim of claims) {
    const name = formatSegmentRef(claim.ref);
    const found = byRef.get(name);
    known.add(name);
    for (const { state, what, text } of judgeRow(claim, found)) {
      add(state, what, `${DATABASE_FILE}: the catalog's row of ${name} ${text}`);
    }
    problems.push(...judgeRowReceipt(claim, found, trust));
    if (found === undefined && !isDeleted(claim.ref)) {
      add('ok-with-missing', 'missing', `${name} is in the catalog and not on the card`);
    }
  }
  for (const [name, found] of byRef) {
    problems.push(...judgeHeadless(found));
    if (found.manifestFile === undefined || known.has(name)) continue;
    add('ok-with-missing', 'missing', `${name} is sealed on the card and not in the catalog`);
  }
  return problems;
}
