import { copyFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import { parseEnvelope } from '../../src/evidence/dsse.js';
import { openHead } from '../../src/evidence/head.js';
import { HASH_BYTES } from '../../src/evidence/merkle-tree.js';
import type { SimDisk } from '../../src/hal/sim/sim-disk.js';
import type { DiskStep } from '../../src/hal/sim/sim-disk.js';
import { SimFileSystem } from '../../src/hal/sim/sim-file-system.js';
import { openDatabase } from '../../src/storage/database.js';
import type { Database } from '../../src/storage/database.js';
import { CardLayout } from '../../src/storage/layout.js';
import { newDevice, startBoot } from './boot-fixture.js';
import type { BootFixture, DeviceFixture } from './boot-fixture.js';
import { storeOf } from './card-fixture.js';
import { fakeEnding, fakeFacts, fakePiece } from './fake-media.js';

/** What the camera was told to be durable, and after which step. */
export interface Promised {
  readonly step: number;
  readonly seq: number;
  /** Leaves that must survive; undefined for a sealed segment, of which everything must. */
  readonly leaves?: number;
}

/** One recording, and everything to cut it at any step. */
export interface CrashScript {
  readonly device: DeviceFixture;
  readonly sessionKey: Buffer;
  readonly journal: readonly DiskStep[];
  readonly promised: readonly Promised[];
  /** Copies of the database, each with the first step at which it stood so. */
  readonly databases: readonly { readonly step: number; readonly file: string }[];
}

/** Sizes of the fragments of three segments: less than a chunk, about one, several. */
const SEGMENTS: readonly (readonly number[])[] = [
  [30_000, 150_000, 70_000, 1000],
  [100_000, 200_000, 10],
  [65_000, 300_000],
];

/** What SQLite has on disk for a database in WAL mode. */
const DATABASE_FILES = ['', '-wal'];

export function copyDatabase(from: string, to: string): void {
  for (const end of DATABASE_FILES) if (existsSync(from + end)) copyFileSync(from + end, to + end);
}

/**
 * Records three segments on a SimFileSystem as the recorder does: a fragment a second, and while one segment is being
 * sealed the next one is open and takes fragments already. The database is a real one in `directory`.
 */
export async function recordCrashScript(directory: string): Promise<CrashScript> {
  const device = newDevice();
  const fs = new SimFileSystem();
  const file = path.join(directory, 'script.db');
  const db = openDatabase(file);
  const databases = watchDatabase(fs, db, file);
  const boot = await startBoot({ device, fs, db });
  const promised: Promised[] = [];
  await record(boot, fs, promised);
  databases.look();
  db.close();
  return {
    device,
    sessionKey: boot.ctx.identity.signer.publicKey,
    journal: fs.journal,
    promised,
    databases: databases.copies,
  };
}

async function record(boot: BootFixture, fs: SimFileSystem, promised: Promised[]): Promise<void> {
  const store = storeOf(boot);
  const rec = await store.beginRecording();
  const leavesOf = async (seq: number): Promise<number> => {
    const list = boot.ctx.layout.segment({ boot: 1, rec, seq }, '.leaves');
    return (await fs.size(list)) / HASH_BYTES;
  };
  let sealing: Promise<unknown> = Promise.resolve();
  for (const [seq, sizes] of SEGMENTS.entries()) {
    const segment = await store.openSegment(fakeFacts({ rec, seq }));
    for (const [n, bytes] of sizes.entries()) {
      const piece = fakePiece(n, bytes);
      await segment.append(piece);
      promised.push({ step: fs.journal.length, seq, leaves: await leavesOf(seq) });
      await boot.clock.advance(1000);
    }
    await sealing;
    const marks = [{ at: 1, mediaMs: 2 }];
    const isLast = seq === SEGMENTS.length - 1;
    sealing = segment.seal(fakeEnding({ isLast, marks })).then(() => {
      promised.push({ step: fs.journal.length, seq });
    });
  }
  await sealing;
}

/** Copies the database whenever it has changed between two steps. */
export function watchDatabase(
  fs: SimFileSystem,
  db: Database,
  file: string,
): {
  readonly copies: readonly { readonly step: number; readonly file: string }[];
  readonly look: () => void;
} {
  const copies: { step: number; file: string }[] = [];
  let changes: unknown;
  const look = (): void => {
    const now = db.get('SELECT total_changes() AS n')?.['n'];
    if (now === changes) return;
    changes = now;
    const copy = `${file}.${fs.journal.length}`;
    copyDatabase(file, copy);
    copies.push({ step: fs.journal.length, file: copy });
  };
  fs.faults.beforeStep = look;
  return { copies, look };
}

/** Leaves under the newest head of each segment that is durable on this disk. */
export async function durableHeads(
  { sessionKey }: CrashScript,
  disk: SimDisk,
): Promise<ReadonlyMap<number, number>> {
  const fs = new SimFileSystem({}, disk.cut({ keeps: 'none' }));
  const layout = new CardLayout('/card');
  const heads = new Map<number, number>();
  for (const seq of SEGMENTS.keys()) {
    const file = layout.segment({ boot: 1, rec: 1, seq }, '.heads');
    if (!(await fs.exists(file))) continue;
    const text = (await fs.readFile(file, 1_000_000)).toString();
    const newest = text.trimEnd().split('\n').at(-1) ?? '';
    if (newest !== '') heads.set(seq, openHead(parseEnvelope(newest), sessionKey).n);
  }
  return heads;
}
