import type { z } from 'zod';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Longest value quoted in a fault: enough to find it, too short to fill a log. */
const QUOTED_LENGTH_MAX = 40;
/** Faults listed in one message; beyond that the document is of another kind and a count says enough. */
const FAULTS_LISTED_MAX = 100;
/** More edits than this and a key is a different word, not a slip. */
const SLIP_EDITS_MAX = 2;

/**
 * One line per fault that zod found in `document`, as `path: reason`, in document order of the schema.
 * `knownKeys` gives the keys of the top level, so that a slip of the pen gets a suggestion.
 * Values are never quoted, because a secret may stand in the wrong place.
 */
export function describeFaults(
  issues: readonly Issue[],
  document: unknown,
  knownKeys: readonly string[] = [],
): string[] {
  return issues.flatMap((issue) => describeIssue(issue, document, knownKeys));
}

/** All faults as the one line of an error message. */
export function joinFaults(faults: readonly string[]): string {
  const listed = faults.slice(0, FAULTS_LISTED_MAX);
  const rest = faults.length - listed.length;
  return rest === 0 ? listed.join('; ') : `${listed.join('; ')}; and ${rest} more`;
}

function describeIssue(issue: Issue, document: unknown, knownKeys: readonly string[]): string[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const suggestion = path.length === 0 ? nearestKey(key, knownKeys) : undefined;
      const hint = suggestion === undefined ? '' : `, did you mean ${suggestion}?`;
      return `${formatPath([...path, clip(key)])}: unknown key${hint}`;
    });
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map(({ message }) => `${formatPath(path)}: ${plain(message)}`);
  }
  const isMissing =
    issue.code !== 'custom' && path.length > 0 && valueAt(document, path) === undefined;
  return [`${formatPath(path)}: ${isMissing ? 'is missing' : plain(issue.message)}`];
}

/** `camera.width`, `receivers[0].rx`; `the document` for the root. */
export function formatPath(path: Path): string {
  if (path.length === 0) return 'the document';
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? String(step) : `${text}.${String(step)}`;
  }, '');
}

function valueAt(document: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) {
      return undefined;
    }
    return (value as Record<PropertyKey, unknown>)[step];
  }, document);
}

/** A key as it may stand on a terminal: short, and without control or format characters. */
function clip(key: string): string {
  const printable = key.replace(/\p{C}/gu, '?');
  return printable.length <= QUOTED_LENGTH_MAX
    ? printable
    : `${printable.slice(0, QUOTED_LENGTH_MAX)}…`;
}

/** zod says "Invalid input: expected string, received number"; after a path the first two words say nothing. */
const plain = (message: string): string =>
  message.replace(/^Invalid (?:input|option|string): /, '');

/** The known key that `key` was probably meant to be: same letters in another case, or few edits away. */
export function nearestKey(key: string, knownKeys: readonly string[]): string | undefined {
  if (key.length > QUOTED_LENGTH_MAX) return undefined;
  const ranked = knownKeys
    .map((known) => ({ known, edits: editDistance(key.toLowerCase(), known.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  const best = ranked[0];
  return best !== undefined && best.edits <= SLIP_EDITS_MAX ? best.known : undefined;
}

/** Levenshtein distance: insertions, deletions and substitutions from `a` to `b`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(b).entries()) {
      const substitution = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(substitution, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
