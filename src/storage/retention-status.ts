import type { CatalogTotals } from './catalog.js';
import type { RetentionPlan, Share } from './retention-plan.js';

/** What may be freed on the card, and in words why nothing more. */
export interface RetentionStatus {
  /** Segments whose space may be freed: now, by their age, or when it is needed. */
  readonly deletableSegments: number;
  readonly keptSegments: number;
  readonly keptBytes: number;
  /** One sentence for people. */
  readonly reason: string;
  /** What goes now, what goes when the card needs the space, and what does not, in words; empty when there is nothing. */
  readonly outlook: readonly string[];
}

/**
 * Only a verified receipt makes footage deletable. `receivers`: how many receivers' receipts the camera believes. With a
 * plan, what somebody holds is not deletable either.
 */
export function retentionStatus(
  totals: CatalogTotals,
  receivers: number,
  plan?: RetentionPlan,
): RetentionStatus {
  const { held, 'no-receipt': unsafe } = plan?.kept ?? {};
  return {
    deletableSegments: plan === undefined ? totals.receipted : deletable(plan),
    keptSegments: held && unsafe ? held.segments + unsafe.segments : totals.pendingSegments,
    keptBytes: held && unsafe ? held.bytes + unsafe.bytes : totals.pendingBytes,
    reason: reasonOf(totals, receivers),
    outlook: plan === undefined ? [] : outlookOf(plan),
  };
}

const deletable = ({ deletions, kept: { waiting, marked } }: RetentionPlan): number =>
  deletions.length + waiting.segments + marked.segments;

function outlookOf({ deletions, kept }: RetentionPlan): readonly string[] {
  const going = (cause: 'age' | 'space'): Share =>
    deletions
      .filter((deletion) => deletion.cause === cause)
      .reduce(plus, { segments: 0, bytes: 0 });
  const said = (words: string, share: Share): string[] =>
    share.segments === 0 ? [] : [`${words}: ${shareWords(share)}`];
  return [
    ...said('go now, their time after the receipt is over', going('age')),
    ...said('go now, the card needs the space', going('space')),
    ...said('go in time, or when the card needs the space', kept.waiting),
    ...said('marked or beside a mark, go last and only when the card needs the space', kept.marked),
    ...said('on hold, are kept', kept.held),
    ...said('without a receipt, are kept', kept['no-receipt']),
  ];
}

const plus = (sum: Share, { bytes }: { readonly bytes: number }): Share => ({
  segments: sum.segments + 1,
  bytes: sum.bytes + bytes,
});

const shareWords = ({ segments, bytes }: Share): string =>
  `${segments} ${segments === 1 ? 'segment' : 'segments'}, ${(bytes / 1e6).toFixed(1)} MB`;

function reasonOf(totals: CatalogTotals, receivers: number): string {
  const kept = totals.pendingSegments;
  if (totals.segments === 0) {
    return totals.deletedSegments === 0
      ? 'there is no footage on the card'
      : 'there is no footage on the card any more, all of it had receipts';
  }
  if (kept === 0) return 'every segment has a verified receipt';
  const what = `${kept} of ${totals.segments} segments are kept, nothing is deleted without a receipt`;
  if (receivers === 0) return `${what}: the configuration names no receiver whose receipt counts`;
  const offered = totals.offered - totals.receipted;
  if (offered <= 0) {
    return `${what}: they have not been offered yet, the camera was not docked since`;
  }
  return `${what}: ${offered} were offered, no valid receipt has come`;
}
