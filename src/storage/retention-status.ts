import type { CatalogTotals } from './catalog.js';

/** What may be freed on the card, and in words why nothing more. */
export interface RetentionStatus {
  /** Segments whose space may be freed. Nothing frees it yet: footage stays until a retention rule asks for it. */
  readonly deletableSegments: number;
  readonly keptSegments: number;
  readonly keptBytes: number;
  /** One sentence for people. */
  readonly reason: string;
}

/** Only a verified receipt makes footage deletable. `receivers`: how many receivers' receipts the camera believes. */
export function retentionStatus(totals: CatalogTotals, receivers: number): RetentionStatus {
  return {
    deletableSegments: totals.receipted,
    keptSegments: totals.pendingSegments,
    keptBytes: totals.pendingBytes,
    reason: reasonOf(totals, receivers),
  };
}

function reasonOf(totals: CatalogTotals, receivers: number): string {
  const kept = totals.pendingSegments;
  if (totals.segments === 0) return 'there is no footage on the card';
  if (kept === 0) return 'every segment has a verified receipt';
  const what = `${kept} of ${totals.segments} segments are kept, nothing is deleted without a receipt`;
  if (receivers === 0) return `${what}: the configuration names no receiver whose receipt counts`;
  const offered = totals.offered - totals.receipted;
  if (offered <= 0) {
    return `${what}: they have not been offered yet, the camera was not docked since`;
  }
  return `${what}: ${offered} were offered, no valid receipt has come`;
}
