import type { FileSystem } from '../hal/ports/file-system.js';
import { Catalog } from './catalog.js';
import type { CatalogTotals } from './catalog.js';
import { openDatabase } from './database.js';
import { CardLayout } from './layout.js';
import { retentionStatus } from './retention-status.js';
import type { RetentionStatus } from './retention-status.js';

export interface CardStatus {
  readonly card: CatalogTotals & { readonly freeBytes: number };
  readonly retention: RetentionStatus;
}

/** What is on a card whose camera does not run. Reads only. Rejects with the errors of `openDatabase`. */
export async function readCardStatus(
  fs: FileSystem,
  card: string,
  receivers: number,
): Promise<CardStatus> {
  const layout = new CardLayout(card);
  const db = openDatabase(layout.database, { readOnly: true });
  try {
    const totals = new Catalog(db).totals();
    const freeBytes = await fs.freeBytes(card);
    return { card: { ...totals, freeBytes }, retention: retentionStatus(totals, receivers) };
  } finally {
    db.close();
  }
}
