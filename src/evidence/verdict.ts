import type { SegmentRef } from '../units.js';

/**
 * What a verification says, in the words of ONVIF Media Signing.
 * `ok`: every byte is as it was signed. `ok-with-missing`: all that is there is as it was signed, but something is
 * missing or was never signed. `not-feasible`: nothing contradicts, but a key, a certificate or the footage itself is
 * not at hand. `not-ok`: something was changed, moved or does not fit together.
 */
export type VerdictState = 'ok' | 'ok-with-missing' | 'not-feasible' | 'not-ok';

/** Mildest first. */
const ORDER: readonly VerdictState[] = ['ok', 'ok-with-missing', 'not-feasible', 'not-ok'];

/** The worst of the states; `ok` of none. */
export const worstOf = (states: Iterable<VerdictState>): VerdictState => {
  let worst = 0;
  for (const state of states) worst = Math.max(worst, ORDER.indexOf(state));
  return ORDER[worst] ?? 'not-ok';
};

/** What is wrong, as a code word. */
export type ProblemKind =
  /** A file, or a segment in the middle, is not there. */
  | 'missing'
  /** Bytes are not those that were signed or hashed. */
  | 'changed'
  /** A document is not in its one valid form. */
  | 'malformed'
  | 'bad-signature'
  /** The trust file does not name the device. */
  | 'unknown-device'
  /** A document about another device, boot, recording or segment stands here. */
  | 'wrong-place'
  /** Two signed statements, or a signed statement and the files, exclude each other. */
  | 'contradiction'
  /** The end is missing. */
  | 'cut'
  /** There is more than was signed. */
  | 'extra'
  /** There is no manifest; signed heads vouch for the beginning only. */
  | 'unsealed'
  /** Whole leaves that nobody had signed when the power went. */
  | 'unsigned-tail'
  /** Present but not provable with what is at hand. */
  | 'unproven'
  /** Time without pictures, between segments. */
  | 'gap'
  /** The manifest does not follow the one before it. */
  | 'broken-chain'
  /** The log has fewer entries than somebody vouches for: its newest were dropped, or it is an older state. */
  | 'rolled-back'
  /** The log has other entries than somebody vouches for. */
  | 'forked'
  /** The log says nothing for longer than a running camera does. */
  | 'silence';

/** One finding. */
export interface Problem {
  readonly state: Exclude<VerdictState, 'ok'>;
  /** Path below the device's root: `<boot>/<rec>/<seq>.age`. */
  readonly file: string;
  readonly what: ProblemKind;
  /** First and last leaf concerned, from 0. */
  readonly leaf?: number;
  readonly lastLeaf?: number;
  /** From when to when that damages the picture, in seconds of the segment. Absent when not known. */
  readonly second?: number;
  readonly lastSecond?: number;
  /** First and last entry of the device log concerned, from 0. */
  readonly entry?: number;
  readonly lastEntry?: number;
  /** One sentence for people; names the file, the leaves and the seconds. */
  readonly message: string;
}

/** The files of one segment, as problems name them. */
export interface FileNames {
  readonly age: string;
  readonly leaves: string;
  readonly heads: string;
  readonly meta: string;
  readonly manifest: string;
}

export const fileNamesOf = ({ boot, rec, seq }: SegmentRef): FileNames => {
  const stem = `${boot}/${rec}/${seq}`;
  return {
    age: `${stem}.age`,
    leaves: `${stem}.leaves`,
    heads: `${stem}.heads`,
    meta: `${stem}.meta.age`,
    manifest: `${stem}.dsse`,
  };
};

export const sessionFileOf = (boot: number): string => `${boot}/session.dsse`;
