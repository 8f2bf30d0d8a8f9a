import { sealReceipt } from '../../src/evidence/receipt.js';
import type { Receipt } from '../../src/evidence/receipt.js';
import { parseEnvelope } from '../../src/evidence/dsse.js';
import { readManifest } from '../../src/evidence/manifest.js';
import type { Signer } from '../../src/evidence/signer.js';
import type { LogEntry } from '../../src/evidence/log-entry.js';
import type { SimFileSystem } from '../../src/hal/sim/sim-file-system.js';
import type { Database } from '../../src/storage/database.js';
import { readEntries } from '../../src/storage/device-log.js';
import { SEGMENT_FILES } from '../../src/storage/layout.js';
import { Outgoing } from '../../src/storage/outgoing.js';
import type { RecordingStore } from '../../src/storage/recording-store.js';
import { Retention } from '../../src/storage/retention.js';
import { formatSegmentRef, wallTimeMs } from '../../src/units.js';
import type { SegmentRef } from '../../src/units.js';
import { DEVICE } from './boot-fixture.js';
import type { BootFixture } from './boot-fixture.js';
import { storeOf } from './card-fixture.js';
import { fakeEnding, fakeFacts, fakePiece } from './fake-media.js';

export const RX = 'rx-1';

export interface ShelfOptions {
  readonly boot: BootFixture;
  readonly fs: SimFileSystem;
  /** Whose receipts count. */
  readonly receiver: Signer;
  readonly wantedFreeBytes?: () => number;
  readonly retainMs?: number;
  /** Wall milliseconds; undefined for a clock that nobody has set. */
  readonly now?: () => number | undefined;
  readonly isDeleting?: boolean;
}

/** A boot's footage from its seal to its deletion, with the hands of a receiver and of somebody who holds it. */
export class Shelf {
  readonly boot: BootFixture;
  readonly fs: SimFileSystem;
  readonly retention: Retention;
  readonly outgoing: Outgoing;
  readonly #store: RecordingStore;
  readonly #receiver: Signer;

  constructor(options: ShelfOptions) {
    const { boot, fs, receiver, retainMs, now = () => 0, isDeleting = true } = options;
    const { ctx, catalog, entries } = boot;
    this.boot = boot;
    this.fs = fs;
    this.#receiver = receiver;
    this.#store = storeOf(boot);
    this.outgoing = new Outgoing(ctx, catalog, entries);
    const wanted = options.wantedFreeBytes ?? (() => 0);
    this.retention = new Retention(ctx, catalog, entries, {
      ...{ retainMs, removal: isDeleting ? fs.remover() : undefined },
      receivers: [{ rx: RX, publicKey: receiver.publicKey }],
      get wantedFreeBytes() {
        return wanted();
      },
      wallTime: () => {
        const ms = now();
        return {
          ms: wallTimeMs(ms ?? 0),
          source: ms === undefined ? 'unset' : 'ntp',
          uncertaintyMs: 0,
        };
      },
    });
  }

  /** Seals a recording with one segment for each letter: `m` has a mark, any other has none. */
  async seal(segments = '-', bytes = 5000): Promise<readonly SegmentRef[]> {
    const rec = await this.#store.beginRecording();
    const refs: SegmentRef[] = [];
    for (const [seq, letter] of segments.split('').entries()) {
      const segment = await this.#store.openSegment(fakeFacts({ rec, seq }));
      await segment.append(fakePiece(0, bytes));
      const marks = letter === 'm' ? [{ at: 1, mediaMs: 1 }] : [];
      await segment.seal(fakeEnding({ isLast: seq === segments.length - 1, marks }));
      refs.push({ boot: this.boot.ctx.identity.boot, rec, seq });
    }
    return refs;
  }

  /** Keeps a receipt, true or forged: what is in the catalog is believed only by whoever does not check it. */
  async receipt(
    ref: SegmentRef,
    change: Partial<Receipt> = {},
    signer: Signer = this.#receiver,
  ): Promise<void> {
    const row = this.boot.catalog.find(ref);
    if (row === undefined) throw new Error(`no segment ${formatSegmentRef(ref)}`);
    const { file } = readManifest(parseEnvelope(row.manifest));
    const receipt = {
      ...{ device: DEVICE, seg: formatSegmentRef(ref), man: row.digest },
      ...{ root: file.root, size: file.size, log: null, rx: RX, ts: 0, nonce: '0'.repeat(32) },
      stores: [{ id: 'disk', kind: 'fs', durable: true }] as Receipt['stores'],
    };
    await this.outgoing.receipted(ref, sealReceipt({ ...receipt, ...change }, signer));
  }

  /** Lets retention begin and waits for its first look. */
  async begin(): Promise<void> {
    this.retention.start(Promise.resolve());
    await Promise.resolve();
    await this.retention.look();
  }

  /** Which of the files of a segment are on the card, by their ends. */
  async filesOf(ref: SegmentRef): Promise<readonly string[]> {
    const there = await Promise.all(
      SEGMENT_FILES.map((end) => this.fs.exists(this.boot.ctx.layout.segment(ref, end))),
    );
    return SEGMENT_FILES.filter((_, index) => there[index]);
  }

  /** Words of the log about a segment, in order. */
  wordsOf(ref: SegmentRef): readonly string[] {
    return wordsOf(this.boot.db, ref);
  }

  /** Faults in the log. */
  faults(): readonly string[] {
    return logOf(this.boot.db).flatMap((entry) =>
      entry.type === 'fault' ? [`${entry.code} ${entry.detail}`] : [],
    );
  }
}

/** Every entry of the log, of whatever boot, unverified. */
export const logOf = (db: Database): readonly LogEntry[] =>
  readEntries(db, 0, 1_000_000).map(
    ({ envelope }) => JSON.parse(Buffer.from(envelope.payload, 'base64').toString()) as LogEntry,
  );

export const wordsOf = (db: Database, ref: SegmentRef): readonly string[] =>
  logOf(db).flatMap((entry) =>
    'seg' in entry && entry.seg === formatSegmentRef(ref) ? [entry.type] : [],
  );
