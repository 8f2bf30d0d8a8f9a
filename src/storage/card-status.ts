import type { WallTime } from '../clock.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { Catalog } from './catalog.js';
import type { CatalogTotals } from './catalog.js';
import { openDatabase } from './database.js';
import { CardLayout } from './layout.js';
import { planRetention } from './retention-plan.js';
import { retentionStatus } from './retention-status.js';
import type { RetentionStatus } from './retention-status.js';

export interface CardStatus {
  readonly card: CatalogTotals & { readonly freeBytes: number; readonly reserveBytes: number };
  readonly retention: RetentionStatus;
}

/** What a card is kept by, as far as its state depends on it. */
export interface StatusPolicy {
  readonly receivers: number;
  readonly reserveBytes: number;
  readonly reservePercent: number;
  readonly retainMs: number | undefined;
  readonly wallTime: WallTime;
}

/**
 * What is on a card whose camera does not run. Reads only: receipts are taken as the camera has checked them, and checked
 * once more before anything is deleted. Rejects with the errors of `openDatabase`.
 */
export async function readCardStatus(
  fs: FileSystem,
  card: string,
  policy: StatusPolicy,
): Promise<CardStatus> {
  const layout = new CardLayout(card);
  const db = openDatabase(layout.database, { readOnly: true });
  try {
    const catalog = new Catalog(db);
    const totals = catalog.totals();
    const freeBytes = await fs.freeBytes(card);
    const share = ((await fs.totalBytes(card)) * policy.reservePercent) / 100;
    const reserveBytes = Math.max(policy.reserveBytes, Math.round(share));
    const { ms, source, uncertaintyMs } = policy.wallTime;
    const plan = planRetention(catalog.onCard(), {
      ...{ freeBytes, wantedFreeBytes: reserveBytes, retainMs: policy.retainMs },
      wallMs: source === 'unset' ? undefined : ms - uncertaintyMs,
    });
    return {
      card: { ...totals, freeBytes, reserveBytes },
      retention: retentionStatus(totals, policy.receivers, plan),
    };
  } finally {
    db.close();
  }
}
