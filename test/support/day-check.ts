import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { verifyPaths } from '../../src/cli/verify.js';
import { decodePayload } from '../../src/evidence/dsse.js';
import type { LogEntry } from '../../src/evidence/log-entry.js';
import { sha256Hex } from '../../src/evidence/merkle-tree.js';
import type { Trust } from '../../src/evidence/trust.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { openDatabase } from '../../src/storage/database.js';
import { readEntries } from '../../src/storage/device-log.js';
import { parseSegmentFile } from '../../src/storage/layout.js';
import { formatSegmentRef } from '../../src/units.js';

/** What is known of the lives of a camera until now. */
export interface DayFacts {
  /** Digest of the manifest of each segment that was said to be sealed, by `<boot>/<rec>/<seq>`. */
  readonly sealed: ReadonlyMap<string, string>;
  /** Edges that hands made and decisions that were told, by boot. */
  readonly presses: ReadonlyMap<number, { readonly edges: number; readonly decided: number }>;
}

export interface DayVerdict {
  readonly problems: readonly string[];
  readonly segments: number;
  readonly recovered: number;
  readonly receipts: number;
  readonly deleted: number;
  readonly quarantined: number;
  readonly entries: number;
}

interface Ledger {
  readonly entries: readonly LogEntry[];
  readonly rows: readonly {
    readonly seg: string;
    readonly isReceipted: boolean;
    readonly stage: 'kept' | 'deletable' | 'deleted';
  }[];
  /** How many recordings a boot has numbered. */
  readonly recordings: ReadonlyMap<number, number>;
}

/** By the column `removal` of the catalog. */
const STAGES = ['kept', 'deletable', 'deleted'] as const;

const ENTRIES_MAX = 1_000_000;

function readLedger(card: string): Ledger {
  const db = openDatabase(path.join(card, 'lapel.db'), { readOnly: true });
  try {
    const rows = db
      .all('SELECT boot, rec, seq, receipt, removal FROM segments ORDER BY boot, rec, seq')
      .map(({ boot, rec, seq, receipt, removal }) => ({
        seg: `${String(boot)}/${String(rec)}/${String(seq)}`,
        isReceipted: receipt !== null,
        stage: STAGES[Number(removal)] ?? 'kept',
      }));
    const counts = db.all('SELECT boot, COUNT(*) AS n FROM recordings GROUP BY boot');
    return {
      entries: readEntries(db, 0, ENTRIES_MAX).map(
        ({ envelope }) => JSON.parse(decodePayload(envelope).toString()) as LogEntry,
      ),
      rows,
      recordings: new Map(counts.map(({ boot, n }) => [Number(boot), Number(n)])),
    };
  } finally {
    db.close();
  }
}

const namesBelow = async (root: string): Promise<readonly string[]> => {
  if (!existsSync(root)) return [];
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
};

/** Everything that must hold of a card and a store when the camera has recovered and nobody has them open. */
export async function checkDay(
  places: { readonly card: string; readonly store: string; readonly device: string },
  facts: DayFacts,
  trust: Trust,
): Promise<DayVerdict> {
  const problems: string[] = [];
  const must = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  const ledger = readLedger(places.card);
  checkPresses(ledger, facts, must);
  checkOnce(ledger, must);
  checkDeletions(ledger, must);
  const quarantined = await checkCardFiles(places.card, ledger, must);
  const stored = await checkStoreFiles(places, ledger, must);
  for (const { seg, isReceipted } of ledger.rows) {
    if (isReceipted) must(stored.has(seg), `${seg} has a receipt and is not in the store`);
  }
  await checkSealed(places, ledger, facts, trust, must);
  if (stored.size > 0) {
    const { state } = await verifyPaths(
      new NodeFileSystem(),
      [path.join(places.store, places.device)],
      trust,
    );
    must(state === 'ok' || state === 'ok-with-missing', `the store is ${state}`);
  }
  const count = (type: LogEntry['type']): number =>
    ledger.entries.filter((entry) => entry.type === type).length;
  return {
    problems,
    segments: ledger.rows.length,
    recovered: count('recovered'),
    receipts: count('receipt'),
    deleted: count('deleted'),
    quarantined,
    entries: ledger.entries.length,
  };
}

type Must = (holds: boolean, problem: string) => void;

/** Outcomes after which the camera does something. */
const EFFECTS: ReadonlySet<unknown> = new Set(['started', 'mark', 'stopped', 'slept', 'woke']);

function checkPresses({ entries, recordings }: Ledger, facts: DayFacts, must: Must): void {
  const seen = new Set<string>();
  for (const entry of entries) {
    if (entry.type !== 'press') continue;
    const what = entry.outcome === null ? 'entered' : 'decided';
    const name = `edge ${entry.boot}.${entry.edge}`;
    must(!seen.has(`${name} ${what}`), `${name} was ${what} twice`);
    seen.add(`${name} ${what}`);
  }
  for (const [boot, { edges: made, decided: told }] of facts.presses) {
    const ofBoot = entries.flatMap((entry) =>
      entry.type === 'press' && entry.boot === boot ? [entry] : [],
    );
    const entered = ofBoot.filter(({ outcome }) => outcome === null);
    // Contacts that are not quiet yet are delivered again when they are: another edge number, the same moment.
    const edges = new Set(entered.map(({ pressed, at }) => `${pressed} ${at}`)).size;
    const effects = ofBoot.filter(({ outcome }) => EFFECTS.has(outcome)).length;
    const starts = ofBoot.filter(({ outcome }) => outcome === 'started').length;
    must(edges <= made, `boot ${boot}: ${edges} edges in the log, hands made ${made}`);
    must(entered.length >= told, `boot ${boot}: ${told} presses decided, ${edges} in the log`);
    must(effects <= made / 2, `boot ${boot}: ${made / 2} presses had ${effects} effects`);
    const begun = recordings.get(boot) ?? 0;
    must(starts <= begun, `boot ${boot}: ${starts} presses started ${begun} recordings`);
    must(begun <= made / 2, `boot ${boot}: ${begun} recordings began with ${made / 2} presses`);
  }
}

/** Every segment and every receipt is in the log once, and log and catalog agree. */
function checkOnce({ entries, rows }: Ledger, must: Must): void {
  const sealed = entries.flatMap((entry) =>
    entry.type === 'segment' || entry.type === 'recovered' ? [entry.seg] : [],
  );
  const receipts = entries.flatMap((entry) => (entry.type === 'receipt' ? [entry.seg] : []));
  must(new Set(sealed).size === sealed.length, 'a segment is in the log twice');
  must(new Set(receipts).size === receipts.length, 'a receipt is in the log twice');
  must(sealed.length === rows.length, `log has ${sealed.length} segments, catalog ${rows.length}`);
  const receipted = rows.filter(({ isReceipted }) => isReceipted).length;
  must(receipts.length === receipted, `log has ${receipts.length} receipts, catalog ${receipted}`);
  const boots = entries.flatMap((entry) => (entry.type === 'boot' ? [entry.boot] : []));
  must(
    boots.every((boot, n) => n === 0 || boot > (boots[n - 1] ?? 0)),
    'a boot number came twice',
  );
}

/**
 * Nothing was deleted that had no receipt before, that was not declared deletable before, or twice; and log and catalog agree.
 * Deletable again is only what was kept in between.
 */
function checkDeletions({ entries, rows }: Ledger, must: Must): void {
  const stages = new Map<string, 'receipted' | 'deletable' | 'deleted'>();
  for (const entry of entries) {
    const { type } = entry;
    if (type === 'receipt') stages.set(entry.seg, 'receipted');
    if (type !== 'deletable' && type !== 'kept' && type !== 'deleted') continue;
    const before = type === 'deletable' ? 'receipted' : 'deletable';
    must(
      stages.get(entry.seg) === before,
      `${entry.seg} is ${type} after ${stages.get(entry.seg) ?? 'nothing'}`,
    );
    stages.set(entry.seg, type === 'kept' ? 'receipted' : type);
  }
  for (const { seg, isReceipted, stage } of rows) {
    const expected = isReceipted ? (stage === 'kept' ? 'receipted' : stage) : undefined;
    must(
      stages.get(seg) === expected,
      `${seg} is ${stage} in the catalog, ${stages.get(seg) ?? 'sealed'} in the log`,
    );
  }
}

/** Whether every file of the card is one that the log or the catalog knows. Returns how many are in quarantine. */
async function checkCardFiles(card: string, ledger: Ledger, must: Must): Promise<number> {
  const known = new Set(
    ledger.rows.filter(({ stage }) => stage !== 'deleted').map(({ seg }) => seg),
  );
  const told = ledger.entries.flatMap((entry) =>
    entry.type === 'fault' ? [entry.detail.split(' ')[0] ?? ''] : [],
  );
  let quarantined = 0;
  for (const name of await namesBelow(card)) {
    if (/^lapel\.db(-wal|-shm)?$/.test(name) || /^ev\/\d+\/session\.dsse$/.test(name)) continue;
    if (name.startsWith('quarantine/')) {
      quarantined += 1;
      const from = name.slice('quarantine/'.length);
      const isTold = told.some((file) => from === file || from.replace(/\.\d+$/, '') === file);
      must(isTold, `nothing explains ${name}`);
      continue;
    }
    const [top, boot, rec, file = ''] = name.split('/');
    const parsed = parseSegmentFile(file);
    const isSegment = top === 'ev' && parsed !== undefined;
    must(
      isSegment && known.has(`${boot}/${rec}/${parsed.seq}`),
      `nothing explains ${name} on the card`,
    );
  }
  return quarantined;
}

/** The same for the store of the receiver. Returns the segments it has stored. */
async function checkStoreFiles(
  { store, device }: { readonly store: string; readonly device: string },
  { rows }: Ledger,
  must: Must,
): Promise<ReadonlySet<string>> {
  const pending = new Set(rows.filter((row) => !row.isReceipted).map(({ seg }) => seg));
  const known = new Set(rows.map(({ seg }) => seg));
  const stored = new Set<string>();
  const names = await namesBelow(path.join(store, device));
  for (const name of names) {
    const [boot = '', rec = '', file = ''] = name.split('/');
    if (/^\d+\/session\.dsse$/.test(name)) continue;
    const partial = /^\.incoming\/(\d+)-(\d+)-(\d+)-[0-9a-f]{16}\.age$/.exec(name);
    if (partial !== null) {
      must(pending.has(partial.slice(1, 4).join('/')), `nothing explains ${name} in the store`);
      continue;
    }
    const seg = `${boot}/${rec}/${file.split('.')[0] ?? ''}`;
    const isOurs = parseSegmentFile(file) !== undefined || /^\d+\.receipt$/.test(file);
    must(isOurs && known.has(seg), `nothing explains ${name} in the store`);
    if (file.endsWith('.dsse')) stored.add(seg);
  }
  return stored;
}

/**
 * What was said to be sealed is there, unchanged, and verifies, or was deleted and is in the store, unchanged; everything else
 * verifies as what a cut has left.
 */
async function checkSealed(
  {
    card,
    store,
    device,
  }: { readonly card: string; readonly store: string; readonly device: string },
  { rows }: Ledger,
  { sealed }: DayFacts,
  trust: Trust,
  must: Must,
): Promise<void> {
  const evidence = path.join(card, 'ev');
  const gone = new Set(rows.filter(({ stage }) => stage === 'deleted').map(({ seg }) => seg));
  const going = new Set(rows.filter(({ stage }) => stage === 'deletable').map(({ seg }) => seg));
  const hasFootage = (await namesBelow(evidence)).some((name) => name.endsWith('.age'));
  const report = hasFootage
    ? await verifyPaths(new NodeFileSystem(), [evidence], trust)
    : { segments: [], recordings: [] };
  const states = new Map(report.segments.map(({ ref, state }) => [formatSegmentRef(ref), state]));
  for (const [seg, digest] of sealed) {
    const isElsewhere = gone.has(seg) || (going.has(seg) && states.get(seg) !== 'ok');
    if (!isElsewhere) {
      must(states.get(seg) === 'ok', `${seg} was sealed and is ${states.get(seg) ?? 'gone'}`);
    }
    const manifest = path.join(isElsewhere ? path.join(store, device) : evidence, `${seg}.dsse`);
    const now = existsSync(manifest) ? sha256Hex(await readFile(manifest)) : 'gone';
    must(now === digest, `the manifest of ${seg} was changed`);
  }
  for (const { ref, state, problems } of report.segments) {
    const name = formatSegmentRef(ref);
    const all = problems.map(({ message }) => message).join('; ');
    const isGood = state === 'ok' || state === 'ok-with-missing' || going.has(name);
    must(isGood, `${name} is ${state}: ${all}`);
  }
  for (const { boot, rec, state } of report.recordings) {
    const hasGoing = [...going].some((seg) => seg.startsWith(`${boot}/${rec}/`));
    must(state !== 'not-ok' || hasGoing, `recording ${boot}/${rec} is ${state}`);
  }
}
