import type { Cancel, Clock, WallTime } from '../clock.js';
import type { AgeRecipient } from '../evidence/age-recipients.js';
import { formatEnvelopeFile, payloadDigest } from '../evidence/dsse.js';
import type { Envelope } from '../evidence/dsse.js';
import { chainOf, readRotation } from '../evidence/key-rotation.js';
import type { DeviceKeyChain } from '../evidence/key-rotation.js';
import { fromSpkiBase64 } from '../evidence/public-key.js';
import { sealSessionKey } from '../evidence/session-key.js';
import type { Signer } from '../evidence/signer.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import type { Logger } from '../log.js';
import { messageOf } from '../errors.js';
import type { BootContext } from './boot.js';
import { BootMemory, highestBootOn } from './boot-number.js';
import { openCardDatabase } from './card-database.js';
import { Catalog } from './catalog.js';
import type { CatalogTotals } from './catalog.js';
import type { Database } from './database.js';
import { CheckpointBook } from './checkpoint-book.js';
import { CheckpointMemory } from './checkpoint-memory.js';
import type { RemovalRight, TrustedReceiver } from './deletion.js';
import { DeviceLog, entryWords } from './device-log.js';
import { Journal } from './journal.js';
import { makeSessionSigner, spkiOf } from './keys.js';
import { CardLayout } from './layout.js';
import { Outgoing } from './outgoing.js';
import { RecordingStore } from './recording-store.js';
import { Recovery } from './recovery.js';
import { enterRotations } from './rotation-entries.js';
import type { RecoverySummary } from './recovery.js';
import type { MetadataSource, SealedSegment } from './segment-facts.js';
import { Retention } from './retention.js';
import { SecondTry, watchedDatabase } from './second-try.js';
import { TriggerBook } from './trigger-book.js';

/**
 * What is told after the fact, as the outcome of a press and a mode, leaves the processor and the card to the first fragment
 * that a press writes, which takes 20 ms; a power cut in that time loses such a note and never the press.
 */
const LOG_PATIENCE_MS = 100;

/** So many entries after a checkpoint the next is due: an hour of heartbeats. */
const CHECKPOINT_ENTRIES = 64;
/** What made the log grow, a press above all, has the processor to itself; the signature of 3 ms comes after. */
const CHECKPOINT_DELAY_MS = 2000;
const PROBE = Buffer.from('lapel\n');

export interface CardOptions {
  /** Directory of the evidence card. */
  readonly card: string;
  readonly device: string;
  readonly deviceKey: Signer;
  /** From the first key of the device to this one, oldest first; none by default. */
  readonly rotations?: readonly Envelope[];
  readonly recipients: readonly AgeRecipient[];
  readonly configDigest: string;
  readonly firmwareDigest: string;
  /**
   * File on internal storage that remembers the number of the newest boot. Without it a new card starts from 1 again,
   * and a receiver refuses segments whose names it has seen. Beside it, with `.checkpoint` at its end, stands the newest
   * signed head of the log, so that an older card is told from the one that was there last.
   */
  readonly bootFile?: string;
  /** A recording starts only above this much free space. */
  readonly reserveBytes: number;
  /** And above this part of the whole card, in percent; 0 when it is left out. */
  readonly reservePercent?: number;
  readonly onSealed: (segment: SealedSegment) => void;
  /** The right to delete what has a receipt. Without it nothing is ever deleted. */
  readonly removal?: RemovalRight | undefined;
  /** Receivers whose receipts allow a deletion. */
  readonly receivers?: readonly TrustedReceiver[];
  /** How long footage stays after its receipt; for as long as there is room when it is left out. */
  readonly retainMs?: number | undefined;
  /** So much is kept free beyond the reserve as long as something may be deleted for it; 0 when it is left out. */
  readonly roomBytes?: number;
  /** Stands between the card and its database: for tests of a card that fails. */
  readonly wrapDatabase?: ((db: Database) => Database) | undefined;
  /** The time that the camera believes; that of the clock when it is left out. */
  readonly wallTime?: () => WallTime;
}

export interface CardServices {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metadata?: MetadataSource;
}

/** The evidence card of one boot: everything that capture and sync need of it. */
export interface Card {
  readonly boot: number;
  readonly sessionKeyId: string;
  /** Signs small documents in the name of this boot, 3 ms each. Throws after `close`. */
  readonly session: Pick<Signer, 'sign' | 'keyId'>;
  readonly recordings: RecordingStore;
  readonly journal: Journal;
  readonly outgoing: Outgoing;
  readonly triggers: TriggerBook;
  readonly retention: Retention;
  /** What the card does not take, and whether it fails. */
  readonly secondTry: SecondTry;
  /** A recording starts only above this much free space. */
  readonly reserveBytes: number;
  /** The start-up pass over earlier boots; runs beside buffering. */
  readonly recovered: Promise<RecoverySummary>;
  totals(): CatalogTotals;
  freeBytes(): Promise<number>;
  /** Writes and syncs a few bytes: resolves when the card takes them. Rejects with the errors of the file system. */
  probe(): Promise<void>;
  /**
   * The signed head (C2SP tlog-checkpoint) over everything appended so far, kept on the card. Rejects as
   * `CheckpointBook.make` throws.
   */
  checkpoint(): Promise<string>;
  /**
   * Waits for seals, recovery and the log, gives up segments that are still open, destroys the session key and closes
   * the database. With a reason the log gets its `end` of this boot.
   */
  close(reason?: string): Promise<void>;
}

/**
 * Opens the card for a new boot: boot number, session key and its certificate, first log entries, then recovery in the
 * background. Rejects with the errors of the file system and of the database, everything closed again; a damaged
 * database goes to quarantine and a new one is made from the files.
 */
export async function openCard(services: CardServices, options: CardOptions): Promise<Card> {
  const { fs } = services;
  const layout = new CardLayout(options.card);
  await fs.makeDirectory(layout.evidence);
  // Steps of the README: 1, the database; 2, the number of the boot; 3, its certificate and first entries.
  const { db: opened, damaged } = await openCardDatabase(fs, layout);
  const watched: { failed?: (error: unknown) => void } = {};
  const wrapped = options.wrapDatabase?.(opened) ?? opened;
  const db = watchedDatabase(wrapped, (error) => watched.failed?.(error));
  const faults = damaged.map((file) => `the database was damaged: ${file}`);
  const signer = makeSessionSigner();
  try {
    const boot = await takeBootNumber(fs, layout, db, options.bootFile, faults);
    const { device, recipients, configDigest, firmwareDigest } = options;
    const identity = { device, boot, signer, recipients, configDigest, firmwareDigest };
    const ctx: BootContext = { ...services, identity, layout };
    const entries = new DeviceLog(db, identity, services.clock, LOG_PATIENCE_MS);
    const memory = memoryOf(fs, options);
    const rolledBack = await memory?.contradictionOf(db, device);
    await beginBoot(ctx, options.deviceKey, entries);
    if (rolledBack !== undefined) {
      services.log.error({ detail: rolledBack }, 'the log on the card is not the one signed last');
      const detail = entryWords(rolledBack);
      await entries.append({ type: 'fault', code: 'storage/rolled-back', detail });
    }
    await enterRotations(fs, layout, db, entries, options.rotations ?? []);
    for (const fault of faults) {
      const detail = entryWords(fault);
      await entries.append({ type: 'fault', code: 'storage/corrupt', detail });
    }
    const secondTry = new SecondTry(services.clock, services.log, (code, detail, late) =>
      entries.append({ type: 'fault', code, detail: entryWords(detail), late }),
    );
    watched.failed = (error) => {
      secondTry.failed(error);
    };
    const reserveBytes = await reserveOf(fs, options);
    const checkpoints = keepCheckpoints(ctx, options.deviceKey, db, entries, memory);
    return cardOf(ctx, { ...options, reserveBytes }, db, entries, checkpoints, secondTry);
  } catch (error) {
    signer.destroy();
    db.close();
    throw error;
  }
}

/** The larger of the two reserves. */
async function reserveOf(
  fs: FileSystem,
  { card, reserveBytes, reservePercent = 0 }: CardOptions,
): Promise<number> {
  if (reservePercent === 0) return reserveBytes;
  const share = ((await fs.totalBytes(card)) * reservePercent) / 100;
  return Math.max(reserveBytes, Math.round(share));
}

/** The signed heads of the log: one now, one whenever it has grown enough, one whenever somebody asks. */
interface Checkpoints {
  make(): string;
  /** The last one of this boot; none of its own any more. */
  finish(): Promise<void>;
}

function keepCheckpoints(
  { clock, log, identity: { device } }: BootContext,
  deviceKey: Signer,
  db: Database,
  entries: DeviceLog,
  memory: CheckpointMemory | undefined,
): Checkpoints {
  const book = new CheckpointBook(db, device, () => entries.head());
  let signed = 0;
  let cancel: Cancel | undefined;
  let remembered = Promise.resolve();
  const make = (): string => {
    const note = book.make([deviceKey]);
    signed = entries.head().size;
    // Nobody waits for it: without it an older card would only be told later.
    remembered = remembered
      .then(() => memory?.remember(note))
      .catch((error: unknown) => {
        log.error({ error: messageOf(error) }, 'the signed head could not be kept off the card');
      });
    return note;
  };
  const makeSoon = (): void => {
    cancel = undefined;
    try {
      make();
    } catch (error) {
      // The entries stand without it; what is wrong with the card others find, and say.
      log.error({ error: messageOf(error) }, 'the log could not be signed');
    }
  };
  makeSoon();
  entries.watch((size) => {
    if (size - signed >= CHECKPOINT_ENTRIES) cancel ??= clock.after(CHECKPOINT_DELAY_MS, makeSoon);
  });
  return {
    make,
    finish: () => {
      entries.watch(() => undefined);
      cancel?.();
      makeSoon();
      return remembered;
    },
  };
}

/** Starts recovery and puts the parts together. */
function cardOf(
  ctx: BootContext,
  options: CardOptions,
  db: Database,
  entries: DeviceLog,
  checkpoints: Checkpoints,
  secondTry: SecondTry,
): Card {
  const { identity, fs, layout, log } = ctx;
  const catalog = new Catalog(db);
  const recovered = new Recovery(ctx, catalog, entries, ownKeys(options)).run();
  // Whoever awaits it sees the failure; nobody having to must not end the process.
  recovered.catch((error: unknown) => {
    log.error({ error }, 'recovery failed');
  });
  const { reserveBytes } = options;
  const retention = new Retention(ctx, catalog, entries, {
    removal: options.removal,
    receivers: options.receivers ?? [],
    retainMs: options.retainMs,
    wantedFreeBytes: reserveBytes + (options.roomBytes ?? 0),
    wallTime: options.wallTime ?? (() => ctx.clock.wallTime()),
  });
  retention.start(recovered);
  const recordings = new RecordingStore(ctx, catalog, entries, {
    ...options,
    makeRoom: () => retention.look(),
    memory: secondTry,
  });
  return {
    boot: identity.boot,
    sessionKeyId: identity.signer.keyId,
    session: identity.signer,
    recordings,
    journal: new Journal(entries, secondTry),
    outgoing: new Outgoing(ctx, catalog, entries, () => void retention.look()),
    triggers: new TriggerBook(db, entries),
    retention,
    secondTry,
    reserveBytes,
    recovered,
    totals: () => catalog.totals(),
    freeBytes: () => fs.freeBytes(layout.root),
    probe: () => fs.writeAtomic(layout.probe, PROBE),
    checkpoint: async () => {
      await entries.settled();
      return checkpoints.make();
    },
    close: async (reason) => {
      await recordings.close();
      await Promise.allSettled([recovered]);
      await retention.close();
      await entries.settled();
      await secondTry.close();
      if (reason !== undefined) await noteEnd(ctx, entries, reason);
      await entries.settled();
      await checkpoints.finish();
      identity.signer.destroy();
      db.close();
    },
  };
}

/** Every key that this device has had: recovery reads the certificates of earlier boots. */
function ownKeys({ device, deviceKey, rotations = [] }: CardOptions): DeviceKeyChain {
  const [first] = rotations;
  const firstKey =
    first === undefined ? deviceKey.publicKey : fromSpkiBase64(readRotation(first).old_spki);
  return chainOf(device, firstKey, rotations);
}

const memoryOf = (fs: FileSystem, { bootFile }: CardOptions): CheckpointMemory | undefined =>
  bootFile === undefined ? undefined : new CheckpointMemory(fs, `${bootFile}.checkpoint`);

/** A card that takes nothing any more is no reason not to close it. */
async function noteEnd({ log }: BootContext, entries: DeviceLog, reason: string): Promise<void> {
  try {
    await entries.append({ type: 'end', reason: entryWords(reason) });
  } catch (error) {
    log.error({ error: messageOf(error) }, 'the end of the boot could not be logged');
  }
}

/** The next boot number, durable in the database and in `bootFile`. A damaged `bootFile` is added to `faults`. */
async function takeBootNumber(
  fs: FileSystem,
  layout: CardLayout,
  db: Database,
  bootFile: string | undefined,
  faults: string[],
): Promise<number> {
  const onCard = await highestBootOn(fs, layout);
  const catalog = new Catalog(db);
  if (bootFile === undefined) return catalog.beginBoot(onCard);
  const memory = new BootMemory(fs, bootFile);
  const remembered = await memory.recall();
  if (remembered === undefined) faults.push('the number of the newest boot was damaged');
  const boot = catalog.beginBoot(Math.max(onCard, remembered ?? 0));
  await memory.remember(boot);
  return boot;
}

/** The session certificate is durable before anything is signed with its key. */
async function beginBoot(
  { identity, fs, layout, clock }: BootContext,
  deviceKey: Signer,
  entries: DeviceLog,
): Promise<void> {
  const { boot, device, signer } = identity;
  const facts = { device, boot, issuedMonoMs: Math.round(clock.monotonicMs()) };
  const certificate = sealSessionKey(facts, signer, deviceKey);
  await fs.makeDirectory(layout.boot(boot));
  await fs.writeAtomic(
    layout.sessionCertificate(boot),
    Buffer.from(formatEnvelopeFile(certificate)),
  );
  const { ms, source, uncertaintyMs } = clock.wallTime();
  await entries.append({
    type: 'boot',
    fw: identity.firmwareDigest,
    cfg: identity.configDigest,
    time: { source, wall_ms: Math.round(ms), uncertainty_ms: Math.round(uncertaintyMs) },
  });
  await entries.append({
    type: 'session-key',
    key: signer.keyId,
    spki: spkiOf(signer),
    cert: payloadDigest(certificate),
  });
}
