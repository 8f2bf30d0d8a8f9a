import test from 'ava';
import fc from 'fast-check';
import { SimFileSystem } from '../../src/hal/sim/sim-file-system.js';
import { openDatabase } from '../../src/storage/database.js';
import type { Database } from '../../src/storage/database.js';
import { SEGMENT_FILES } from '../../src/storage/layout.js';
import { formatSegmentRef } from '../../src/units.js';
import type { SegmentRef } from '../../src/units.js';
import { newDevice } from '../support/boot-fixture.js';
import { recoverCard } from '../support/card-fixture.js';
import { fastSigner } from '../support/fast-signer.js';
import { Shelf, wordsOf } from '../support/shelf.js';

/**
 * Random lives of a card: segments are sealed, offered, receipted truly or by a forger, held and released; time passes,
 * space runs short, the card turns read-only, and the power goes at any step. What a model says may never be deleted is
 * always there, whole; the log tells every step once; catalog and files agree.
 */

type Act =
  | { readonly type: 'seal'; readonly segments: string }
  | { readonly type: 'offer' | 'forged' | 'hold' | 'release'; readonly at: number }
  | { readonly type: 'receipt'; readonly at: number; readonly count: number }
  | { readonly type: 'time'; readonly hours: number }
  | { readonly type: 'space'; readonly isShort: boolean }
  | { readonly type: 'mount'; readonly isReadOnly: boolean }
  | { readonly type: 'look' }
  | { readonly type: 'cut'; readonly afterSteps: number; readonly seed: number };

const at = fc.nat(30);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('seal' as const),
      segments: fc.stringMatching(/^[m-]{1,4}$/),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('receipt' as const),
      at,
      count: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constantFrom(
        'offer' as const,
        'forged' as const,
        'hold' as const,
        'release' as const,
      ),
      at,
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('time' as const), hours: fc.nat(30) }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('space' as const), isShort: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('mount' as const), isReadOnly: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.constant({ type: 'look' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('cut' as const),
      afterSteps: fc.nat(14),
      seed: fc.nat(1e6),
    }),
  },
);

const HOUR_MS = 3_600_000;
const RETAIN_MS = 24 * HOUR_MS;
const receiver = fastSigner();
const forger = fastSigner();
const device = newDevice();
const sessions = Array.from({ length: 40 }, () => fastSigner());

/** What the card must keep, by somebody who knows nothing of how it does that. */
interface Known {
  readonly ref: SegmentRef;
  hasReceipt: boolean;
  /** When somebody may have begun to delete it: it had a true receipt, and no hold. */
  wasFree: boolean;
}

class World {
  readonly db: Database = openDatabase(':memory:');
  readonly known: Known[] = [];
  readonly holds = new Set<string>();
  fs = new SimFileSystem();
  shelf: Shelf | undefined;
  now = 1e12;
  isShort = false;
  boot = 0;

  async start(): Promise<void> {
    this.boot += 1;
    const signer = sessions[this.boot % sessions.length] ?? receiver;
    const { db, fs, boot } = this;
    const card = await recoverCard({ device, fs, db, boot, signer });
    if (card.summary.quarantined.length + card.summary.missing.length > 0) {
      throw new Error('recovery found something strange');
    }
    this.shelf = new Shelf({
      ...{ boot: card, fs, receiver, retainMs: RETAIN_MS },
      now: () => this.now,
      wantedFreeBytes: () => (this.isShort ? Infinity : 0),
    });
    await this.look();
  }

  async look(): Promise<void> {
    for (const it of this.known) it.wasFree ||= it.hasReceipt && !this.isHeld(it.ref);
    await this.shelf?.begin();
  }

  isHeld(ref: SegmentRef): boolean {
    return this.holds.has(`${ref.boot}/${ref.rec}`) || this.holds.has(formatSegmentRef(ref));
  }

  async do(step: Act): Promise<void> {
    const { shelf } = this;
    if (shelf === undefined) throw new Error('no camera');
    const target = 'at' in step ? this.known[step.at % Math.max(1, this.known.length)] : undefined;
    switch (step.type) {
      case 'seal':
        if (this.fs.faults.isReadOnly === true) return;
        for (const ref of await shelf.seal(step.segments, 100)) {
          this.known.push({ ref, hasReceipt: false, wasFree: false });
        }
        return;
      case 'offer':
        if (target) await shelf.outgoing.offered([target.ref]);
        return;
      case 'receipt': {
        const from = step.at % Math.max(1, this.known.length);
        for (const it of this.known.slice(from, from + step.count)) {
          const isFirst = shelf.boot.catalog.find(it.ref)?.receipt === undefined;
          if (isFirst) await shelf.receipt(it.ref, { ts: this.now });
          it.hasReceipt ||= isFirst;
        }
        return;
      }
      case 'forged':
        if (target && shelf.boot.catalog.find(target.ref)?.receipt === undefined) {
          await shelf.receipt(target.ref, { ts: 0 }, forger);
        }
        return;
      case 'hold':
      case 'release': {
        if (target === undefined) return;
        const { ref } = target;
        const name = ref.seq % 2 === 0 ? `${ref.boot}/${ref.rec}` : formatSegmentRef(ref);
        const words = { target: name, by: 'local', reason: 'a case' };
        await (step.type === 'hold' ? shelf.retention.hold(words) : shelf.retention.release(words));
        if (step.type === 'hold') this.holds.add(name);
        else this.holds.delete(name);
        return;
      }
      case 'time':
        this.now += step.hours * HOUR_MS;
        return;
      case 'space':
        this.isShort = step.isShort;
        return;
      case 'mount':
        this.fs.faults.isReadOnly = step.isReadOnly;
        return;
      case 'look':
        return this.look();
      case 'cut':
        this.fs.faults.powerOffAfter = this.fs.journal.length + step.afterSteps;
        await this.look();
        await shelf.retention.close();
        this.fs = this.fs.cut({ keeps: 'random', seed: step.seed });
        await this.start();
    }
  }

  /** Everything that must hold after each act; throws what does not. */
  async check(isQuiet: boolean): Promise<void> {
    const { shelf, db } = this;
    if (shelf === undefined) throw new Error('no camera');
    const onCard = new Set(shelf.boot.catalog.onCard().map(({ ref }) => formatSegmentRef(ref)));
    for (const it of this.known) {
      const name = formatSegmentRef(it.ref);
      const files = await shelf.filesOf(it.ref);
      const stage = shelf.boot.catalog.find(it.ref)?.stage;
      const isWhole = files.length === SEGMENT_FILES.length;
      const must = (isTrue: boolean, what: string): void => {
        if (!isTrue) throw new Error(`${name} is ${stage ?? 'unknown'}, ${files.join()}: ${what}`);
      };
      must(isWhole || it.hasReceipt, 'something of it went without a true receipt');
      must(isWhole || it.wasFree, 'something of it went while it was on hold');
      must(isWhole || stage === 'deletable' || stage === 'deleted', 'it went without a word');
      must(stage !== 'deleted' || files.length === 0, 'it is said to be gone and is not');
      must(onCard.has(name) === (stage !== 'deleted'), 'the catalog does not agree with itself');
      if (isQuiet) must(isWhole || stage === 'deleted', 'it is half gone and stays so');
      this.#checkLog(it.ref, stage, must);
    }
    if (db.get('SELECT COUNT(*) AS n FROM segments')?.['n'] !== this.known.length) {
      throw new Error('the catalog has other segments than were sealed');
    }
  }

  #checkLog(
    ref: SegmentRef,
    stage: string | undefined,
    must: (isTrue: boolean, what: string) => void,
  ): void {
    const words = wordsOf(this.db, ref);
    const text = words.join(' ');
    const LIFE = /^segment( offered)?( receipt( deletable kept)*( deletable)?( deleted)?)?$/;
    must(LIFE.test(text), `its log is ${text}`);
    const last = words.at(-1);
    const expected: Readonly<Record<string, string>> = {
      ...{ segment: 'sealed', offered: 'offered', receipt: 'receipted', kept: 'receipted' },
      ...{ deletable: 'deletable', deleted: 'deleted' },
    };
    must(expected[last ?? ''] === stage, `its log ends with ${last ?? 'nothing'}`);
    must(
      !words.includes('deleted') || text.endsWith('deletable deleted'),
      'deleted without intent',
    );
  }
}

test('in no life of a card is anything deleted without receipt or on hold, and every step is logged', async (t) => {
  t.timeout(300_000);
  let deleted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 40 }), async (acts) => {
      const world = new World();
      try {
        await world.start();
        for (const step of acts) {
          await world.do(step);
          await world.check(false);
        }
        // With the card well again, whatever was begun comes to its end.
        world.fs.faults.isReadOnly = false;
        await world.look();
        await world.shelf?.retention.look();
        await world.check(true);
        deleted += world.shelf?.boot.catalog.totals().deletedSegments ?? 0;
      } finally {
        world.db.close();
      }
    }),
    { numRuns: Number(process.env['RUNS'] ?? 60) },
  );
  t.log(`${deleted} segments deleted`);
  t.true(deleted > 0, 'the test deletes something');
});
