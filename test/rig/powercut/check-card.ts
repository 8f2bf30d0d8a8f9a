import path from 'node:path';
import { joinSegments } from '../../../src/capture/mp4.js';
import { DecryptedSegment } from '../../../src/cli/decrypted-segment.js';
import { LEAF_BYTES } from '../../../src/evidence/age-container.js';
import { decodePayload } from '../../../src/evidence/dsse.js';
import { entryLeaf } from '../../../src/evidence/log-entry.js';
import type { LogEntry } from '../../../src/evidence/log-entry.js';
import type { Manifest } from '../../../src/evidence/manifest.js';
import { verifyRecording } from '../../../src/evidence/verify-recording.js';
import type { SegmentVerdict } from '../../../src/evidence/verify-segment.js';
import { hasErrorCode } from '../../../src/errors.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { Catalog } from '../../../src/storage/catalog.js';
import { openDatabase } from '../../../src/storage/database.js';
import { readEntries } from '../../../src/storage/device-log.js';
import { CardLayout } from '../../../src/storage/layout.js';
import type { RecoverySummary } from '../../../src/storage/recovery.js';
import { formatSegmentRef } from '../../../src/units.js';
import type { DeviceFixture } from '../../support/boot-fixture.js';
import { filesBelow, judge, segmentsOn } from '../../support/card-fixture.js';
import { ofKind } from './said.js';
import type { Said } from './said.js';
import { FRAMES_PER_FRAGMENT, openStageCard } from './stage.js';
import type { Stage } from './stage.js';

const LOSS_MS_MAX = 2000;
/** A GOP that is being taken when the power goes, once the one before it is under a head. */
const GOP_MS = 1000;
const FRAMES_PER_SECOND = 30;
/** Seconds of footage are recovered in milliseconds; this is a recovery that does not end. */
const RECOVERY_MS_MAX = 30_000;
const ENTRIES_MAX = 100_000;

export interface CardVerdict {
  readonly problems: readonly string[];
  /** The most that any recording lost before the cut, in milliseconds. */
  readonly lostMs: number;
  readonly recovered: number;
}

interface LogLine {
  readonly leaf: string;
  readonly isTrue: boolean;
  readonly entry: LogEntry;
}

/** Entries of the log of a card that nobody has open. */
export function logOf(card: string): readonly LogLine[] {
  const db = openDatabase(new CardLayout(card).database);
  try {
    const leaves = db.all('SELECT leaf FROM entries ORDER BY id').map((row) => row['leaf']);
    return readEntries(db, 0, ENTRIES_MAX).map(({ index, envelope }, at) => {
      const leaf = leaves[at];
      return {
        leaf: Buffer.isBuffer(leaf) ? leaf.toString('hex') : '',
        isTrue: index === at && Buffer.isBuffer(leaf) && entryLeaf(envelope).equals(leaf),
        entry: JSON.parse(decodePayload(envelope).toString()) as LogEntry,
      };
    });
  } finally {
    db.close();
  }
}

/** Starts on the card as the next boot would, and looks at everything that had been promised before the cut. */
export class CardCheck {
  readonly #fs = new NodeFileSystem();
  readonly #stage: Stage;
  readonly #card: string;
  readonly #device: DeviceFixture;
  readonly #said: readonly Said[];
  readonly #problems: string[] = [];
  #lostMs = 0;

  constructor(stage: Stage, said: readonly Said[]) {
    this.#stage = stage;
    this.#card = stage.card;
    this.#device = stage.device;
    this.#said = said;
  }

  /** `whole` is the log as it was at the end of the run that was cut. */
  async run(whole: readonly LogLine[]): Promise<CardVerdict> {
    const first = await this.#boot();
    this.#must(first.summary.failed.length === 0, 'recovery left segments for later');
    this.#must(first.summary.missing.length === 0, 'the catalog knows what the card has not');
    const log = logOf(this.#card);
    const files = await this.#files();
    await this.#secondRecovery(log, files);
    this.#must(!files.has('quarantine/lapel.db'), 'the database was given up');
    const bootsBefore = ofKind(this.#said, 'boot').map(({ boot }) => boot);
    this.#must(!bootsBefore.includes(first.boot), `boot ${first.boot} was there already`);
    this.#isPrefix(log, whole, first.boot);
    this.#hasEntries(log);
    const verdicts = await this.#verdicts();
    this.#hasSegments(log, verdicts);
    await this.#decodes(verdicts);
    const recovered = first.summary.recovered.length;
    return { problems: this.#problems, lostMs: this.#lostMs, recovered };
  }

  #must(holds: boolean, problem: string): void {
    if (!holds) this.#problems.push(problem);
  }

  async #boot(): Promise<{ boot: number; summary: RecoverySummary }> {
    const card = await openStageCard(this.#stage, this.#fs, new SimClock(1000));
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error('recovery does not end'));
      }, RECOVERY_MS_MAX);
    });
    const summary = await Promise.race([card.recovered, limit]);
    clearTimeout(timer);
    // What was to be deleted goes in the first boot, so that the second has nothing to do.
    await card.retention.look();
    await card.close();
    return { boot: card.boot, summary };
  }

  async #files(): Promise<Map<string, Buffer>> {
    const files = await filesBelow(this.#fs, this.#card);
    for (const end of ['', '-wal', '-shm']) files.delete(`lapel.db${end}`);
    return files;
  }

  async #secondRecovery(log: readonly LogLine[], before: Map<string, Buffer>): Promise<void> {
    const { boot, summary } = await this.#boot();
    const { recovered, indexed, quarantined, failed } = summary;
    const done = recovered.length + indexed + quarantined.length + failed.length;
    this.#must(done === 0, `a second recovery did ${done} things`);
    const after = await this.#files();
    after.delete(`ev/${boot}/session.dsse`);
    this.#must(after.size === before.size, 'a second recovery changed the number of files');
    for (const [name, content] of before) {
      this.#must(after.get(name)?.equals(content) === true, `a second recovery changed ${name}`);
    }
    const now = logOf(this.#card);
    const isKept = log.every(({ leaf }, at) => now[at]?.leaf === leaf);
    this.#must(isKept, 'a second recovery changed the log');
    const added = now.slice(log.length).map(({ entry }) => entry.type);
    this.#must(added.join() === 'boot,session-key', `a second recovery logged ${added.join()}`);
  }

  /** What is left of the log is a start of it, and every leaf is that of its entry. */
  #isPrefix(log: readonly LogLine[], whole: readonly LogLine[], boot: number): void {
    const end = log.findIndex(({ entry }) => entry.boot === boot);
    const isSame = log.slice(0, end).every(({ leaf }, at) => whole[at]?.leaf === leaf);
    this.#must(isSame, 'the log is not a start of what it was');
    this.#must(
      log.every(({ isTrue }) => isTrue),
      'a leaf of the log is not that of its entry',
    );
  }

  /** Everything acknowledged is in the log, and nothing counts twice. */
  #hasEntries(log: readonly LogLine[]): void {
    const times = new Map<string, number>();
    for (const { entry } of log) {
      const key = keyOf(entry);
      if (key !== undefined) times.set(key, (times.get(key) ?? 0) + 1);
    }
    for (const [key, count] of times) {
      this.#must(count === 1, `${key} is in the log ${count} times`);
    }
    for (const one of this.#said) {
      const key = keySaid(one);
      if (key !== undefined) this.#must(times.has(key), `${key} was acknowledged and is not there`);
    }
    const db = openDatabase(new CardLayout(this.#card).database);
    const catalog = new Catalog(db);
    const pending = new Set(catalog.pending(ENTRIES_MAX).map(({ ref }) => formatSegmentRef(ref)));
    db.close();
    for (const { seg } of ofKind(this.#said, 'receipt')) {
      this.#must(!pending.has(seg), `the catalog has lost the receipt of ${seg}`);
    }
  }

  async #verdicts(): Promise<readonly SegmentVerdict[]> {
    const verdicts: SegmentVerdict[] = [];
    for (const ref of await segmentsOn(this.#fs, this.#card)) {
      verdicts.push(await judge(this.#fs, this.#card, this.#device, ref));
    }
    return verdicts;
  }

  #hasSegments(log: readonly LogLine[], verdicts: readonly SegmentVerdict[]): void {
    const byRecording = new Map<string, SegmentVerdict[]>();
    for (const verdict of verdicts) {
      const { ref, state, manifest, problems } = verdict;
      const all = problems.map(({ message }) => message).join('; ');
      const isGood = state === 'ok' || state === 'ok-with-missing';
      this.#must(isGood && manifest !== undefined, `${formatSegmentRef(ref)} is ${state}: ${all}`);
      const recording = `${ref.boot}/${ref.rec}`;
      byRecording.set(recording, [...(byRecording.get(recording) ?? []), verdict]);
    }
    for (const [name, segments] of byRecording) {
      const { state } = verifyRecording(segments);
      this.#must(state !== 'not-ok', `recording ${name} is ${state}`);
    }
    const deleted = this.#deletions(log, verdicts);
    const sealed = new Map(verdicts.map((verdict) => [verdict.manifestDigest, verdict.state]));
    for (const { seg, digest } of ofKind(this.#said, 'sealed')) {
      if (deleted.has(seg)) continue;
      this.#must(
        sealed.get(digest) === 'ok',
        `${seg} was sealed and is ${String(sealed.get(digest))}`,
      );
    }
    const logged = new Set(log.map(({ entry }) => keyOf(entry)));
    for (const { ref } of verdicts) {
      const name = formatSegmentRef(ref);
      this.#must(logged.has(`segment ${name}`), `${name} is not in the log`);
    }
  }

  /** Gone is only what had a receipt and an entry before its first file went, and it is gone as a whole. */
  #deletions(log: readonly LogLine[], verdicts: readonly SegmentVerdict[]): ReadonlySet<string> {
    const there = new Set(verdicts.map(({ ref }) => formatSegmentRef(ref)));
    const deleted = new Set<string>();
    for (const [at, { entry }] of log.entries()) {
      if (entry.type !== 'deleted') continue;
      const { seg } = entry;
      deleted.add(seg);
      const before = log.slice(0, at).map((line) => line.entry);
      const has = (type: 'receipt' | 'deletable'): boolean =>
        before.some((other) => other.type === type && other.seg === seg);
      this.#must(has('receipt') && has('deletable'), `${seg} was deleted without its two entries`);
      this.#must(!there.has(seg), `${seg} is in the log as deleted and has files`);
    }
    this.#must(this.#stage.isDeleting === true || deleted.size === 0, 'something was deleted');
    return deleted;
  }

  /** Pictures in the signed prefixes of each recording, against what the camera had taken when the power went. */
  async #decodes(verdicts: readonly SegmentVerdict[]): Promise<void> {
    const frames = new Map<string, number>();
    for (const { ref, manifest } of verdicts) {
      if (manifest === undefined) continue;
      const recording = `${ref.boot}/${ref.rec}`;
      const found = await this.#framesOf(manifest);
      frames.set(recording, (frames.get(recording) ?? 0) + found);
    }
    const taken = new Map<string, { handed: number; head: number }>();
    for (const one of this.#said) {
      if (one.said !== 'handed' && one.said !== 'head') continue;
      const recording = `${one.boot}/${one.rec}`;
      const before = taken.get(recording) ?? { handed: 0, head: 0 };
      taken.set(recording, { ...before, [one.said]: one.frames });
    }
    const newest = [...taken.keys()].at(-1);
    for (const [recording, { handed, head }] of taken) {
      // What of it was deleted is in the receiver's store.
      if (this.#stage.isDeleting === true) continue;
      const missing = handed - (frames.get(recording) ?? 0);
      // While the newest fragment is on its way the next GOP has only begun.
      const isRunning = recording === newest && head === handed;
      const lostMs = (missing * 1000) / FRAMES_PER_SECOND + (isRunning ? GOP_MS : 0);
      this.#lostMs = Math.max(this.#lostMs, lostMs);
      this.#must(
        lostMs <= LOSS_MS_MAX,
        `${Math.round(lostMs)} ms of recording ${recording} are lost`,
      );
    }
  }

  /** Of what a cut has left the pictures are looked for; a sealed segment that verifies has all of them. */
  async #framesOf({ file, recovered, media, ...manifest }: Manifest): Promise<number> {
    if (recovered === null) return media.frames;
    const size = Math.min(file.size, file.head + (recovered.signed - 1) * LEAF_BYTES);
    const age = path.join(this.#card, 'ev', `${formatSegmentRef(manifest)}.age`);
    const source = await DecryptedSegment.open(this.#fs, age, this.#device.identity, size);
    try {
      const target = { write: () => Promise.resolve() };
      return (await joinSegments([{ source, offset90k: 0 }], target)).frames;
    } catch (error) {
      // A prefix that ends before its first picture is no MP4.
      if (hasErrorCode(error, 'evidence/malformed') && size < FRAMES_PER_FRAGMENT * 5000) return 0;
      throw error;
    } finally {
      await source.close();
    }
  }
}

/** What an entry is the one entry of; undefined where many may say the same. */
function keyOf(entry: LogEntry): string | undefined {
  switch (entry.type) {
    case 'press':
      return `${entry.outcome === null ? 'press' : 'decision'} ${entry.boot}.${entry.edge}`;
    case 'segment':
    case 'recovered':
      return `segment ${entry.seg}`;
    case 'receipt':
      return `receipt ${entry.seg}`;
    case 'deleted':
      return `deletion ${entry.seg}`;
    case 'trigger':
      return `trigger ${String(entry.nonce)}`;
    case 'boot':
      return `boot ${entry.boot}`;
    case 'fault':
      return entry.detail.startsWith('fault ') ? entry.detail : undefined;
    default:
      return undefined;
  }
}

function keySaid(one: Said): string | undefined {
  switch (one.said) {
    case 'press':
      return `press ${one.boot}.${one.edge}`;
    case 'decided':
      return `decision ${one.boot}.${one.edge}`;
    case 'sealed':
      return `segment ${one.seg}`;
    case 'receipt':
      return `receipt ${one.seg}`;
    case 'deleted':
      return `deletion ${one.seg}`;
    case 'trigger':
      return `trigger ${one.nonce}`;
    case 'boot':
      return `boot ${one.boot}`;
    case 'fault':
      return one.detail;
    default:
      return undefined;
  }
}
