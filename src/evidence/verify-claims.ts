import { formatSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';
import { fileNamesOf } from './verdict.js';
import type { Problem } from './verdict.js';
import { LOG_NAME } from './verify-log.js';
import type { SegmentVerdict } from './verify-segment.js';

/** What the device log says about one segment. */
export interface SegmentClaim {
  readonly ref: SegmentRef;
  /** Digest of the manifest's payload. */
  readonly man: string;
  /** Number of the entry, from 0. */
  readonly entry: number;
  /** Number of the entry from which on it may be gone, for a receipt was there; undefined for one that must be here. */
  readonly deleted: number | undefined;
}

/** Which part of a log a set of files can be held against. */
export interface ClaimScope {
  /** True when everything the device has is said to be here: a card, a whole device in a store. */
  readonly isWhole: boolean;
  /** Without `isWhole`: the recordings that are here, as `<boot>/<rec>`. */
  readonly recordings: ReadonlySet<string>;
}

/** What a claim says of a segment that is here. */
function judgePresent(claim: SegmentClaim, verdict: SegmentVerdict): Problem[] {
  const { entry } = claim;
  const file = fileNamesOf(claim.ref).manifest;
  const digest = verdict.manifestDigest;
  // Without a manifest its own verdict says so; the log's word about it is for the list of what is missing.
  if (digest === undefined || digest === claim.man) return [];
  const message = `${file} is not the manifest that entry ${entry} of the device log names`;
  return [{ state: 'not-ok', file, what: 'contradiction', entry, message }];
}

function judgeAbsent({ ref, entry }: SegmentClaim, isRecordingHere: boolean): Problem {
  const file = fileNamesOf(ref).manifest;
  const what = isRecordingHere
    ? `segment ${formatSegmentRef(ref)}`
    : `recording ${ref.boot}/${ref.rec} with segment ${ref.seq}`;
  const message = `${what} is missing: entry ${entry} of the device log says it was sealed`;
  return { state: 'ok-with-missing', file, what: 'missing', entry, message };
}

/**
 * Holds what is there against the device log: what the log says was sealed and never deleted must be here, with the
 * manifest that the log names, and what is sealed here must be in the log (a power cut can leave the newest unlogged
 * until the next start).
 */
export function verifyClaims(
  claims: readonly SegmentClaim[],
  verdicts: readonly SegmentVerdict[],
  scope: ClaimScope,
): Problem[] {
  const byRef = new Map(verdicts.map((verdict) => [formatSegmentRef(verdict.ref), verdict]));
  const recordings = new Set(verdicts.map(({ ref }) => `${ref.boot}/${ref.rec}`));
  const claimed = new Set<string>();
  const problems: Problem[] = [];
  for (const claim of claims) {
    const name = formatSegmentRef(claim.ref);
    claimed.add(name);
    const verdict = byRef.get(name);
    const recording = `${claim.ref.boot}/${claim.ref.rec}`;
    if (verdict !== undefined) problems.push(...judgePresent(claim, verdict));
    else if (claim.deleted === undefined && (scope.isWhole || scope.recordings.has(recording))) {
      problems.push(judgeAbsent(claim, recordings.has(recording)));
    }
  }
  for (const [name, { manifestDigest }] of byRef) {
    if (manifestDigest === undefined || claimed.has(name)) continue;
    const message = `${name} is sealed, but the device log has no entry of it: entries are missing, or the power failed before it was entered`;
    problems.push({ state: 'ok-with-missing', file: LOG_NAME, what: 'missing', message });
  }
  return problems;
}
