import type { SegmentRef } from '../units.js';
import type { DeletionCause, Stage } from './segment-life.js';

/** A segment that is on the card, as far as a deletion is concerned. */
export interface HeldOnCard {
  readonly ref: SegmentRef;
  readonly bytes: number;
  readonly stage: Exclude<Stage, 'deleted'>;
  /** Wall milliseconds of its receipt, by the receiver's clock; undefined when there is none or nobody can say. */
  readonly receiptedAt: number | undefined;
  readonly isHeld: boolean;
  /** It, the one before or the one after has a mark, or nobody can say any more whether. */
  readonly isMarked: boolean;
}

export interface RetentionNow {
  /** No later than the present, whatever the uncertainty; undefined when nobody vouches for the time. */
  readonly wallMs: number | undefined;
  readonly freeBytes: number;
  /** With less than that free, what may go goes. */
  readonly wantedFreeBytes: number;
  /** How long footage stays after its receipt; undefined for as long as there is room. */
  readonly retainMs: number | undefined;
}

/** Why a segment stays. `marked` and `waiting` go when the card needs the space, the marked ones last. */
export type KeptReason = 'no-receipt' | 'held' | 'marked' | 'waiting';

export interface Share {
  readonly segments: number;
  readonly bytes: number;
}

export interface PlannedDeletion {
  readonly ref: SegmentRef;
  readonly bytes: number;
  readonly cause: DeletionCause;
}

export interface RetentionPlan {
  /** What may go now, in this order. */
  readonly deletions: readonly PlannedDeletion[];
  readonly kept: Readonly<Record<KeptReason, Share>>;
}

/**
 * What may go now, and why the rest stays. Only what has a receipt and no hold ever goes: by age what nobody marked; for
 * space whatever there is until the wanted space is free, the oldest first, marked segments and their neighbours last.
 * `segments` are in their order.
 */
export function planRetention(
  segments: readonly HeldOnCard[],
  { wallMs, freeBytes, wantedFreeBytes, retainMs }: RetentionNow,
): RetentionPlan {
  const free = segments.filter(({ stage, isHeld }) => hasReceipt(stage) && !isHeld);
  const isOver = ({ receiptedAt, isMarked }: HeldOnCard): boolean =>
    !isMarked &&
    retainMs !== undefined &&
    wallMs !== undefined &&
    receiptedAt !== undefined &&
    wallMs - receiptedAt >= retainMs;
  const deletions: PlannedDeletion[] = [];
  const going = new Set<HeldOnCard>();
  let missing = wantedFreeBytes - freeBytes;
  const take = (segment: HeldOnCard, cause: DeletionCause): void => {
    going.add(segment);
    deletions.push({ ref: segment.ref, bytes: segment.bytes, cause });
    missing -= segment.bytes;
  };
  for (const segment of free) if (isOver(segment)) take(segment, 'age');
  for (const marked of [false, true]) {
    for (const segment of free) {
      if (missing <= 0) break;
      if (segment.isMarked === marked && !going.has(segment)) take(segment, 'space');
    }
  }
  return { deletions, kept: sharesOf(segments.filter((segment) => !going.has(segment))) };
}

const hasReceipt = (stage: Stage): boolean => stage === 'receipted' || stage === 'deletable';

function reasonOf({ stage, isHeld, isMarked }: HeldOnCard): KeptReason {
  if (isHeld) return 'held';
  if (!hasReceipt(stage)) return 'no-receipt';
  return isMarked ? 'marked' : 'waiting';
}

function sharesOf(segments: readonly HeldOnCard[]): Record<KeptReason, Share> {
  const nothing: Share = { segments: 0, bytes: 0 };
  const kept = { 'no-receipt': nothing, held: nothing, marked: nothing, waiting: nothing };
  for (const segment of segments) {
    const reason = reasonOf(segment);
    const { segments: count, bytes } = kept[reason];
    kept[reason] = { segments: count + 1, bytes: bytes + segment.bytes };
  }
  return kept;
}
