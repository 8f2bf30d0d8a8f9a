import type { SimClock } from '../../src/hal/sim/sim-clock.js';
import type { SimFileSystem } from '../../src/hal/sim/sim-file-system.js';
import { CameraError } from '../../src/errors.js';
import type { ErrorCode } from '../../src/errors.js';
import type { Database } from '../../src/storage/database.js';

/** A database on a card that fails: statements that write throw what `fault` says, reading goes on. */
export function failingDatabase(db: Database, fault: () => ErrorCode | undefined): Database {
  let depth = 0;
  const write = <T>(operation: () => T): T => {
    const code = fault();
    if (code !== undefined) throw new CameraError(code, 'cannot write to the database: on purpose');
    return operation();
  };
  return {
    run: (sql, ...values) => write(() => db.run(sql, ...values)),
    get: (sql, ...values) => db.get(sql, ...values),
    all: (sql, ...values) => db.all(sql, ...values),
    transaction: (work) =>
      db.transaction(() => {
        depth += 1;
        try {
          return depth > 1 ? work() : write(work);
        } finally {
          depth -= 1;
        }
      }),
    close: () => {
      db.close();
    },
  };
}

/** What may be wrong with a card. */
export type CardFaultName =
  | 'below the reserve'
  | 'full'
  | 'read-only'
  | 'EIO on write'
  | 'EIO on fsync'
  | 'EIO on fsync of footage'
  | 'slow, fsync 2 s';

const SLOW_MS = 2000;
const MIB = 2 ** 20;

/** Breaks and mends a simulated file system and the database on it together, as one card. */
export class FaultyCard {
  readonly #fs: SimFileSystem;
  readonly #clock: SimClock;
  #code: ErrorCode | undefined;

  constructor(fs: SimFileSystem, clock: SimClock) {
    this.#fs = fs;
    this.#clock = clock;
  }

  readonly wrapDatabase = (db: Database): Database => failingDatabase(db, () => this.#code);

  async break(fault: CardFaultName): Promise<void> {
    const { faults } = this.#fs;
    const used = (await this.#fs.totalBytes()) - (await this.#fs.freeBytes('/'));
    switch (fault) {
      case 'below the reserve':
        faults.capacityBytes = used + 200 * MIB;
        return;
      case 'full':
        faults.capacityBytes = used + MIB / 2;
        return;
      case 'read-only':
        faults.isReadOnly = true;
        this.#code = 'storage/read-only';
        return;
      case 'EIO on write':
        faults.failsWrite = () => true;
        this.#code = 'storage/io';
        return;
      case 'EIO on fsync':
        this.#code = 'storage/io';
        faults.failsSync = () => true;
        return;
      case 'EIO on fsync of footage':
        faults.failsSync = () => true;
        return;
      case 'slow, fsync 2 s':
        faults.beforeStep = async ({ kind }) => {
          if (kind === 'sync' || kind === 'sync-directory') await this.#clock.sleep(SLOW_MS);
        };
    }
  }

  mend(): void {
    const { faults } = this.#fs;
    this.#code = undefined;
    delete faults.capacityBytes;
    delete faults.failsWrite;
    delete faults.failsSync;
    delete faults.beforeStep;
    faults.isReadOnly = false;
  }
}
