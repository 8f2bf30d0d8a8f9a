import path from 'node:path';
import { formatEnvelopeFile, signedBytes } from '../evidence/dsse.js';
import { encodeBundle, tilePath, tilesOf } from '../evidence/tiles.js';
import type { Tile } from '../evidence/tiles.js';
import { TILE_WIDTH } from '../evidence/tree-hashes.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import type { Database } from '../storage/database.js';
import { readEntries } from '../storage/device-log.js';
import { CardLayout, parseCounter } from '../storage/layout.js';
import { StoredHashes } from '../storage/log-tree.js';

const CERTIFICATE_BYTES_MAX = 128 * 1024;
const ROTATIONS_BYTES_MAX = 1024 * 1024;

/** What a tiled log is made of. */
export interface TilesOrder {
  readonly card: string;
  readonly out: string;
  /** The checkpoint, and the size that it vouches for. */
  readonly note: string;
  readonly size: number;
}

/**
 * Writes the log as C2SP tlog-tiles lays it out: `checkpoint`, `tile/…` and `tile/entries/…`, whose entries are what was
 * hashed. Beside it, because those hold no signatures, `entries.ndjson` with every envelope, the certificates by which they are verified, and the
 * rotations of the device key. Returns how many files it wrote.
 */
export async function writeTiles(
  fs: FileSystem,
  db: Database,
  { card, out, note, size }: TilesOrder,
): Promise<number> {
  let files = 0;
  const write = async (name: string, parts: Iterable<Buffer>): Promise<void> => {
    const file = path.join(out, name);
    await fs.makeDirectory(path.dirname(file));
    const made = await fs.create(file, 0o644);
    for (const part of parts) await made.append([part]);
    await made.sync();
    await made.close();
    files += 1;
  };
  const hashes = new StoredHashes(db);
  for (const tile of tilesOf(size)) await write(tilePath(tile), [tileOf(db, hashes, tile)]);
  await write('entries.ndjson', envelopesOf(db, size));
  const layout = new CardLayout(card);
  for (const { name, isDirectory } of await fs.list(layout.evidence)) {
    const boot = isDirectory ? parseCounter(name) : undefined;
    const file = boot === undefined ? '' : layout.sessionCertificate(boot);
    if (boot === undefined || !(await fs.exists(file))) continue;
    await write(`${boot}/session.dsse`, [await fs.readFile(file, CERTIFICATE_BYTES_MAX)]);
  }
  if (await fs.exists(layout.rotations)) {
    await write('rotations.dsse', [await fs.readFile(layout.rotations, ROTATIONS_BYTES_MAX)]);
  }
  // Last: whoever finds it finds the rest.
  await write('checkpoint', [Buffer.from(note)]);
  return files;
}

function tileOf(db: Database, hashes: StoredHashes, { level, index, width }: Tile): Buffer {
  if (level !== 'entries') return hashes.hashes(level, index * TILE_WIDTH, width);
  const stored = readEntries(db, index * TILE_WIDTH, width);
  return encodeBundle(stored.map(({ envelope }) => signedBytes(envelope)));
}

function* envelopesOf(db: Database, size: number): Generator<Buffer, void, undefined> {
  for (let from = 0; from < size; from += TILE_WIDTH) {
    const stored = readEntries(db, from, Math.min(TILE_WIDTH, size - from));
    yield Buffer.from(stored.map(({ envelope }) => formatEnvelopeFile(envelope)).join(''));
  }
}
