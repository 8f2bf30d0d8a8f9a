import { LEAF_BYTES } from '../evidence/age-container.js';
import { headLength } from '../evidence/age-header.js';
import { formatEnvelopeFile, payloadDigest } from '../evidence/dsse.js';
import { readManifest, sealManifest } from '../evidence/manifest.js';
import type { Manifest } from '../evidence/manifest.js';
import { HASH_BYTES, leafCount, rootOfLeaves, sha256Hex } from '../evidence/merkle-tree.js';
import { isCameraError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { formatSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';
import type { BootContext } from './boot.js';
import type { Catalog } from './catalog.js';
import {
  LEAVES_MAX,
  findSignedPrefix,
  formatHeadLines,
  readWholeLeaves,
  wholeHeadLines,
} from './cut-segment.js';
import type { SignedPrefix, WholeLeaves } from './cut-segment.js';
import type { DeviceLog } from './device-log.js';
import type { SegmentFile } from './layout.js';
import type { Quarantine } from './quarantine.js';
import { enterSealed } from './sealed-segments.js';

/** As many lines as a verifier reads, two a second for half an hour, of about 1 kB each. */
const HEADS_BYTES_MAX = 4 * 1024 * 1024;
/** Marks and positions of five minutes are a few kB. */
const META_BYTES_MAX = 16 * 1024 * 1024;

/** Where a segment stands in its recording. */
export interface Place {
  /** Digest of the manifest before it; zeros when there is none. */
  readonly previous: string;
  /** True when no segment follows. */
  readonly isLast: boolean;
}

/**
 * Seals one segment that a power cut left open. What is whole is counted, what was signed is found, and a manifest
 * with `end: power-loss` by the session key of the present boot states both.
 *
 * INVARIANTS
 * 1. The ciphertext is never changed.
 * 2. What no head by the key of its boot vouches for is not sealed: whoever can write the card could have put it there,
 *    and the signature of this boot would make it the camera's own.
 * 3. A list that does not fit what is left (`.leaves`, the last line of `.heads`) is replaced by what does; its former
 *    content is in quarantine before that.
 * 4. Cut at any step, the next recovery comes to the same end.
 */
export class SegmentRecovery {
  readonly #ctx: BootContext;
  readonly #catalog: Catalog;
  readonly #log: DeviceLog;
  readonly #quarantine: Quarantine;

  constructor(ctx: BootContext, catalog: Catalog, log: DeviceLog, quarantine: Quarantine) {
    this.#ctx = ctx;
    this.#catalog = catalog;
    this.#log = log;
    this.#quarantine = quarantine;
  }

  /**
   * `files` are those that the segment has, `sessionKey` the key of its boot when that is known. Returns the digest of
   * the new manifest, or undefined when the cut came before the first whole chunk or no valid head covers anything of
   * it: the files are in quarantine then, and that is told.
   */
  async recover(
    ref: SegmentRef,
    files: ReadonlySet<SegmentFile>,
    place: Place,
    sessionKey: Buffer | undefined,
  ): Promise<string | undefined> {
    // Step 7: what is there, and what is signed of it.
    const list = await this.#start(ref, '.leaves', LEAVES_MAX * HASH_BYTES);
    const whole = files.has('.age') ? await this.#wholeLeaves(ref, list) : undefined;
    if (whole === undefined || leafCount(whole.hashes) < 2) {
      const reason = 'was cut before its first whole chunk';
      await this.#putAside(ref, files, 'storage/power-loss', reason);
      return undefined;
    }
    const heads = await this.#start(ref, '.heads', HEADS_BYTES_MAX);
    const lines = wholeHeadLines(heads);
    const prefix = await this.#signedPrefix(ref, lines, whole, sessionKey);
    if (prefix?.newest === undefined) {
      // A cut can come before the first head is written; it does not write heads that are not valid.
      const code = lines.length === 0 ? 'storage/power-loss' : 'storage/corrupt';
      await this.#putAside(ref, files, code, 'has no valid head by the key of its boot');
      return undefined;
    }
    // Step 9. Until the manifest is there, the next start begins again at step 7.
    await this.#dropTornHead(ref, heads, lines);
    await this.#completeLeafList(ref, list, whole, prefix);
    const meta = files.has('.meta.age') ? await this.#meta(ref) : null;
    const manifest = this.#manifest(ref, whole, prefix, place, meta);
    const envelope = sealManifest(manifest, this.#ctx.identity.signer);
    await this.#ctx.fs.writeAtomic(
      this.#path(ref, '.dsse'),
      Buffer.from(formatEnvelopeFile(envelope)),
    );
    await enterSealed(this.#log, this.#catalog, envelope, readManifest(envelope));
    return payloadDigest(envelope);
  }

  #path(ref: SegmentRef, file: SegmentFile): string {
    return this.#ctx.layout.segment(ref, file);
  }

  /** A file up to a limit: what is longer than that is no work of ours. Empty when there is none. */
  async #start(ref: SegmentRef, end: SegmentFile, bytesMax: number): Promise<Buffer> {
    const { fs } = this.#ctx;
    const name = this.#path(ref, end);
    if (!(await fs.exists(name))) return Buffer.alloc(0);
    const file = await fs.openReadable(name);
    try {
      const bytes = Buffer.alloc(Math.min(file.size, bytesMax));
      return bytes.subarray(0, await file.readInto(bytes, 0, bytes.length, 0));
    } finally {
      await file.close();
    }
  }

  async #wholeLeaves(ref: SegmentRef, list: Buffer): Promise<WholeLeaves | undefined> {
    const file = await this.#ctx.fs.openReadable(this.#path(ref, '.age'));
    try {
      return await readWholeLeaves(file, list);
    } finally {
      await file.close();
    }
  }

  /** Step 8. Moves the files of a segment that is not sealed. */
  async #putAside(
    ref: SegmentRef,
    files: ReadonlySet<SegmentFile>,
    code: ErrorCode,
    reason: string,
  ): Promise<void> {
    for (const file of files) await this.#quarantine.move(this.#path(ref, file), code, reason);
  }

  /** Finds the signed prefix and tells when newer heads contradict the card. Undefined when there is no key. */
  async #signedPrefix(
    ref: SegmentRef,
    lines: readonly string[],
    whole: WholeLeaves,
    sessionKey: Buffer | undefined,
  ): Promise<SignedPrefix | undefined> {
    if (sessionKey === undefined) return undefined;
    const prefix = findSignedPrefix(lines, ref, sessionKey, whole.hashes);
    if (prefix.contradictions.length > 0) {
      const what = `${formatSegmentRef(ref)}: ${prefix.contradictions.length} signed heads do not fit the card`;
      await this.#quarantine.tell('storage/corrupt', what);
    }
    return prefix;
  }

  /** Takes what a cut has left of the last line off the list. */
  async #dropTornHead(ref: SegmentRef, content: Buffer, lines: readonly string[]): Promise<void> {
    const kept = formatHeadLines(lines);
    const isAllRead = content.length < HEADS_BYTES_MAX;
    if (!isAllRead || kept.equals(content)) return;
    const file = this.#path(ref, '.heads');
    await this.#quarantine.keep(file, content, 'storage/power-loss', 'ended inside a line');
    await this.#ctx.fs.writeAtomic(file, kept);
  }

  /** The list of a sealed segment is complete and lists nothing else. */
  async #completeLeafList(
    ref: SegmentRef,
    list: Buffer,
    { hashes }: WholeLeaves,
    prefix: SignedPrefix,
  ): Promise<void> {
    if (list.equals(hashes)) return;
    const file = this.#path(ref, '.leaves');
    const same = commonStart(list, hashes);
    if (list.length === LEAVES_MAX * HASH_BYTES) {
      await this.#quarantine.move(file, 'storage/corrupt', 'is longer than any list');
    } else if (same < list.length) {
      // After the signed prefix a list may be ahead of the ciphertext or have lost a page; within it, it may not.
      const isCut = same >= (prefix.newest?.head.n ?? 0) * HASH_BYTES;
      const code = isCut ? 'storage/power-loss' : 'storage/corrupt';
      await this.#quarantine.keep(file, list, code, 'lists leaves that are not on the card');
    }
    await this.#ctx.fs.writeAtomic(file, hashes);
  }

  /** Digest of the sealed metadata, when the cut came between it and the manifest. Marks must not get lost. */
  async #meta(ref: SegmentRef): Promise<string | null> {
    const file = this.#path(ref, '.meta.age');
    const bytes = await this.#start(ref, '.meta.age', META_BYTES_MAX);
    if (bytes.length < META_BYTES_MAX && isAge(bytes)) return sha256Hex(bytes);
    await this.#quarantine.move(file, 'storage/power-loss', 'was cut before it was complete');
    return null;
  }

  #manifest(
    ref: SegmentRef,
    { hashes, head, size }: WholeLeaves,
    { newest, first }: SignedPrefix,
    { previous, isLast }: Place,
    meta: string | null,
  ): Omit<Manifest, 'v' | 'type'> {
    const { identity } = this.#ctx;
    const n = leafCount(hashes);
    const signed = newest?.head.n ?? 0;
    const unknown = { codec: '', width: 0, height: 0, run: 0, start90k: 0, gap_before_ms: 0 };
    const endMono = newest?.head.mono ?? 0;
    return {
      device: identity.device,
      key: identity.signer.keyId,
      sealed_by: identity.boot,
      ...ref,
      last: isLast,
      prev: previous,
      file: { size, head, leaf: LEAF_BYTES, n, root: rootOfLeaves(hashes).toString('hex') },
      plain: null,
      meta,
      media: {
        ...(first?.opening?.media ?? unknown),
        duration90k: newest?.head.duration90k ?? 0,
        frames: newest?.head.frames ?? 0,
      },
      fragments: [],
      pre_event: ref.seq === 0 ? (first?.opening?.pre_event ?? null) : null,
      end: 'power-loss',
      recovered: { signed, tail: n - signed, head: newest?.digest ?? null },
      mono: [Math.min(first?.mono ?? endMono, endMono), endMono],
      // The wall time of the recording was in its metadata; of this boot nothing is known about it.
      time: { source: 'unset', uncertainty_ms: 0 },
      cfg: identity.configDigest,
      fw: identity.firmwareDigest,
    };
  }
}

/** How many bytes the two have in common from the start. */
function commonStart(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  let at = 0;
  while (at < length && a[at] === b[at]) at += 1;
  return at;
}

function isAge(bytes: Buffer): boolean {
  try {
    return headLength(bytes) <= bytes.length;
  } catch (error) {
    if (isCameraError(error)) return false;
    throw error;
  }
}
