import path from 'node:path';
import { CameraError, hasErrorCode, messageOf } from '../../errors.js';
import {
  ENVELOPE_TEXT_MAX,
  formatEnvelopeFile,
  parseEnvelopeFile,
  payloadDigest,
} from '../../evidence/dsse.js';
import type { Envelope } from '../../evidence/dsse.js';
import type { FileSystem } from '../../hal/ports/file-system.js';
import { formatSegmentRef } from '../../units.js';
import type { SegmentRef } from '../../units.js';
import type { AdmittedSegment } from './admission.js';
import { IncomingSegment } from './incoming-segment.js';

/** Kept free for receipts, manifests and the rest of the machine. */
const RESERVE_BYTES = 64 * 1024 * 1024;
/** Digits of a digest in a file name: enough to keep manifests of one segment apart. */
const DIGEST_DIGITS = 16;

export interface StoredSegment {
  readonly manifest: Envelope;
  /** Undefined when the receiver died between the manifest and its receipt. */
  readonly receipt: Envelope | undefined;
}

/**
 * What a receiver holds, one directory a device:
 *
 *     <boot>/session.dsse                    certificate of the boot's session key
 *     <boot>/<rec>/<seq>.age .leaves .heads .meta.age .dsse .receipt
 *     .incoming/<boot>-<rec>-<seq>-<digest>.age   on its way, named by its manifest too
 *     .incoming/<…>.age.failed.<n>                a sync of it failed: what is on the disk is not known
 *     conflicts/<boot>-<rec>-<seq>-<digest>.dsse  another manifest for a segment that is stored
 *
 * INVARIANTS
 * 1. `.dsse` is written last: where it stands, everything beside it is complete, verified and durable.
 * 2. Where `.dsse` stands nothing beside it but `.receipt` is ever written again.
 * 3. Names are made of checked ids and counters only.
 */
export class EvidenceStore {
  readonly #files: FileSystem;
  readonly #root: string;
  /** Partial files of which a sync failed, and the rename after it too. */
  readonly #distrusted = new Set<string>();

  constructor(files: FileSystem, root: string) {
    this.#files = files;
    this.#root = root;
  }

  /** The stored segment, or undefined. Rejects with `storage/corrupt` when its manifest or receipt is unreadable. */
  async find(device: string, ref: SegmentRef): Promise<StoredSegment | undefined> {
    const base = this.#base(device, ref);
    const manifest = await this.#readEnvelope(`${base}.dsse`);
    if (manifest === undefined) return undefined;
    return { manifest, receipt: await this.#readEnvelope(`${base}.receipt`) };
  }

  /**
   * Resolves when the ciphertext of a stored segment stands in its place with the size in its manifest; otherwise rejects
   * with `storage/corrupt`. To be asked before every receipt: a disk is repaired, files are moved by hand, and the
   * manifest beside a ciphertext that is gone would let the device delete the last copy.
   */
  async requireCiphertext({ device, ref, manifest }: AdmittedSegment): Promise<void> {
    const file = `${this.#base(device, ref)}.age`;
    if (!(await this.#files.exists(file))) {
      throw new CameraError('storage/corrupt', `${file} is missing, its manifest is there`);
    }
    const size = await this.#files.size(file);
    if (size === manifest.file.size) return;
    const message = `${file} has ${size} bytes, its manifest says ${manifest.file.size}`;
    throw new CameraError('storage/corrupt', message);
  }

  /** True when so many bytes fit beside the reserve. */
  async hasRoomFor(bytes: number): Promise<boolean> {
    await this.#files.makeDirectory(this.#root);
    return (await this.#files.freeBytes(this.#root)) >= bytes + RESERVE_BYTES;
  }

  /**
   * Opens the place for a segment on its way; what an earlier attempt left there is still there, unless a sync of it has
   * failed: then the file is moved aside and a new one begun. Rejects when it cannot be moved.
   */
  async begin(segment: AdmittedSegment): Promise<IncomingSegment> {
    const { device, ref, certificates } = segment;
    const incoming = path.join(this.#root, device, '.incoming');
    const base = this.#base(device, ref);
    await this.#files.makeDirectory(incoming);
    await this.#files.makeDirectory(path.dirname(base));
    for (const [boot, certificate] of certificates) {
      await this.#keepCertificate(device, boot, certificate);
    }
    const partial = path.join(incoming, `${flatName(ref, segment.digest)}.age`);
    if (this.#distrusted.has(partial)) await this.#moveFailed(partial);
    await this.#returnUnfinished(segment, base, partial);
    return IncomingSegment.open(this.#files, segment, { partial, base }, (file) =>
      this.#setAside(file),
    );
  }

  /** Replaces an older receipt for the same segment. */
  async keepReceipt(device: string, ref: SegmentRef, receipt: Envelope): Promise<void> {
    await this.#writeEnvelope(`${this.#base(device, ref)}.receipt`, receipt);
  }

  /** Keeps a manifest that contradicts the stored one: two signed accounts of one segment are evidence too. */
  async keepConflict(device: string, ref: SegmentRef, manifest: Envelope): Promise<void> {
    const directory = path.join(this.#root, device, 'conflicts');
    await this.#files.makeDirectory(directory);
    const file = path.join(directory, `${flatName(ref, payloadDigest(manifest))}.dsse`);
    if (!(await this.#files.exists(file))) await this.#writeEnvelope(file, manifest);
  }

  /** At once, so that a restart does not find the file; when the disk refuses that too, before the next attempt. */
  async #setAside(partial: string): Promise<void> {
    this.#distrusted.add(partial);
    try {
      await this.#moveFailed(partial);
    } catch {
      // The failed sync is about to be reported; `begin` moves the file, or rejects.
    }
  }

  async #moveFailed(partial: string): Promise<void> {
    if (await this.#files.exists(partial)) {
      const prefix = `${path.basename(partial)}.failed.`;
      const names = await this.#files.list(path.dirname(partial));
      const count = names.filter(({ name }) => name.startsWith(prefix)).length;
      await this.#files.rename(partial, `${partial}.failed.${count}`);
    }
    this.#distrusted.delete(partial);
  }

  /** Rejects with `sync/refused` when the boot already has another certificate. */
  async #keepCertificate(device: string, boot: number, certificate: Envelope): Promise<void> {
    const directory = path.join(this.#root, device, String(boot));
    const file = path.join(directory, 'session.dsse');
    const known = await this.#readEnvelope(file);
    if (known === undefined) {
      await this.#files.makeDirectory(directory);
      await this.#writeEnvelope(file, certificate);
    } else if (payloadDigest(known) !== payloadDigest(certificate)) {
      throw new CameraError('sync/refused', `${device} has another session key for boot ${boot}`);
    }
  }

  /**
   * A ciphertext in its final place without a manifest is one whose last steps were cut. It goes back on its way, where
   * every leaf is judged again; when it cannot be this one (its size), it is moved aside.
   */
  async #returnUnfinished(segment: AdmittedSegment, base: string, partial: string): Promise<void> {
    const { device, ref, manifest } = segment;
    const final = `${base}.age`;
    if (!(await this.#files.exists(final))) return;
    if (await this.#files.exists(`${base}.dsse`)) {
      throw new CameraError('sync/refused', `${device} ${formatSegmentRef(ref)} is stored already`);
    }
    const isOurs = (await this.#files.size(final)) === manifest.file.size;
    const aside = path.join(this.#root, device, 'conflicts');
    if (!isOurs) await this.#files.makeDirectory(aside);
    const to = isOurs ? partial : path.join(aside, `${flatName(ref, segment.digest)}.age`);
    await this.#files.rename(final, to);
  }

  #base(device: string, { boot, rec, seq }: SegmentRef): string {
    return path.join(this.#root, device, String(boot), String(rec), String(seq));
  }

  #writeEnvelope(file: string, envelope: Envelope): Promise<void> {
    return this.#files.writeAtomic(file, Buffer.from(formatEnvelopeFile(envelope), 'utf8'));
  }

  async #readEnvelope(file: string): Promise<Envelope | undefined> {
    try {
      const bytes = await this.#files.readFile(file, ENVELOPE_TEXT_MAX + 1);
      return parseEnvelopeFile(bytes.toString('utf8'));
    } catch (error) {
      if (hasErrorCode(error, 'storage/not-found')) return undefined;
      if (!hasErrorCode(error, 'evidence/malformed')) throw error;
      throw new CameraError('storage/corrupt', `${file}: ${messageOf(error)}`, { cause: error });
    }
  }
}

const flatName = ({ boot, rec, seq }: SegmentRef, digest: string): string =>
  `${boot}-${rec}-${seq}-${digest.slice(0, DIGEST_DIGITS)}`;
