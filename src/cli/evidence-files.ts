import path from 'node:path';
import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { parseCounter, parseSegmentFile } from '../storage/layout.js';
import type { SegmentFile } from '../storage/layout.js';
import { formatSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';

/** A file of a segment; only a receiver keeps receipts. */
export type EvidenceFile = SegmentFile | '.receipt';

/** One segment somewhere on a disk. */
export interface FoundSegment {
  readonly ref: SegmentRef;
  /** Directory that holds the boots: `<card>/ev` or `<store>/<device>`. */
  readonly root: string;
  readonly files: ReadonlyMap<EvidenceFile, { readonly path: string; readonly bytes: number }>;
}

/** Everything found below the paths given. */
export interface FoundEvidence {
  readonly segments: readonly FoundSegment[];
  /** Text of `<boot>/session.dsse` by boot, for each root. */
  readonly sessions: ReadonlyMap<string, ReadonlyMap<number, string>>;
  /** Cards below the paths: directories with `ev` and `lapel.db`, also when there is no segment any more. */
  readonly cards: readonly string[];
  /** Bundles of exports below the paths: directories with an `export.json`. */
  readonly bundles: readonly string[];
  /** Files in folders set aside (quarantine, conflicts, incoming) and files of no known name among the evidence. */
  readonly setAside: readonly string[];
}

/** Folders whose content is not judged. Everything that starts with a dot is one too. */
const SET_ASIDE = ['quarantine', 'conflicts', 'internal', 'operator'];
/** `<data>/card/ev/<boot>/<rec>` is four below; nobody's evidence is buried deeper than this. */
const DEPTH_MAX = 8;
const ENVELOPE_BYTES_MAX = 128 * 1024;
/** What makes a directory a card. */
export const CARD_DATABASE = 'lapel.db';
export const CARD_EVIDENCE = 'ev';
/** What makes a directory the bundle of an export. */
export const EXPORT_STATEMENT = 'export.json';
const RECEIPT = '.receipt';

/** Splits a file name of a recording's directory, of a card or of a receiver's store. */
function parseEvidenceFile(name: string): { seq: number; file: EvidenceFile } | undefined {
  if (!name.endsWith(RECEIPT)) return parseSegmentFile(name);
  const seq = parseCounter(name.slice(0, -RECEIPT.length));
  return seq === undefined ? undefined : { seq, file: RECEIPT };
}

/**
 * Looks for segments in directories or takes single segment files: a store, a card, a boot, a recording, `0.age`.
 * Throws `storage/not-found` for a path that is not there or holds neither a segment nor a card.
 */
export async function findEvidence(
  fs: FileSystem,
  paths: readonly string[],
): Promise<FoundEvidence> {
  const segments = new Map<string, FoundSegment>();
  const setAside = new Set<string>();
  const cards = new Set<string>();
  const bundles = new Set<string>();
  for (const given of paths) {
    // Paths may overlap (`1/1/0.*`): what counts is whether this one holds a segment, not whether it is a new one.
    const found = new Map<string, FoundSegment>();
    const cardsHere = new Set<string>();
    await collect(fs, path.resolve(given), {
      segments: found,
      setAside,
      bundles,
      cards: cardsHere,
    });
    if (found.size === 0 && cardsHere.size === 0) {
      throw new CameraError('storage/not-found', `there is no segment in ${given}`);
    }
    for (const [key, segment] of found) segments.set(key, segment);
    for (const card of cardsHere) cards.add(card);
  }
  const sorted = [...segments.values()].sort(byPlace);
  const evidenceOfCards = [...cards].map((card) => path.join(card, CARD_EVIDENCE));
  const roots = [...new Set([...sorted.map(({ root }) => root), ...evidenceOfCards])];
  const sessions = new Map<string, ReadonlyMap<number, string>>();
  for (const root of roots) sessions.set(root, await readSessions(fs, root));
  return {
    ...{ segments: sorted, sessions, cards: [...cards] },
    ...{ bundles: [...bundles], setAside: [...setAside] },
  };
}

interface Collection {
  readonly segments: Map<string, FoundSegment>;
  readonly setAside: Set<string>;
  readonly cards: Set<string>;
  readonly bundles: Set<string>;
}

async function collect(fs: FileSystem, given: string, into: Collection): Promise<void> {
  if (!(await fs.exists(given))) {
    throw new CameraError('storage/not-found', `there is no ${given}`);
  }
  const parsed = parseEvidenceFile(path.basename(given));
  if (parsed === undefined) {
    await walk(fs, given, 0, into);
    return;
  }
  const directory = path.dirname(given);
  for (const { name } of await fs.list(directory)) {
    if (parseEvidenceFile(name)?.seq === parsed.seq) await add(fs, directory, name, into);
  }
}

async function walk(
  fs: FileSystem,
  directory: string,
  depth: number,
  into: Collection,
): Promise<void> {
  if (depth > DEPTH_MAX) return;
  const entries = await fs.list(directory);
  const has = (wanted: string): boolean => entries.some(({ name }) => name === wanted);
  if (has(CARD_DATABASE) && has(CARD_EVIDENCE)) into.cards.add(directory);
  if (has(EXPORT_STATEMENT)) into.bundles.add(directory);
  for (const { name, isDirectory } of entries) {
    const full = path.join(directory, name);
    if (!isDirectory) await add(fs, directory, name, into);
    else if (name.startsWith('.') || SET_ASIDE.includes(name)) await note(fs, full, into);
    else await walk(fs, full, depth + 1, into);
  }
}

async function note(fs: FileSystem, directory: string, into: Collection): Promise<void> {
  for (const { name } of await fs.list(directory)) into.setAside.add(path.join(directory, name));
}

async function add(
  fs: FileSystem,
  directory: string,
  name: string,
  into: Collection,
): Promise<void> {
  const parsed = parseEvidenceFile(name);
  const rec = parseCounter(path.basename(directory));
  const boot = parseCounter(path.basename(path.dirname(directory)));
  if (rec === undefined || boot === undefined) return;
  if (parsed === undefined) {
    into.setAside.add(path.join(directory, name));
    return;
  }
  const root = path.dirname(path.dirname(directory));
  const ref = { boot, rec, seq: parsed.seq };
  const key = `${root}\0${formatSegmentRef(ref)}`;
  const known = into.segments.get(key) ?? { ref, root, files: new Map() };
  const full = path.join(directory, name);
  const files = new Map(known.files).set(parsed.file, {
    path: full,
    bytes: await fs.size(full),
  });
  into.segments.set(key, { ...known, files });
}

async function readSessions(fs: FileSystem, root: string): Promise<ReadonlyMap<number, string>> {
  const sessions = new Map<number, string>();
  for (const { name, isDirectory } of await fs.list(root)) {
    const boot = parseCounter(name);
    const file = path.join(root, name, 'session.dsse');
    if (!isDirectory || boot === undefined || !(await fs.exists(file))) continue;
    sessions.set(boot, (await fs.readFile(file, ENVELOPE_BYTES_MAX)).toString('utf8'));
  }
  return sessions;
}

function byPlace(a: FoundSegment, b: FoundSegment): number {
  if (a.root !== b.root) return a.root < b.root ? -1 : 1;
  return a.ref.boot - b.ref.boot || a.ref.rec - b.ref.rec || a.ref.seq - b.ref.seq;
}
