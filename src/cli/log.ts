import path from 'node:path';
import { parseCheckpoint } from '../evidence/checkpoint.js';
import type { Checkpoint } from '../evidence/checkpoint.js';
import { formatEnvelope } from '../evidence/dsse.js';
import { entryLeaf, readEntry } from '../evidence/log-entry.js';
import type { LogEntry } from '../evidence/log-entry.js';
import { formatConsistency, formatInclusion } from '../evidence/log-proof.js';
import { proveConsistency, proveInclusion, rootAt } from '../evidence/tree-hashes.js';
import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { openMachine } from '../hal/machine.js';
import { readCheckpoint } from '../storage/checkpoint-book.js';
import type { Database } from '../storage/database.js';
import { readEntries } from '../storage/device-log.js';
import type { StoredEntry } from '../storage/device-log.js';
import { StoredHashes } from '../storage/log-tree.js';
import { withCardDatabase } from './card-snapshot.js';
import { LogDates, TABLE_HEAD, formatRow } from './log-rows.js';
import type { LogRow } from './log-rows.js';
import { writeTiles } from './log-tiles.js';
import { findText, getText, getTexts } from './options.js';
import type { Options } from './options.js';
import { paint, printJson, say } from './output.js';
import type { Output } from './output.js';
import { dataPaths } from './paths.js';

/** Entries read at a time: some hundred kilobytes, however long the log is. */
const ENTRIES_PER_READ = 500;
const SHOWN_DEFAULT = 100;
const NOTE_BYTES_MAX = 256 * 1024;

/** The card: an argument, or that of a data directory. */
function cardOf(args: readonly string[], options: Options): string {
  const [given] = args;
  return given === undefined ? dataPaths(getText(options, 'data')).card : path.resolve(given);
}

/** A whole number, or undefined when the option was not given. Throws `cli/usage`. */
function findCount(options: Options, name: string): number | undefined {
  const text = findText(options, name);
  if (text === undefined) return undefined;
  if (/^(?:0|[1-9]\d{0,9})$/.test(text)) return Number(text);
  throw new CameraError('cli/usage', `--${name} ${text} is not a whole number`);
}

/** Wall milliseconds, or undefined when the option was not given. Throws `cli/usage`. */
function findTime(options: Options, name: string): number | undefined {
  const text = findText(options, name);
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  throw new CameraError('cli/usage', `--${name} ${text} is not a time such as 2026-11-24T10:00Z`);
}

function* entriesOf(db: Database): Generator<StoredEntry, void, undefined> {
  for (let from = 0; ;) {
    const batch = readEntries(db, from, ENTRIES_PER_READ);
    yield* batch;
    if (batch.length < ENTRIES_PER_READ) return;
    from += batch.length;
  }
}

interface Filter {
  readonly types: readonly string[];
  readonly boot: number | undefined;
  readonly since: number | undefined;
  readonly until: number | undefined;
}

/** An entry without a time is in no span of time. */
const fits = ({ entry, wallMs }: LogRow, { types, boot, since, until }: Filter): boolean =>
  (types.length === 0 || types.includes(entry.type)) &&
  (boot === undefined || entry.boot === boot) &&
  (since === undefined || (wallMs !== undefined && wallMs >= since)) &&
  (until === undefined || (wallMs !== undefined && wallMs < until));

/** The newest `limit` entries that fit, oldest first, and how many there are. */
function select(
  db: Database,
  filter: Filter,
  limit: number,
): { rows: readonly LogRow[]; found: number } {
  const dates = new LogDates();
  let rows: LogRow[] = [];
  let found = 0;
  for (const { index, envelope } of entriesOf(db)) {
    const entry = readEntry(envelope);
    const row = { index, entry, wallMs: dates.date(entry) };
    if (!fits(row, filter)) continue;
    found += 1;
    rows.push(row);
    if (rows.length > 2 * limit) rows = rows.slice(-limit);
  }
  return { rows: limit === 0 ? [] : rows.slice(-limit), found };
}

export async function show(
  args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const limit = findCount(options, 'limit') ?? SHOWN_DEFAULT;
  const filter = {
    types: getTexts(options, 'type'),
    boot: findCount(options, 'boot'),
    since: findTime(options, 'since'),
    until: findTime(options, 'until'),
  };
  await withCardDatabase(cardOf(args, options), (db) => {
    const { rows, found } = select(db, filter, limit);
    const { size } = new StoredHashes(db);
    if (output.isJson) {
      const entries = rows.map(({ index, entry, wallMs }) => {
        return { index, wall_ms: wallMs ?? null, ...entry };
      });
      printJson(output, { ok: true, size, found, entries });
    }
    say(output, paint(output.out, 'bold', TABLE_HEAD));
    for (const row of rows) say(output, formatRow(row));
    const rest = found - rows.length;
    const more = rest === 0 ? '' : `; ${rest} earlier ones are not shown (--limit)`;
    say(output, paint(output.out, 'dim', `${found} of ${size} entries fit${more}`));
  });
  return 0;
}

/** The newest checkpoint of the card over at most `size` entries. Throws `evidence/not-proven` without one. */
function requireCheckpoint(db: Database, size?: number): { note: string; checkpoint: Checkpoint } {
  const note = readCheckpoint(db, size);
  if (note !== undefined) return { note, checkpoint: parseCheckpoint(note) };
  throw new CameraError('evidence/not-proven', 'the log has no checkpoint of that size');
}

const jsonOf = ({ origin, size, root }: Checkpoint, note: string): object => ({
  checkpoint: { origin, size, root: root.toString('hex'), note },
});

export async function checkpoint(
  args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  await withCardDatabase(cardOf(args, options), (db) => {
    const found = requireCheckpoint(db, findCount(options, 'size'));
    const { size } = new StoredHashes(db);
    const entriesSince = size - found.checkpoint.size;
    if (output.isJson) {
      printJson(output, { ok: true, ...jsonOf(found.checkpoint, found.note), entriesSince });
      return;
    }
    output.out.write(found.note);
    if (entriesSince > 0) output.err.write(`${entriesSince} entries came after it\n`);
  });
  return 0;
}

/** The entry that sealed a segment, whether while it was recorded or after a power cut. */
function entryOfSegment(db: Database, seg: string): number {
  for (const { index, type, envelope } of entriesOf(db)) {
    if (type !== 'segment' && type !== 'recovered') continue;
    const entry: LogEntry = readEntry(envelope);
    if ((entry.type === 'segment' || entry.type === 'recovered') && entry.seg === seg) return index;
  }
  throw new CameraError('storage/not-found', `the log has no entry that sealed ${seg}`);
}

/** A text that a third party can check, and the same for programs. */
interface Proof {
  readonly text: string;
  readonly json: object;
}

function inclusionOf(db: Database, index: number): Proof {
  const [stored] = readEntries(db, index, 1);
  if (stored === undefined) throw new CameraError('cli/usage', `the log has no entry ${index}`);
  const { note, checkpoint: head } = requireCheckpoint(db);
  if (head.size <= index) {
    const message = `no checkpoint covers entry ${index} yet; the camera makes one within 64 entries`;
    throw new CameraError('evidence/not-proven', message);
  }
  const proof = proveInclusion(new StoredHashes(db), index, head.size);
  const envelope = formatEnvelope(stored.envelope);
  return {
    text: formatInclusion({ index, proof, checkpoint: note, extra: Buffer.from(envelope) }),
    json: {
      ...{ kind: 'inclusion', index, leaf: entryLeaf(stored.envelope).toString('hex') },
      proof: proof.map((hash) => hash.toString('hex')),
      ...jsonOf(head, note),
      envelope: stored.envelope,
    },
  };
}

/** Throws `evidence/not-proven` when the log does not continue what the older checkpoint vouches for. */
function consistencyOf(db: Database, older: Checkpoint): Proof {
  const { note, checkpoint: head } = requireCheckpoint(db);
  const source = new StoredHashes(db);
  const fail = (why: string): never => {
    throw new CameraError('evidence/not-proven', why);
  };
  if (older.origin !== head.origin) fail(`that is a checkpoint of ${older.origin}`);
  if (older.size > head.size) {
    fail(`that checkpoint has ${older.size} entries, this log ${head.size}: it was rolled back`);
  }
  if (!rootAt(source, older.size).equals(older.root)) {
    fail(`this log has other entries than that checkpoint: one of the two was forged`);
  }
  const proof = proveConsistency(source, older.size, head.size);
  return {
    text: formatConsistency({ oldSize: older.size, proof, checkpoint: note }),
    json: {
      ...{ kind: 'consistency', old: { size: older.size, root: older.root.toString('hex') } },
      proof: proof.map((hash) => hash.toString('hex')),
      ...jsonOf(head, note),
    },
  };
}

async function readNote(fs: FileSystem, file: string): Promise<Checkpoint> {
  return parseCheckpoint((await fs.readFile(file, NOTE_BYTES_MAX)).toString('utf8'));
}

export async function prove(
  args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const { fs } = openMachine();
  const [entry, segment, since] = [
    findCount(options, 'entry'),
    findText(options, 'segment'),
    findText(options, 'since'),
  ];
  if ([entry, segment, since].filter((it) => it !== undefined).length !== 1) {
    throw new CameraError('cli/usage', 'give one of --entry, --segment and --since');
  }
  const older = since === undefined ? undefined : await readNote(fs, since);
  await withCardDatabase(cardOf(args, options), (db) => {
    const proof =
      older === undefined
        ? inclusionOf(db, entry ?? entryOfSegment(db, segment ?? ''))
        : consistencyOf(db, older);
    if (output.isJson) printJson(output, { ok: true, ...proof.json, text: proof.text });
    else output.out.write(proof.text);
  });
  return 0;
}

export async function tiles(
  args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const { fs } = openMachine();
  const card = cardOf(args, options);
  const out = path.resolve(getText(options, 'out'));
  if (await fs.exists(out)) throw new CameraError('cli/usage', `--out ${out} exists`);
  await withCardDatabase(card, async (db) => {
    const { note, checkpoint: head } = requireCheckpoint(db);
    const files = await writeTiles(fs, db, { card, out, note, size: head.size });
    if (output.isJson) printJson(output, { ok: true, out, files, ...jsonOf(head, note) });
    say(output, `${head.size} entries as ${files} files in ${out}`);
  });
  return 0;
}
