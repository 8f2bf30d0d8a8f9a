import path from 'node:path';
import { headLength } from '../evidence/age-header.js';
import {
  formatEnvelopeFile,
  parseEnvelope,
  parseEnvelopeFile,
  payloadDigest,
} from '../evidence/dsse.js';
import type { Envelope } from '../evidence/dsse.js';
import { openHead } from '../evidence/head.js';
import type { Head } from '../evidence/head.js';
import { readManifest, sealManifest } from '../evidence/manifest.js';
import type { Manifest } from '../evidence/manifest.js';
import { Frontier, HASH_BYTES, leafHash } from '../evidence/merkle-tree.js';
import { openSessionKey } from '../evidence/session-key.js';
import { CameraError, messageOf } from '../errors.js';
import type { ReadableFile } from '../hal/ports/file-system.js';
import { formatSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';
import type { BootContext } from './boot.js';
import type { Catalog } from './catalog.js';
import type { DeviceLog } from './device-log.js';
import { parseCounter, parseSegmentFile } from './layout.js';
import type { SegmentFile } from './layout.js';

/** What a start-up pass found and did. */
export interface RecoverySummary {
  /** Segments that a cut had left open, now sealed as `power-loss`. */
  readonly recovered: readonly SegmentRef[];
  /** Sealed segments that the catalog did not know. */
  readonly indexed: number;
  /** Paths now in quarantine. */
  readonly quarantined: readonly string[];
}

/** An age header with 8 recipients has less than 1.5 kB; the prefix that is searched for its end is far above. */
const HEADER_BYTES_MAX = 64 * 1024;
/** Ciphertext of one leaf after the first, as in the manifest. */
const LEAF_BYTES = 65_552;
/** A segment of five minutes at 8 Mbit/s has 4,600 leaves and 300 heads of about 1 kB. */
const LIST_BYTES_MAX = 16 * 1024 * 1024;
const HEADS_BYTES_MAX = 16 * 1024 * 1024;
const ENVELOPE_BYTES_MAX = 128 * 1024;
const ZEROS = '0'.repeat(HASH_BYTES * 2);

interface WholeLeaves {
  readonly hashes: readonly Buffer[];
  readonly head: number;
  /** Bytes of ciphertext in them; what follows on the card is the cut. */
  readonly size: number;
}

/** Where a segment stands in its recording: digest of the manifest before it, and whether another one follows. */
interface Place {
  readonly previous: string;
  readonly isLast: boolean;
}

interface SignedPrefix {
  readonly head: Head | undefined;
  readonly digest: string | null;
  readonly first: Head | undefined;
}

/**
 * The start-up pass over the card, in numbered steps. It runs beside buffering and never touches a sealed file.
 *
 * 1. Every directory and file of earlier boots is named by its counters; what is not, moves to quarantine.
 * 2. A segment with a manifest but no catalog row gets its row.
 * 3. A segment without a manifest was cut. Its whole leaves are counted, the newest signed head over them is found,
 *    and a manifest with `end: power-loss` states both; the ciphertext itself is never changed.
 * 4. A cut before the first whole leaf left nothing to play: the files move to quarantine.
 * 5. Each recovery and each quarantine is an entry in the log.
 */
export class Recovery {
  readonly #ctx: BootContext;
  readonly #catalog: Catalog;
  readonly #log: DeviceLog;
  readonly #devicePublicKey: Buffer;
  readonly #recovered: SegmentRef[] = [];
  readonly #quarantined: string[] = [];
  #indexed = 0;

  constructor(ctx: BootContext, catalog: Catalog, log: DeviceLog, devicePublicKey: Buffer) {
    this.#ctx = ctx;
    this.#catalog = catalog;
    this.#log = log;
    this.#devicePublicKey = devicePublicKey;
  }

  /** Rejects only when the card cannot be read or written; damaged files are quarantined, counted and told. */
  async run(): Promise<RecoverySummary> {
    for (const boot of await this.#counters(this.#ctx.layout.evidence, [])) {
      if (boot >= this.#ctx.identity.boot) continue;
      for (const rec of await this.#counters(this.#ctx.layout.boot(boot), ['session.dsse'])) {
        await this.#recording(boot, rec);
      }
    }
    return {
      recovered: this.#recovered,
      indexed: this.#indexed,
      quarantined: this.#quarantined,
    };
  }

  /** Subdirectories that are counters, in order; everything else but `known` files goes to quarantine. */
  async #counters(directory: string, known: readonly string[]): Promise<readonly number[]> {
    const counters: number[] = [];
    for (const { name, isDirectory } of await this.#ctx.fs.list(directory)) {
      const counter = parseCounter(name);
      if (isDirectory && counter !== undefined) counters.push(counter);
      else if (isDirectory || !known.includes(name)) {
        await this.#quarantine(path.join(directory, name), 'is not named like evidence');
      }
    }
    return counters.sort((a, b) => a - b);
  }

  async #recording(boot: number, rec: number): Promise<void> {
    const directory = this.#ctx.layout.recording(boot, rec);
    const bySeq = new Map<number, Set<SegmentFile>>();
    for (const { name, isDirectory } of await this.#ctx.fs.list(directory)) {
      const parsed = isDirectory ? undefined : parseSegmentFile(name);
      if (parsed === undefined) {
        await this.#quarantine(path.join(directory, name), 'is not named like a segment');
        continue;
      }
      const files = bySeq.get(parsed.seq) ?? new Set<SegmentFile>();
      bySeq.set(parsed.seq, files.add(parsed.file));
    }
    let previous = ZEROS;
    const newest = Math.max(...bySeq.keys());
    for (const [seq, files] of [...bySeq].sort(([a], [b]) => a - b)) {
      const ref = { boot, rec, seq };
      const place = { previous, isLast: seq === newest };
      const envelope = files.has('.dsse')
        ? await this.#index(ref)
        : await this.#recover(ref, files, place);
      if (envelope !== undefined) previous = payloadDigest(envelope);
    }
  }

  /** Step 2. Returns the manifest, or undefined when it is damaged: it then stays where it is, for the verifier to see. */
  async #index(ref: SegmentRef): Promise<Envelope | undefined> {
    const row = this.#catalog.find(ref);
    if (row !== undefined) return parseEnvelope(row.manifest);
    try {
      const file = this.#ctx.layout.segment(ref, '.dsse');
      const text = (await this.#ctx.fs.readFile(file, ENVELOPE_BYTES_MAX)).toString('utf8');
      const envelope = parseEnvelopeFile(text);
      this.#catalog.add(rowOf(ref, envelope, readManifest(envelope)));
      this.#indexed += 1;
      return envelope;
    } catch (error) {
      await this.#fault('storage/corrupt', `manifest of ${formatSegmentRef(ref)}`, error);
      return undefined;
    }
  }

  /** Steps 3 and 4. */
  async #recover(
    ref: SegmentRef,
    files: ReadonlySet<SegmentFile>,
    place: Place,
  ): Promise<Envelope | undefined> {
    const whole = files.has('.age') ? await this.#wholeLeaves(ref) : undefined;
    if (whole === undefined || whole.hashes.length < 2) {
      for (const file of files) {
        const name = this.#ctx.layout.segment(ref, file);
        await this.#quarantine(name, 'was cut before its first whole chunk');
      }
      return undefined;
    }
    const prefix = await this.#signedPrefix(ref, whole);
    await this.#completeLeafList(ref, whole);
    const manifest = this.#manifest(ref, whole, prefix, place);
    const envelope = sealManifest(manifest, this.#ctx.identity.signer);
    const line = Buffer.from(formatEnvelopeFile(envelope));
    await this.#ctx.fs.writeAtomic(this.#ctx.layout.segment(ref, '.dsse'), line);
    const digest = payloadDigest(envelope);
    await this.#log.append(
      {
        type: 'recovered',
        seg: formatSegmentRef(ref),
        man: digest,
        signed: manifest.recovered?.signed ?? 0,
        tail: manifest.recovered?.tail ?? 0,
        head: prefix.digest,
      },
      () => this.#catalog.add(rowOf(ref, envelope, { ...manifest, v: 1, type: 'segment' })),
    );
    this.#recovered.push(ref);
    return envelope;
  }

  /** Hashes the leaves that are there as a whole, one at a time. Undefined when not even the header is. */
  async #wholeLeaves(ref: SegmentRef): Promise<WholeLeaves | undefined> {
    const file = await this.#ctx.fs.openReadable(this.#ctx.layout.segment(ref, '.age'));
    try {
      const prefix = Buffer.alloc(Math.min(HEADER_BYTES_MAX, file.size));
      await file.readInto(prefix, 0, prefix.length, 0);
      const head = headLengthOf(prefix);
      if (head === undefined || head > file.size) return undefined;
      const hashes = [leafHash(prefix.subarray(0, head))];
      const last = await this.#hashChunks(file, head, hashes);
      const size = head + (hashes.length - 1) * LEAF_BYTES;
      // A short chunk at the end is whole only when the writer had listed it: then it was the final one.
      const listed = last === undefined ? undefined : await this.#listedHash(ref, hashes.length);
      if (last === undefined || listed?.equals(last.hash) !== true) return { hashes, head, size };
      return { hashes: [...hashes, last.hash], head, size: size + last.length };
    } finally {
      await file.close();
    }
  }

  async #hashChunks(
    file: ReadableFile,
    head: number,
    hashes: Buffer[],
  ): Promise<{ hash: Buffer; length: number } | undefined> {
    const chunk = Buffer.allocUnsafeSlow(LEAF_BYTES);
    for (let at = head; at < file.size; at += LEAF_BYTES) {
      const length = await file.readInto(chunk, 0, LEAF_BYTES, at);
      const hash = leafHash(chunk.subarray(0, length));
      if (length < LEAF_BYTES) return { hash, length };
      hashes.push(hash);
    }
    return undefined;
  }

  async #listedHash(ref: SegmentRef, index: number): Promise<Buffer | undefined> {
    const list = await this.#read(this.#ctx.layout.segment(ref, '.leaves'), LIST_BYTES_MAX);
    const at = index * HASH_BYTES;
    return list.length >= at + HASH_BYTES ? list.subarray(at, at + HASH_BYTES) : undefined;
  }

  /** The newest head by the session key of that boot whose root is that of the leaves on the card. */
  async #signedPrefix(ref: SegmentRef, whole: WholeLeaves): Promise<SignedPrefix> {
    const none = { head: undefined, digest: null, first: undefined };
    const key = await this.#sessionKey(ref.boot);
    if (key === undefined) return none;
    const text = await this.#read(this.#ctx.layout.segment(ref, '.heads'), HEADS_BYTES_MAX);
    const roots = rootsOf(whole.hashes);
    let found: SignedPrefix = none;
    for (const line of text.toString('utf8').split('\n')) {
      const opened = tryOpenHead(line, key);
      if (opened === undefined) continue;
      const { head, digest } = opened;
      const isOurs = head.boot === ref.boot && head.rec === ref.rec && head.seq === ref.seq;
      if (!isOurs || roots[head.n - 1] !== head.root) continue;
      const first = found.first ?? (head.opening === null ? undefined : head);
      found =
        found.head === undefined || head.n >= found.head.n
          ? { head, digest, first }
          : { ...found, first };
    }
    return found;
  }

  async #sessionKey(boot: number): Promise<Buffer | undefined> {
    const file = this.#ctx.layout.sessionCertificate(boot);
    try {
      const text = (await this.#ctx.fs.readFile(file, ENVELOPE_BYTES_MAX)).toString('utf8');
      return openSessionKey(parseEnvelopeFile(text), this.#devicePublicKey).publicKey;
    } catch (error) {
      await this.#fault('storage/corrupt', `session certificate of boot ${boot}`, error);
      return undefined;
    }
  }

  /** The list of a sealed segment is complete. An unexpected one is kept aside; a short one is only added to. */
  async #completeLeafList(ref: SegmentRef, whole: WholeLeaves): Promise<void> {
    const file = this.#ctx.layout.segment(ref, '.leaves');
    const list = await this.#read(file, LIST_BYTES_MAX);
    const full = Buffer.concat(whole.hashes);
    if (list.equals(full)) return;
    const isPrefix = list.length <= full.length && list.equals(full.subarray(0, list.length));
    if (!isPrefix) await this.#quarantine(file, 'lists leaves that are not on the card');
    await this.#ctx.fs.writeAtomic(file, full);
  }

  #manifest(
    ref: SegmentRef,
    whole: WholeLeaves,
    prefix: SignedPrefix,
    place: Place,
  ): Omit<Manifest, 'v' | 'type'> {
    const { identity } = this.#ctx;
    const tree = new Frontier();
    for (const hash of whole.hashes) tree.push(hash);
    const signed = prefix.head?.n ?? 0;
    const opening = prefix.first?.opening;
    const unknown = { codec: '', width: 0, height: 0, run: 0, start90k: 0, gap_before_ms: 0 };
    const mono = prefix.head?.mono ?? 0;
    return {
      device: identity.device,
      key: identity.signer.keyId,
      sealed_by: identity.boot,
      ...ref,
      last: place.isLast,
      prev: place.previous,
      file: {
        size: whole.size,
        head: whole.head,
        leaf: LEAF_BYTES,
        n: whole.hashes.length,
        root: tree.root().toString('hex'),
      },
      plain: null,
      meta: null,
      media: {
        ...(opening?.media ?? unknown),
        duration90k: prefix.head?.duration90k ?? 0,
        frames: prefix.head?.frames ?? 0,
      },
      fragments: [],
      pre_event: ref.seq === 0 ? (opening?.pre_event ?? null) : null,
      end: 'power-loss',
      recovered: { signed, tail: whole.hashes.length - signed, head: prefix.digest },
      mono: [prefix.first?.mono ?? mono, mono],
      time: { source: 'unset', uncertainty_ms: 0 },
      cfg: identity.configDigest,
      fw: identity.firmwareDigest,
    };
  }

  async #read(file: string, bytesMax: number): Promise<Buffer> {
    if (!(await this.#ctx.fs.exists(file))) return Buffer.alloc(0);
    return this.#ctx.fs.readFile(file, bytesMax);
  }

  /** Moves a file or directory aside under its own path, numbered when the place is taken. */
  async #quarantine(file: string, reason: string): Promise<void> {
    const { fs, layout } = this.#ctx;
    const wanted = path.join(layout.quarantine, path.relative(layout.root, file));
    let target = wanted;
    for (let n = 1; await fs.exists(target); n += 1) target = `${wanted}.${n}`;
    await fs.makeDirectory(path.dirname(target));
    await fs.rename(file, target);
    this.#quarantined.push(target);
    await this.#fault('storage/corrupt', `${path.relative(layout.root, file)} ${reason}`);
  }

  async #fault(code: string, what: string, error?: unknown): Promise<void> {
    const detail = error === undefined ? what : `${what}: ${messageOf(error)}`;
    this.#ctx.log.warn({ code }, detail);
    await this.#log.append({ type: 'fault', code, detail: detail.slice(0, 500) });
  }
}

export const rowOf = (
  ref: SegmentRef,
  envelope: Envelope,
  manifest: Manifest,
): Parameters<Catalog['add']>[0] => ({
  ref,
  bytes: manifest.file.size,
  ending: manifest.end,
  manifest: formatEnvelopeFile(envelope).trimEnd(),
  digest: payloadDigest(envelope),
});

function headLengthOf(prefix: Buffer): number | undefined {
  try {
    return headLength(prefix);
  } catch (error) {
    if (error instanceof CameraError) return undefined;
    throw error;
  }
}

/** Root over the first 1, 2, … leaves, in hex: what a head of that size must say. */
function rootsOf(hashes: readonly Buffer[]): readonly string[] {
  const tree = new Frontier();
  return hashes.map((hash) => {
    tree.push(hash);
    return tree.root().toString('hex');
  });
}

function tryOpenHead(line: string, key: Buffer): { head: Head; digest: string } | undefined {
  if (line === '') return undefined;
  try {
    const envelope = parseEnvelope(line);
    return { head: openHead(envelope, key), digest: payloadDigest(envelope) };
  } catch (error) {
    // A torn line is what a cut leaves behind; the head before it counts.
    if (error instanceof CameraError) return undefined;
    throw error;
  }
}
