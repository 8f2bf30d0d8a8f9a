import path from 'node:path';
import { hasErrorCode } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { openDatabase } from './database.js';
import type { Database } from './database.js';
import type { CardLayout } from './layout.js';

/** What SQLite keeps beside a database in WAL mode. */
const COMPANIONS = ['-wal', '-shm'] as const;

/** The database of a card, and where what was damaged of an earlier one is now. */
export interface CardDatabase {
  readonly db: Database;
  readonly damaged: readonly string[];
}

/**
 * Opens the database of a card. A damaged one is evidence too: it moves to quarantine as it is, never repaired in
 * place, and an empty one takes its place. One of a newer program is not damaged and stays: `storage/newer-format`.
 * Rejects with the errors of the file system and of the database.
 */
export async function openCardDatabase(fs: FileSystem, layout: CardLayout): Promise<CardDatabase> {
  const damaged = await moveOrphans(fs, layout);
  try {
    return { db: openDatabase(layout.database), damaged };
  } catch (error) {
    if (!hasErrorCode(error, 'storage/corrupt')) throw error;
    const moved = await moveDatabase(fs, layout);
    return { db: openDatabase(layout.database), damaged: [...damaged, ...moved] };
  }
}

const placeOf = (layout: CardLayout, n: number): string =>
  path.join(layout.quarantine, n === 0 ? 'lapel.db' : `lapel.db.${n}`);

/** The database first: should its companions stay behind, the next start finds them alone and moves them. */
async function moveDatabase(fs: FileSystem, layout: CardLayout): Promise<readonly string[]> {
  await fs.makeDirectory(layout.quarantine);
  let n = 0;
  while (await fs.exists(placeOf(layout, n))) n += 1;
  const moved: string[] = [];
  for (const end of ['', ...COMPANIONS]) {
    if (!(await fs.exists(layout.database + end))) continue;
    await fs.rename(layout.database + end, placeOf(layout, n) + end);
    moved.push(placeOf(layout, n) + end);
  }
  return moved;
}

/** A write-ahead log without its database: SQLite would delete it at the next start. It joins the newest one moved. */
async function moveOrphans(fs: FileSystem, layout: CardLayout): Promise<readonly string[]> {
  if (await fs.exists(layout.database)) return [];
  const moved: string[] = [];
  for (const end of COMPANIONS) {
    if (!(await fs.exists(layout.database + end))) continue;
    await fs.makeDirectory(layout.quarantine);
    let n = 0;
    while (await fs.exists(placeOf(layout, n + 1))) n += 1;
    while (await fs.exists(placeOf(layout, n) + end)) n += 1;
    await fs.rename(layout.database + end, placeOf(layout, n) + end);
    moved.push(placeOf(layout, n) + end);
  }
  return moved;
}
