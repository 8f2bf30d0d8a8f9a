import { TICKS_PER_SECOND } from '../units.js';
import { CHUNK_BYTES } from './age-container.js';
import type { Manifest } from './manifest.js';

/** From when to when, in seconds of the segment. */
export interface SecondSpan {
  readonly second: number;
  readonly lastSecond: number;
}

const toSeconds = (ticks: number): number => Math.round((ticks / TICKS_PER_SECOND) * 1000) / 1000;

/**
 * The span of pictures that damage to the leaves `first` to `last` touches: from the start of the fragment with the
 * first damaged byte to the end of the fragment with the last one, because a fragment decodes as a whole. Damage to
 * leaf 0 or to the MP4 header before the first fragment touches everything. Undefined when the manifest has no
 * fragment index.
 */
export function secondsOf(
  { fragments, media }: Manifest,
  first: number,
  last: number,
): SecondSpan | undefined {
  const [start] = fragments;
  if (start === undefined) return undefined;
  const end90k = Math.max(media.duration90k, fragments.at(-1)?.[0] ?? 0);
  const firstByte = (first - 1) * CHUNK_BYTES;
  const lastByte = last * CHUNK_BYTES - 1;
  if (first === 0 || firstByte < start[1]) return { second: 0, lastSecond: toSeconds(end90k) };
  const from = fragments.findLast(([, offset]) => offset <= firstByte) ?? start;
  const after = fragments.find(([, offset]) => offset > lastByte);
  return { second: toSeconds(from[0]), lastSecond: toSeconds(after?.[0] ?? end90k) };
}

/** `1 leaf`, `2 leaves`: for messages. */
export const countLeaves = (count: number): string => (count === 1 ? '1 leaf' : `${count} leaves`);

/** `leaf 3, second 1 to 2`: how messages name a place. */
export function describePlace(first: number, last: number, span: SecondSpan | undefined): string {
  const leaves = first === last ? `leaf ${first}` : `leaves ${first} to ${last}`;
  if (span === undefined) return leaves;
  return `${leaves}, second ${span.second} to ${span.lastSecond}`;
}
