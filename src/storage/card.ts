import type { Clock } from '../clock.js';
import type { AgeRecipient } from '../evidence/age-recipients.js';
import { formatEnvelopeFile } from '../evidence/dsse.js';
import { sealSessionKey } from '../evidence/session-key.js';
import { payloadDigest } from '../evidence/dsse.js';
import type { Signer } from '../evidence/signer.js';
import { hasErrorCode } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import type { Logger } from '../log.js';
import type { BootContext } from './boot.js';
import { Catalog } from './catalog.js';
import type { CatalogTotals } from './catalog.js';
import { openDatabase } from './database.js';
import type { Database } from './database.js';
import { DeviceLog } from './device-log.js';
import { Journal } from './journal.js';
import { makeSessionSigner, spkiOf } from './keys.js';
import { CardLayout, parseCounter } from './layout.js';
import { Outgoing } from './outgoing.js';
import { RecordingStore } from './recording-store.js';
import { Recovery } from './recovery.js';
import type { RecoverySummary } from './recovery.js';
import type { SealedSegment } from './segment-writer.js';

export interface CardOptions {
  /** Directory of the evidence card. */
  readonly card: string;
  readonly device: string;
  readonly deviceKey: Signer;
  readonly recipients: readonly AgeRecipient[];
  readonly configDigest: string;
  readonly firmwareDigest: string;
  /** A recording starts only above this much free space. */
  readonly reserveBytes: number;
  readonly onSealed: (segment: SealedSegment) => void;
}

export interface CardServices {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The evidence card of one boot: everything that capture and sync need of it. */
export interface Card {
  readonly boot: number;
  readonly sessionKeyId: string;
  readonly recordings: RecordingStore;
  readonly journal: Journal;
  readonly outgoing: Outgoing;
  /** The start-up pass over earlier boots; runs beside buffering. */
  readonly recovered: Promise<RecoverySummary>;
  totals(): CatalogTotals;
  freeBytes(): Promise<number>;
  /** Waits for the log, destroys the session key and closes the database. */
  close(): Promise<void>;
}

/**
 * Opens the card for a new boot: boot number, session key and its certificate, first log entries, then recovery in the
 * background. Rejects with the errors of the file system; a damaged database goes to quarantine and a new one is made
 * from the files.
 */
export async function openCard(services: CardServices, options: CardOptions): Promise<Card> {
  const { fs, clock, log } = services;
  const layout = new CardLayout(options.card);
  await fs.makeDirectory(layout.evidence);
  const { db, damaged } = await openOrReplace(fs, layout);
  const catalog = new Catalog(db);
  const boot = catalog.beginBoot(await highestBoot(fs, layout));
  const signer = makeSessionSigner();
  const identity = { ...options, boot, signer };
  const ctx: BootContext = { identity, fs, layout, clock, log };
  const entries = new DeviceLog(db, identity, clock);
  await beginBoot(ctx, options, entries);
  if (damaged !== undefined) {
    const detail = `the database was damaged and is now ${damaged}`;
    await entries.append({ type: 'fault', code: 'storage/corrupt', detail });
  }
  const recovery = new Recovery(ctx, catalog, entries, options.deviceKey.publicKey);
  const recovered = recovery.run();
  // Whoever awaits it sees the failure; nobody having to must not end the process.
  recovered.catch((error: unknown) => {
    log.error({ error }, 'recovery failed');
  });
  return {
    boot,
    sessionKeyId: signer.keyId,
    recordings: new RecordingStore(ctx, catalog, entries, options),
    journal: new Journal(entries),
    outgoing: new Outgoing(fs, layout, catalog, entries),
    recovered,
    totals: () => catalog.totals(),
    freeBytes: () => fs.freeBytes(layout.root),
    close: async () => {
      await Promise.allSettled([recovered]);
      await entries.settled();
      signer.destroy();
      db.close();
    },
  };
}

async function highestBoot(fs: FileSystem, layout: CardLayout): Promise<number> {
  const boots = (await fs.list(layout.evidence)).map(({ name }) => parseCounter(name) ?? 0);
  return Math.max(0, ...boots);
}

/** A damaged database is evidence too: it is moved aside, never repaired in place. */
async function openOrReplace(
  fs: FileSystem,
  layout: CardLayout,
): Promise<{ db: Database; damaged?: string }> {
  try {
    return { db: openDatabase(layout.database) };
  } catch (error) {
    if (!hasErrorCode(error, 'storage/corrupt')) throw error;
    await fs.makeDirectory(layout.quarantine);
    let target = `${layout.quarantine}/lapel.db`;
    for (let n = 1; await fs.exists(target); n += 1) target = `${layout.quarantine}/lapel.db.${n}`;
    await fs.rename(layout.database, target);
    for (const end of ['-wal', '-shm']) {
      if (await fs.exists(layout.database + end)) {
        await fs.rename(layout.database + end, target + end);
      }
    }
    return { db: openDatabase(layout.database), damaged: target };
  }
}

/** The session certificate is durable before anything is signed with its key. */
async function beginBoot(
  { identity, fs, layout, clock }: BootContext,
  options: CardOptions,
  entries: DeviceLog,
): Promise<void> {
  const { boot, device, signer } = identity;
  const issuedMonoMs = Math.round(clock.monotonicMs());
  const facts = { device, boot, issuedMonoMs };
  const certificate = sealSessionKey(facts, signer, options.deviceKey);
  await fs.makeDirectory(layout.boot(boot));
  await fs.writeAtomic(
    layout.sessionCertificate(boot),
    Buffer.from(formatEnvelopeFile(certificate)),
  );
  const { ms, source, uncertaintyMs } = clock.wallTime();
  const time = {
    source,
    wall_ms: Math.round(ms),
    uncertainty_ms: Math.round(uncertaintyMs),
  };
  await entries.append({
    type: 'boot',
    fw: options.firmwareDigest,
    cfg: options.configDigest,
    time,
  });
  await entries.append({
    type: 'session-key',
    key: signer.keyId,
    spki: spkiOf(signer),
    cert: payloadDigest(certificate),
  });
}
