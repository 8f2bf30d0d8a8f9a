import type { MonotonicMs, WallTimeMs } from '../../units.js';
import type { NmeaFact, QualityFact } from './nmea.js';

/** After 2 s a position is that of somewhere else: a car has gone 100 m. */
export const FIX_MS_MAX = 2_000;

/**
 * How far UTC may be from the clock of the satellites at the moment the sentence arrives. The sentence carries the time
 * of its measurement and comes after it: some 50 to 300 ms of computing, then the wire, where the sentences before it in
 * the same second go first (500 bytes at 9600 baud take 0.5 s, most receivers send RMC early). Without a pulse line
 * nothing tells how late it is. It does not cover a receiver that, in its first minutes after a cold start, does not
 * know the leap seconds of today.
 */
export const UTC_UNCERTAINTY_MS = 500;

/** A position by satellites. */
export interface GnssFix {
  /** When the sentence arrived. */
  readonly at: MonotonicMs;
  /** UTC as the sentence says; `uncertaintyMs` is how far that may be from UTC at `at`, and it is late, never early. */
  readonly utcMs: WallTimeMs;
  readonly uncertaintyMs: number;
  /** Degrees (WGS 84), north positive. */
  readonly latitude: number;
  /** Degrees (WGS 84), east positive. */
  readonly longitude: number;
  readonly speedMps: number | undefined;
  /** Over ground, from true north, clockwise. */
  readonly courseDeg: number | undefined;
  /** Above mean sea level. */
  readonly altitudeM: number | undefined;
  readonly satellites: number | undefined;
  readonly hdop: number | undefined;
  readonly dimension: '2D' | '3D' | undefined;
}

interface Timed<T> {
  readonly at: MonotonicMs;
  readonly said: T;
}

/**
 * Puts a fix together. RMC makes it: it alone has date, position and status in one sentence. What GGA, GNS and GSA said
 * within the last 2 s goes with it, and one of them that says "no fix" stands against it, whichever came first.
 */
export class FixAssembler {
  #quality: Timed<QualityFact | undefined> | undefined;
  #dimension: Timed<'2D' | '3D' | undefined> | undefined;
  #fix: GnssFix | undefined;

  /** The fix that this fact completes; undefined for any other fact. */
  take(fact: NmeaFact, at: MonotonicMs): GnssFix | undefined {
    switch (fact.type) {
      case 'quality':
        this.#quality = { at, said: fact };
        return undefined;
      case 'dimension':
        this.#dimension = { at, said: fact.dimension };
        return undefined;
      case 'no-fix':
        if (fact.from === 'quality') this.#quality = { at, said: undefined };
        if (fact.from === 'dimension') this.#dimension = { at, said: undefined };
        this.#fix = undefined;
        return undefined;
      case 'RMC': {
        const quality = fresh(this.#quality, at);
        const dimension = fresh(this.#dimension, at);
        const isDenied = [quality, dimension].some(
          (timed) => timed !== undefined && timed.said === undefined,
        );
        this.#fix = isDenied ? undefined : fixOf(fact, at, quality?.said, dimension?.said);
        return this.#fix;
      }
    }
  }

  /** The last fix, unless it is older than 2 s at `now` or was taken back. */
  fix(now: MonotonicMs): GnssFix | undefined {
    return this.#fix !== undefined && now - this.#fix.at <= FIX_MS_MAX ? this.#fix : undefined;
  }

  reset(): void {
    this.#quality = undefined;
    this.#dimension = undefined;
    this.#fix = undefined;
  }
}

function fresh<T>(timed: Timed<T> | undefined, now: MonotonicMs): Timed<T> | undefined {
  return timed !== undefined && now - timed.at <= FIX_MS_MAX ? timed : undefined;
}

function fixOf(
  rmc: Extract<NmeaFact, { type: 'RMC' }>,
  at: MonotonicMs,
  quality: QualityFact | undefined,
  dimension: '2D' | '3D' | undefined,
): GnssFix {
  return {
    at,
    utcMs: rmc.utcMs,
    uncertaintyMs: UTC_UNCERTAINTY_MS,
    latitude: rmc.latitude,
    longitude: rmc.longitude,
    speedMps: rmc.speedMps,
    courseDeg: rmc.courseDeg,
    altitudeM: quality?.altitudeM,
    satellites: quality?.satellites,
    hdop: quality?.hdop,
    dimension,
  };
}
