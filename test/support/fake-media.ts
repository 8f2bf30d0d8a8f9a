import { randomBytes } from 'node:crypto';
import type { MediaPiece, SegmentEnding, SegmentFacts } from '../../src/storage/segment-facts.js';

/** Storage neither knows nor cares what is in a fragment: these are random bytes with the facts around them. */

export const SECOND_90K = 90_000;
const AVCC = Buffer.from('0142c015ffe1', 'hex');

export const fakeFacts = (fields: Partial<SegmentFacts> = {}): SegmentFacts => ({
  rec: 1,
  seq: 0,
  run: 1,
  format: { avcC: AVCC, width: 1280, height: 720 },
  init: randomBytes(700),
  start90k: 0,
  gapBeforeMs: 0,
  ...fields,
});

/** Fragment number `n` of its segment, a second long, in two parts as moof and mdat are. */
export const fakePiece = (n: number, bytes = 10_000): MediaPiece => ({
  parts: [randomBytes(Math.min(bytes, 200)), randomBytes(Math.max(0, bytes - 200))],
  offset90k: n * SECOND_90K,
  duration90k: SECOND_90K,
  frames: 30,
});

export const fakeEnding = (fields: Partial<SegmentEnding> = {}): SegmentEnding => ({
  end: 'normal',
  isLast: true,
  marks: [],
  ...fields,
});

export const plaintextOf = (facts: SegmentFacts, pieces: readonly MediaPiece[]): Buffer =>
  Buffer.concat([facts.init, ...pieces.flatMap(({ parts }) => parts)]);
