import path from 'node:path';
import {
  formatEnvelopeFile,
  parseEnvelope,
  parseEnvelopeFile,
  payloadDigest,
} from '../evidence/dsse.js';
import type { DeviceKeyChain } from '../evidence/key-rotation.js';
import { openManifest, readManifest } from '../evidence/manifest.js';
import { NO_DIGEST } from '../evidence/fields.js';
import { openSessionKey } from '../evidence/session-key.js';
import { CameraError, isCameraError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { formatSegmentRef, sameSegment } from '../units.js';
import type { SegmentRef } from '../units.js';
import type { BootContext } from './boot.js';
import type { Catalog } from './catalog.js';
import type { DeviceLog } from './device-log.js';
import { parseCounter, parseSegmentFile } from './layout.js';
import type { SegmentFile } from './layout.js';
import { Quarantine } from './quarantine.js';
import { enterSealed } from './sealed-segments.js';
import { SegmentRecovery } from './segment-recovery.js';

/** What a start-up pass found and did. */
export interface RecoverySummary {
  /** Segments that a cut had left open, now sealed as `power-loss`. */
  readonly recovered: readonly SegmentRef[];
  /** Sealed segments that the catalog did not know. */
  readonly indexed: number;
  /** Paths now in quarantine. */
  readonly quarantined: readonly string[];
  /** Segments that could not be read; they are as they were, and the next start tries again. */
  readonly failed: readonly SegmentRef[];
  /** Sealed segments without a receipt of which the card has no file any more; told at every start. */
  readonly missing: readonly SegmentRef[];
}

/** Names in one fault about missing segments: more would not fit an entry, and the count says the rest. */
const MISSING_NAMED_MAX = 20;

const ENVELOPE_BYTES_MAX = 128 * 1024;

/** Errors that are about the content of a document, not about the card. */
const isDamage = (code: ErrorCode): boolean =>
  code.startsWith('evidence/') || code === 'storage/limit';

/** Whether a certificate is missing or bad for good; what the card does not give now, it may give at the next start. */
const isLost = (code: ErrorCode): boolean => isDamage(code) || code === 'storage/not-found';

/** Errors after which the next segment would not fare better. */
const HOPELESS: ReadonlySet<ErrorCode> = new Set(['storage/disk-full', 'storage/read-only']);

/**
 * The start-up pass over the card: steps 4 to 10 of the README. 1 to 3 are `openCard`, before buffering. It runs beside
 * buffering, never touches a sealed file, and never looks into the directory of the present boot.
 *
 * 4. Every directory and file of earlier boots is named by its counters; what is not, moves to quarantine.
 * 5. A segment in the catalog without its manifest gets it back from there.
 * 6. A segment with a manifest but no catalog row is checked and entered into catalog and log.
 * 7. A segment without a manifest was cut. Its whole leaves are counted, the newest signed head over them is found.
 * 8. A cut before the first whole chunk left nothing to play, and what no valid head vouches for may be anybody's: the
 *    files move to quarantine.
 * 9. Lists that do not fit are replaced, a manifest with `end: power-loss` states what was found, log and catalog follow;
 *    the ciphertext itself is never changed.
 * 10. What the catalog knows as sealed, no receiver has vouched for, and no file is left of, is missing.
 *
 * Each recovery, each quarantine, and each recording that misses segments is an entry in the log.
 *
 * Segments of a recording are taken in their order, because each manifest names the one before. When one cannot be
 * read, the rest of its recording waits for the next start.
 */
export class Recovery {
  readonly #ctx: BootContext;
  readonly #catalog: Catalog;
  readonly #log: DeviceLog;
  readonly #deviceKeys: Buffer | DeviceKeyChain;
  readonly #quarantine: Quarantine;
  readonly #cut: SegmentRecovery;
  readonly #sessionKeys = new Map<number, Buffer | undefined>();
  readonly #recovered: SegmentRef[] = [];
  readonly #failed: SegmentRef[] = [];
  /** Segments with at least one file on the card. */
  readonly #seen = new Set<string>();
  #indexed = 0;

  constructor(
    ctx: BootContext,
    catalog: Catalog,
    log: DeviceLog,
    deviceKeys: Buffer | DeviceKeyChain,
  ) {
    this.#ctx = ctx;
    this.#catalog = catalog;
    this.#log = log;
    this.#deviceKeys = deviceKeys;
    this.#quarantine = new Quarantine(ctx, log);
    this.#cut = new SegmentRecovery(ctx, catalog, log, this.#quarantine);
  }

  /** Once. Rejects only when card or log take nothing; what is damaged is quarantined or left, counted and told. */
  async run(): Promise<RecoverySummary> {
    const { layout, identity } = this.#ctx;
    for (const boot of await this.#counters(layout.evidence, [])) {
      if (boot === identity.boot) continue;
      if (boot > identity.boot) {
        const reason = 'is of a boot that has not been';
        await this.#quarantine.move(layout.boot(boot), 'storage/corrupt', reason);
        continue;
      }
      for (const rec of await this.#counters(layout.boot(boot), ['session.dsse'])) {
        await this.#recording(boot, rec);
      }
    }
    const missing = await this.#tellMissing();
    return {
      missing,
      recovered: this.#recovered,
      indexed: this.#indexed,
      quarantined: this.#quarantine.paths,
      failed: this.#failed,
    };
  }

  /** Step 4. Subdirectories that are counters, in order; everything else but `known` files goes to quarantine. */
  async #counters(directory: string, known: readonly string[]): Promise<readonly number[]> {
    const counters: number[] = [];
    for (const { name, isDirectory } of await this.#ctx.fs.list(directory)) {
      const counter = parseCounter(name);
      if (isDirectory && counter !== undefined) counters.push(counter);
      else if (isDirectory || !known.includes(name)) await this.#moveStranger(directory, name);
    }
    return counters.sort((a, b) => a - b);
  }

  async #moveStranger(directory: string, name: string): Promise<void> {
    const file = path.join(directory, name);
    // What an atomic write was cut in has never had its name.
    if (name.endsWith('.tmp')) {
      await this.#quarantine.move(file, 'storage/power-loss', 'was cut before it was complete');
    } else {
      await this.#quarantine.move(file, 'storage/corrupt', 'is not named like evidence');
    }
  }

  async #recording(boot: number, rec: number): Promise<void> {
    const directory = this.#ctx.layout.recording(boot, rec);
    const bySeq = new Map<number, Set<SegmentFile>>();
    for (const { name, isDirectory } of await this.#ctx.fs.list(directory)) {
      const parsed = isDirectory ? undefined : parseSegmentFile(name);
      if (parsed === undefined) {
        await this.#moveStranger(directory, name);
        continue;
      }
      const files = bySeq.get(parsed.seq) ?? new Set<SegmentFile>();
      bySeq.set(parsed.seq, files.add(parsed.file));
      this.#seen.add(formatSegmentRef({ boot, rec, seq: parsed.seq }));
    }
    const segments = [...bySeq].sort(([a], [b]) => a - b);
    // The one before the first that is there may be deleted; the catalog knows its digest.
    const [first = 0] = segments[0] ?? [];
    let previous = this.#catalog.find({ boot, rec, seq: first - 1 })?.digest ?? NO_DIGEST;
    for (const [index, [seq, files]] of segments.entries()) {
      const ref = { boot, rec, seq };
      try {
        const place = { previous, isLast: index === segments.length - 1 };
        previous = (await this.#segment(ref, files, place)) ?? previous;
      } catch (error) {
        if (!isCameraError(error) || HOPELESS.has(error.code)) throw error;
        await this.#quarantine.tell(error.code, `recovery of ${formatSegmentRef(ref)}`, error);
        this.#failed.push(ref);
        return;
      }
    }
  }

  /** Step 10. One fault a recording, so that a card that was emptied does not flood the log. */
  async #tellMissing(): Promise<readonly SegmentRef[]> {
    const missing = this.#catalog
      .pendingBefore(this.#ctx.identity.boot)
      .filter((ref) => !this.#seen.has(formatSegmentRef(ref)));
    const namesOf = new Map<string, string[]>();
    for (const ref of missing) {
      const recording = `${ref.boot}/${ref.rec}`;
      const names = namesOf.get(recording) ?? [];
      names.push(formatSegmentRef(ref));
      namesOf.set(recording, names);
    }
    for (const [recording, names] of namesOf) {
      const more = names.length > MISSING_NAMED_MAX ? ', …' : '';
      const named = names.slice(0, MISSING_NAMED_MAX).join(', ') + more;
      const what = `${names.length} sealed segments of recording ${recording} are missing from the card: ${named}`;
      await this.#quarantine.tell('storage/corrupt', what);
    }
    return missing;
  }

  /** Returns the digest of the manifest, or undefined when the segment has none. */
  async #segment(
    ref: SegmentRef,
    files: ReadonlySet<SegmentFile>,
    place: { readonly previous: string; readonly isLast: boolean },
  ): Promise<string | undefined> {
    const row = this.#catalog.find(ref);
    // What a cut has left of a deletion is retention's to finish.
    if (row?.stage === 'deletable') return row.digest;
    if (row?.stage === 'deleted') {
      await this.#moveReturned(ref, files);
      return row.digest;
    }
    const isSealed = row !== undefined || files.has('.dsse');
    if (isSealed && !files.has('.age') && row?.receipt === undefined) {
      const what = `the ciphertext of ${formatSegmentRef(ref)} is missing`;
      await this.#quarantine.tell('storage/corrupt', what);
      return row?.digest;
    }
    if (row !== undefined) {
      if (!files.has('.dsse')) await this.#restoreManifest(ref, row.manifest);
      return row.digest;
    }
    if (files.has('.dsse')) return this.#index(ref);
    const sessionKey = await this.#sessionKey(ref.boot);
    const digest = await this.#cut.recover(ref, files, place, sessionKey);
    if (digest !== undefined) this.#recovered.push(ref);
    return digest;
  }

  /** Nothing of a deleted segment is left when the log says so: whatever stands under its name was put there. */
  async #moveReturned(ref: SegmentRef, files: ReadonlySet<SegmentFile>): Promise<void> {
    for (const end of files) {
      const reason = 'has the name of a segment that was deleted';
      await this.#quarantine.move(this.#ctx.layout.segment(ref, end), 'storage/corrupt', reason);
    }
  }

  /**
   * Step 5. A segment that is in the catalog was sealed; to seal it again would be a second truth. The catalog has the
   * manifest, so the file is made anew from that.
   */
  async #restoreManifest(ref: SegmentRef, manifest: string): Promise<void> {
    const what = `the manifest of ${formatSegmentRef(ref)} was missing and is restored`;
    await this.#quarantine.tell('storage/corrupt', what);
    const text = formatEnvelopeFile(parseEnvelope(manifest));
    await this.#ctx.fs.writeAtomic(this.#ctx.layout.segment(ref, '.dsse'), Buffer.from(text));
  }

  /** Step 6. A manifest that is damaged or another segment's stays where it is, for the verifier to see. */
  async #index(ref: SegmentRef): Promise<string | undefined> {
    const file = this.#ctx.layout.segment(ref, '.dsse');
    try {
      const text = (await this.#ctx.fs.readFile(file, ENVELOPE_BYTES_MAX)).toString('utf8');
      const envelope = parseEnvelopeFile(text);
      const manifest = readManifest(envelope);
      if (!sameSegment(manifest, ref) || manifest.device !== this.#ctx.identity.device) {
        throw new CameraError('evidence/malformed', 'it is the manifest of another segment');
      }
      // Without the certificate nobody can say; then it is the receiver who refuses.
      const key = await this.#sessionKey(manifest.sealed_by);
      if (key !== undefined) openManifest(envelope, key);
      await enterSealed(this.#log, this.#catalog, envelope, manifest);
      this.#indexed += 1;
      return payloadDigest(envelope);
    } catch (error) {
      if (!isCameraError(error) || !isDamage(error.code)) throw error;
      const what = `the manifest of ${formatSegmentRef(ref)} is damaged`;
      await this.#quarantine.tell('storage/corrupt', what, error);
      return undefined;
    }
  }

  /**
   * The session key of a boot, when its certificate is there and holds. Looked for, and told, once. Rejects when the
   * card does not give it now: what it would vouch for waits, for without it everything would go to quarantine.
   */
  async #sessionKey(boot: number): Promise<Buffer | undefined> {
    if (!this.#sessionKeys.has(boot)) {
      this.#sessionKeys.set(boot, await this.#readSessionKey(boot));
    }
    return this.#sessionKeys.get(boot);
  }

  async #readSessionKey(boot: number): Promise<Buffer | undefined> {
    const file = this.#ctx.layout.sessionCertificate(boot);
    try {
      const text = (await this.#ctx.fs.readFile(file, ENVELOPE_BYTES_MAX)).toString('utf8');
      const opened = openSessionKey(parseEnvelopeFile(text), this.#deviceKeys);
      if (opened.certificate.boot === boot) return opened.publicKey;
      throw new CameraError('evidence/malformed', 'it is that of another boot');
    } catch (error) {
      if (!isCameraError(error) || !isLost(error.code)) throw error;
      await this.#quarantine.tell('storage/corrupt', `session certificate of boot ${boot}`, error);
      return undefined;
    }
  }
}
