import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CameraError, messageOf } from '../errors.js';
import { openDatabase } from '../storage/database.js';
import type { Database } from '../storage/database.js';
import { CardLayout } from '../storage/layout.js';

/** A camera that writes entries all the time leaves a moment between two of them. */
const TRIES = 5;

/**
 * Runs `use` on a copy of the database of a card, and removes the copy. The card itself is only read, also one that cannot be
 * written, and one that a camera is writing just now: a copy that the camera wrote into is thrown away and taken again.
 * Rejects with `storage/not-found` when there is no database, and as `openDatabase` throws.
 */
export async function withCardDatabase<T>(
  card: string,
  use: (db: Database) => Promise<T> | T,
): Promise<T> {
  const source = new CardLayout(card).database;
  const directory = await mkdtemp(path.join(tmpdir(), 'lapel-log-'));
  try {
    const copy = path.join(directory, 'lapel.db');
    await takeCopy(source, copy);
    // Not read-only: what stands in the write-ahead log belongs to it, and this is a copy.
    const db = openDatabase(copy);
    try {
      return await use(db);
    } finally {
      db.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function takeCopy(source: string, copy: string): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const before = await stateOf(source);
    await copyFile(source, copy).catch((cause: unknown) => {
      throw new CameraError(
        'storage/not-found',
        `no device log in ${source}: ${messageOf(cause)}`,
        {
          cause,
        },
      );
    });
    await rm(`${copy}-wal`, { force: true });
    // After a clean end there is none.
    await copyFile(`${source}-wal`, `${copy}-wal`).catch(() => undefined);
    if ((await stateOf(source)) === before) return;
  }
  throw new CameraError('storage/io', `${source} changes faster than it can be copied`);
}

/** Changes with every byte that is written to database or write-ahead log. */
async function stateOf(source: string): Promise<string> {
  const states = [source, `${source}-wal`].map(async (file) => {
    const found = await stat(file, { bigint: true }).catch(() => undefined);
    return found === undefined ? 'none' : `${found.ino} ${found.size} ${found.mtimeNs}`;
  });
  return (await Promise.all(states)).join('; ');
}
