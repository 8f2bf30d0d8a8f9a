import { isCameraError } from '../../errors.js';
import { parseEnvelope } from '../../evidence/dsse.js';
import { openHead } from '../../evidence/head.js';
import { HASH_BYTES, rootOfLeaves, sha256Hex } from '../../evidence/merkle-tree.js';
import { sameSegment } from '../../units.js';
import type { AttachmentKind, AttachmentPart, LeavesPart } from '../binary-messages.js';
import type { AdmittedSegment } from './admission.js';
import { PartAssembler } from './part-assembler.js';

/** The small files of a segment, proved. */
export interface ListedSegment {
  /** Root equals that of the manifest. */
  readonly leaves: Buffer;
  /** Digest equals that of the manifest; undefined when it names none. */
  readonly meta: Buffer | undefined;
  /** Whole lines, each a head of this segment by the session key of its boot. Empty when there are none. */
  readonly heads: Buffer;
}

/** What a part did. `refused`: out of place or for nothing asked. `wrong`: the whole is not what was promised. */
export type PartOutcome = 'taken' | 'refused' | 'wrong';

/**
 * Collects leaf list and attachments of one segment until all are proved. What is proved stays over later wants; what
 * is not starts again with each.
 */
export class Listing {
  readonly #segment: AdmittedSegment;
  #parts = new Map<'leaves' | AttachmentKind, PartAssembler>();
  #leaves: Buffer | undefined;
  #meta: Buffer | undefined;
  #heads: Buffer | undefined;
  /** Lines of the heads file that were left out. */
  droppedHeads = 0;

  constructor(segment: AdmittedSegment) {
    this.#segment = segment;
  }

  /** What still has to be asked for. */
  get missing(): Readonly<Record<'leaves' | AttachmentKind, boolean>> {
    return {
      leaves: this.#leaves === undefined,
      meta: this.#segment.manifest.meta !== null && this.#meta === undefined,
      heads: this.#heads === undefined,
    };
  }

  /** Everything, once nothing is missing. */
  get proved(): ListedSegment | undefined {
    const { leaves, meta, heads } = this.missing;
    if (leaves || meta || heads) return undefined;
    if (this.#leaves === undefined || this.#heads === undefined) return undefined;
    return { leaves: this.#leaves, meta: this.#meta, heads: this.#heads };
  }

  /** Forgets unfinished parts: a new want has been sent. */
  restart(): void {
    this.#parts = new Map();
  }

  addLeaves({ first, hashes }: LeavesPart): PartOutcome {
    const { file } = this.#segment.manifest;
    const total = file.n * HASH_BYTES;
    const { isTaken, whole } = this.#add('leaves', total, first * HASH_BYTES, hashes);
    if (!isTaken) return 'refused';
    if (whole === undefined) return 'taken';
    if (rootOfLeaves(whole).toString('hex') !== file.root) return 'wrong';
    this.#leaves = whole;
    return 'taken';
  }

  addAttachment({ kind, offset, total, bytes }: AttachmentPart): PartOutcome {
    const { isTaken, whole } = this.#add(kind, total, offset, bytes);
    if (!isTaken) return 'refused';
    if (whole === undefined) return 'taken';
    if (kind === 'heads') {
      this.#heads = this.#validHeads(whole);
      return 'taken';
    }
    if (sha256Hex(whole) !== this.#segment.manifest.meta) return 'wrong';
    this.#meta = whole;
    return 'taken';
  }

  /** The whole is handed over once and its parts are dropped, so that a wrong one can be sent again. */
  #add(
    name: 'leaves' | AttachmentKind,
    total: number,
    offset: number,
    bytes: Buffer,
  ): { isTaken: boolean; whole?: Buffer | undefined } {
    if (!this.missing[name]) return { isTaken: false };
    const known = this.#parts.get(name);
    const assembler = known?.total === total ? known : new PartAssembler(total);
    this.#parts.set(name, assembler);
    if (!assembler.push(offset, bytes)) return { isTaken: false };
    const { whole } = assembler;
    if (whole !== undefined) this.#parts.delete(name);
    return { isTaken: true, whole };
  }

  /**
   * The lines that are heads of this segment. Heads are no part of the manifest and their last line may be torn by a
   * power cut, so a line that is none is left out rather than the segment refused.
   */
  #validHeads(bytes: Buffer): Buffer {
    const lines = bytes.toString('utf8').split('\n');
    const valid = lines.filter((line) => this.#isHead(line));
    this.droppedHeads = lines.filter((line) => line !== '').length - valid.length;
    return Buffer.from(valid.map((line) => `${line}\n`).join(''), 'utf8');
  }

  #isHead(line: string): boolean {
    const { device, ref, headsPublicKey } = this.#segment;
    if (line === '' || headsPublicKey === undefined) return false;
    try {
      const head = openHead(parseEnvelope(line), headsPublicKey);
      return head.device === device && sameSegment(head, ref);
    } catch (error) {
      if (isCameraError(error)) return false;
      throw error;
    }
  }
}
