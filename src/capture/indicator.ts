import type { RecorderMode } from './ports.js';

/** A light that is on, off, or blinks with the period given, half of it lit. */
export type LightPattern = 'on' | 'off' | { readonly blinkMs: number };

/** The lights that a wearer reads, by what they are for. A board may lack `fault`. */
export interface Lights {
  /** Red: pictures are becoming durable. */
  readonly record: LightPattern;
  /** Green: the pre-event buffer is filling; a press will be recorded. */
  readonly status: LightPattern;
  /** Amber: blinking, something keeps pictures from being recorded; steady, a part of the board does not work. */
  readonly fault: LightPattern;
}

/** The recording light goes out when the last durable write is older than this: with a fragment a second, two are late. */
export const DURABLE_MS_MAX = 3000;

const SLOW: LightPattern = { blinkMs: 2000 };
const NORMAL: LightPattern = { blinkMs: 1000 };
const FAST: LightPattern = { blinkMs: 250 };

/** Nothing is shown: off, asleep, or stealthy. */
export const DARK: Lights = { record: 'off', status: 'off', fault: 'off' };
const NOT_DURABLE: Lights = { ...DARK, fault: NORMAL };

/** What the lights depend on beside the mode. */
export interface LightFacts {
  /** The last durable write is younger than `DURABLE_MS_MAX`. */
  readonly isDurable: boolean;
  /** Every part of the board works and the check of the camera passed. */
  readonly isReady: boolean;
}

/**
 * The language of the lights. The record light is lit only while what is recorded becomes durable; a recording that
 * does not is shown as such. A camera with a broken part goes on as it can: it shows no ready light, and amber beside
 * whatever else it shows.
 */
export function lightsFor(mode: RecorderMode, { isDurable, isReady }: LightFacts): Lights {
  const lights = lightsOf(mode, isDurable);
  if (isReady || mode === 'idle' || mode === 'asleep' || lights.fault !== 'off') return lights;
  return { ...lights, status: 'off', fault: 'on' };
}

function lightsOf(mode: RecorderMode, isDurable: boolean): Lights {
  switch (mode) {
    case 'idle':
    case 'asleep':
      return DARK;
    case 'buffering':
      return { ...DARK, status: SLOW };
    case 'recording':
      return isDurable ? { ...DARK, record: 'on' } : NOT_DURABLE;
    case 'post-event':
      return isDurable ? { ...DARK, record: NORMAL } : NOT_DURABLE;
    case 'fault':
      return { ...DARK, fault: FAST };
  }
}
