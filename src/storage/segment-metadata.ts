import type { MetadataLine } from '../evidence/metadata.js';
import { messageOf } from '../errors.js';
import type { WallTime } from '../clock.js';
import { TICKS_PER_MS } from '../units.js';
import type { MonotonicMs } from '../units.js';
import type { BootContext } from './boot.js';
import type { SegmentEnding, SegmentFacts } from './segment-facts.js';

/** What the writer of a segment knows of it at its end. */
export interface WrittenSegment {
  /** Salt of the leaves, without which nobody can try out guesses against them. */
  readonly salt: Buffer;
  readonly openedAt: MonotonicMs;
  readonly wall: WallTime;
  readonly duration90k: number;
}

/**
 * The lines of a segment's sealed metadata, which only a recipient can read: what a finder of the card must not learn.
 * See src/evidence/metadata.ts for their meaning. What `ctx.metadata` fails to collect is left out and logged.
 */
export function segmentMetadata(
  ctx: Pick<BootContext, 'metadata' | 'log'>,
  facts: SegmentFacts,
  ending: SegmentEnding,
  { salt, openedAt, wall, duration90k }: WrittenSegment,
): readonly MetadataLine[] {
  return [
    { type: 'salt', salt: salt.toString('hex') },
    {
      type: 'opened',
      mono: Math.round(openedAt),
      source: wall.source,
      wall_ms: Math.max(0, Math.round(wall.ms)),
      uncertainty_ms: Math.round(wall.uncertaintyMs),
    },
    ...collected(ctx, facts, duration90k, ending.isLast),
    ...ending.marks.map(({ at, mediaMs }): MetadataLine => ({
      type: 'mark',
      mono: Math.round(at),
      media_ms: Math.round(mediaMs),
    })),
    ...(ending.audio ?? []).map(({ kind, fromMs, toMs }) => ({
      type: 'interval' as const,
      kind,
      from_ms: Math.round(fromMs),
      to_ms: Math.round(toMs),
    })),
  ];
}

/** What others know of the time that the segment covers. Their failure costs no segment. */
function collected(
  { metadata, log }: Pick<BootContext, 'metadata' | 'log'>,
  { rec, startedAt, mediaMs = 0, rotation = 0 }: SegmentFacts,
  duration90k: number,
  isLast: boolean,
): readonly MetadataLine[] {
  if (startedAt === undefined) return [];
  const from = Math.max(0, startedAt);
  const to = from + duration90k / TICKS_PER_MS;
  const span = { rec, from, to, mediaMs, isLast, rotation };
  const start = { type: 'start', mono: Math.round(from), media_ms: Math.round(mediaMs) } as const;
  try {
    return [start, ...(metadata?.linesFor(span) ?? [])];
  } catch (error) {
    log.error({ error: messageOf(error) }, 'metadata could not be collected');
    return [start];
  }
}
