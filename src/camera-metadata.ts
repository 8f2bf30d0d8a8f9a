import type { Cancel } from './clock.js';
import type { MetadataLine } from './evidence/metadata.js';
import type { Board } from './hal/board.js';
import type { GnssFix } from './hal/drivers/gnss-fix.js';
import type { ImuSample } from './hal/drivers/imu-chip.js';
import type { MetadataSource, SegmentSpan } from './storage/segment-facts.js';
import type { TimeAnchor } from './timekeeping.js';
import type { MonotonicMs } from './units.js';

/** Motion kept before and after a trigger. */
const MOTION_MS = 30_000;
/** A position a second; receivers that say more are thinned out, with room for a sentence that comes early. */
const FIX_PERIOD_MS = 900;
/** 15 minutes of positions: the longest pre-event and two of the longest segments, 100 kB. */
const FIXES_MAX = 900;
/** Two of the longest segments that wait for their seal, and the 30 s before: what is older has been sealed or never will be. */
const KEPT_MS = 660_000;
const BATCH_MS = 1_000;
/** All of them, were there a trigger every minute: 4 MB. */
const BATCHES_MAX = KEPT_MS / BATCH_MS;
/** Triggers remembered, as many as a recording may have within its longest segment. */
const TRIGGERS_MAX = 64;
/** Stretches of stealth remembered: a wearer who turns it on and off each 6 s of two of the longest segments. */
const STEALTHS_MAX = 100;
/** What a position may be off by one of HDOP: the 5 m that a receiver without corrections has. */
const HDOP_MM = 5_000;

export type MotionTrigger = Extract<MetadataLine, { type: 'trigger' }>['kind'];

/** From when to when nothing was lit, felt or heard; `to` is Infinity while it goes on. */
interface Stealth {
  readonly from: MonotonicMs;
  readonly to: number;
}

interface Trigger {
  readonly at: MonotonicMs;
  readonly kind: MotionTrigger;
  /** Who signed what came over the network. */
  readonly by: string | undefined;
}

/** A second of motion samples. */
interface Batch {
  readonly at: MonotonicMs;
  readonly dt: number[];
  readonly acc: number[];
  readonly gyro: number[];
  /** Recordings that have it already. */
  readonly in: Set<number>;
}

export interface MetadataFacts {
  readonly wearer: string | null;
  readonly mount: string | null;
  readonly configDigest: string;
  readonly anchors: () => readonly TimeAnchor[];
}

/**
 * Collects what is sealed beside the pictures: positions once a second, motion 30 s around each trigger, what is believed
 * of the time. Motion goes into the segment that is sealed next, and never reaches back before its recording begins.
 */
export class CameraMetadata implements MetadataSource {
  readonly #facts: MetadataFacts;
  #fixes: GnssFix[] = [];
  #batches: Batch[] = [];
  #triggers: Trigger[] = [];
  #stealths: readonly Stealth[] = [];
  /** Where each recording that is not over began, and up to where its segments have told. */
  readonly #begun = new Map<number, { readonly at: number; readonly toldTo: number }>();

  constructor(facts: MetadataFacts) {
    this.#facts = facts;
  }

  /** Listens to the sensors of the board until cancelled. */
  watch({ gnss, imu }: Pick<Board, 'gnss' | 'imu'>): Cancel {
    const cancels = [
      gnss?.watch((fix) => {
        this.addFix(fix);
      }),
      imu?.watch((sample) => {
        this.addSample(sample);
      }),
    ];
    return () => {
      for (const cancel of cancels) cancel?.();
    };
  }

  addFix(fix: GnssFix): void {
    const newest = this.#fixes.at(-1);
    if (newest !== undefined && fix.at - newest.at < FIX_PERIOD_MS) return;
    this.#fixes.push(fix);
    if (this.#fixes.length > FIXES_MAX) this.#fixes.shift();
  }

  addSample({ at, accelG, gyroDps }: ImuSample): void {
    let batch = this.#batches.at(-1);
    if (batch === undefined || at - batch.at >= BATCH_MS) {
      batch = { at, dt: [], acc: [], gyro: [], in: new Set() };
      this.#batches.push(batch);
      this.#forget(at);
    }
    batch.dt.push(Math.round(at - batch.at));
    for (const axis of ['x', 'y', 'z'] as const) {
      batch.acc.push(Math.round(accelG[axis] * 1_000));
      batch.gyro.push(Math.round(gyroDps[axis] * 10));
    }
  }

  /** Motion from 30 s before `at` to 30 s after it is kept. */
  trigger(kind: MotionTrigger, at: MonotonicMs, by?: string): void {
    this.#triggers.push({ kind, at, by });
    if (this.#triggers.length > TRIGGERS_MAX) this.#triggers.shift();
  }

  /** From `at` on nothing is lit, felt or heard, or all is again. Of too many stretches the oldest is forgotten. */
  stealth(isStealthy: boolean, at: MonotonicMs): void {
    const last = this.#stealths.at(-1);
    const isStealthyNow = last?.to === Infinity;
    if (isStealthy === isStealthyNow) return;
    if (isStealthy) {
      this.#stealths = [...this.#stealths, { from: at, to: Infinity }].slice(-STEALTHS_MAX);
    } else {
      this.#stealths = this.#stealths.map((it) => (it === last ? { ...it, to: at } : it));
    }
  }

  /** What is known of a segment that ends now. Never throws. */
  linesFor(span: SegmentSpan): readonly MetadataLine[] {
    const { wearer, mount, configDigest, anchors } = this.#facts;
    const { at: begunAt, toldTo } = this.#begun.get(span.rec) ?? { at: span.from, toldTo: 0 };
    if (span.isLast) this.#begun.delete(span.rec);
    else this.#begun.set(span.rec, { at: begunAt, toldTo: span.to });
    // A first picture may come sooner than the end of the segment before says: what was told there is not told again.
    const from = Math.max(span.from, toldTo);
    const isIn = ({ at }: { at: number }): boolean => at >= from && at < span.to;
    return [
      { type: 'facts', wearer, mount, rotation: span.rotation ?? 0, cfg: configDigest },
      ...anchors().map(({ at, wall }): MetadataLine => ({
        type: 'clock',
        mono: whole(at),
        source: wall.source,
        wall_ms: whole(wall.ms),
        uncertainty_ms: whole(wall.uncertaintyMs),
      })),
      ...this.#triggers.filter(isIn).map(({ kind, at, by }): MetadataLine => ({
        type: 'trigger',
        kind,
        mono: whole(at),
        ...(by === undefined ? {} : { by }),
      })),
      ...this.#stealths.flatMap((stealth) => stealthLine(stealth, span)),
      ...this.#fixes.filter(isIn).map((fix) => gnssLine(fix, span)),
      ...this.#motionOf(span, begunAt),
    ];
  }

  #motionOf(span: SegmentSpan, begunAt: number): readonly MetadataLine[] {
    const batches = this.#batches.filter(
      (batch) =>
        batch.at >= begunAt &&
        // The second that goes on is the next segment's.
        batch.at < (span.isLast ? span.to : span.to - BATCH_MS) &&
        !batch.in.has(span.rec) &&
        this.#isWanted(batch),
    );
    return batches.map(({ in: recordings, at, dt, acc, gyro }) => {
      recordings.add(span.rec);
      return {
        type: 'imu',
        mono: whole(at),
        media_ms: mediaMsOf(at, span),
        dt: [...dt],
        acc_mg: [...acc],
        gyro_ddps: [...gyro],
      };
    });
  }

  #isWanted(batch: Batch): boolean {
    return this.#triggers.some(
      ({ at }) => batch.at + BATCH_MS > at - MOTION_MS && batch.at < at + MOTION_MS,
    );
  }

  /** Lets go of motion that no trigger wants and none can want any more, and of what is too old to be sealed. */
  #forget(now: number): void {
    this.#triggers = this.#triggers.filter(({ at }) => now - at <= KEPT_MS);
    this.#batches = this.#batches
      .filter((batch) => now - batch.at <= MOTION_MS + BATCH_MS || this.#isWanted(batch))
      .slice(-BATCHES_MAX);
  }
}

const whole = (value: number): number => Math.max(0, Math.round(value));

const mediaMsOf = (at: number, { from, mediaMs }: SegmentSpan): number =>
  whole(mediaMs + at - from);

/** The part of a stretch of stealth that is in the segment, in milliseconds of the recording. */
function stealthLine({ from, to }: Stealth, span: SegmentSpan): readonly MetadataLine[] {
  const [first, last] = [Math.max(from, span.from), Math.min(to, span.to)];
  if (first >= last) return [];
  const times = { from_ms: mediaMsOf(first, span), to_ms: mediaMsOf(last, span) };
  return [{ type: 'interval', kind: 'stealth', ...times }];
}

function gnssLine(fix: GnssFix, span: SegmentSpan): MetadataLine {
  const { at, latitude, longitude, altitudeM, speedMps, courseDeg, hdop } = fix;
  const scaled = (value: number | undefined, by: number): number | null =>
    value === undefined ? null : Math.round(value * by);
  return {
    type: 'gnss',
    mono: whole(at),
    media_ms: mediaMsOf(at, span),
    lat_e7: Math.round(latitude * 1e7),
    lon_e7: Math.round(longitude * 1e7),
    alt_mm: scaled(altitudeM, 1_000),
    speed_mm_s: scaled(speedMps, 1_000),
    course_cdeg: scaled(courseDeg, 100),
    hdop_c: scaled(hdop, 100),
    accuracy_mm: scaled(hdop, HDOP_MM),
  };
}
