import { parseEnvelope, parseEnvelopeFile, payloadDigest } from '../evidence/dsse.js';
import { readManifest } from '../evidence/manifest.js';
import { openReceipt } from '../evidence/receipt.js';
import type { Receipt } from '../evidence/receipt.js';
import { CameraError, hasErrorCode } from '../errors.js';
import type { FileRemover } from '../hal/ports/file-remover.js';
import { formatSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';
import type { BootContext } from './boot.js';
import type { CatalogRow } from './catalog.js';
import type { SegmentFile } from './layout.js';

/** What must be handed in for a card to be able to delete; without it nothing ever is. */
export type RemovalRight = FileRemover;

/** A receiver whose receipts count. */
export interface TrustedReceiver {
  readonly rx: string;
  /** Raw Ed25519 key of its receipts, 32 bytes. */
  readonly publicKey: Buffer;
}

const ENVELOPE_BYTES_MAX = 128 * 1024;

/**
 * The files of a segment but its ciphertext, in the order in which they go: the manifest last, so that what is left of a
 * deletion never looks like a segment that a power cut has left open.
 */
const AFTER_THE_CIPHERTEXT: readonly SegmentFile[] = ['.leaves', '.heads', '.meta.age', '.dsse'];

/**
 * The only file of this program that deletes evidence: the five files of a sealed segment for whose ciphertext a
 * receiver that the camera trusts has signed. It takes a row of the catalog and never a path.
 *
 * INVARIANTS
 * 1. Nothing goes without `check` in the same call, unless its ciphertext is gone already.
 * 2. The ciphertext is durably gone before anything else of the segment goes, the manifest goes last.
 * 3. Each call can be repeated, and comes to the same end after a cut at any step.
 */
export class Deletion {
  readonly #remover: FileRemover;
  readonly #ctx: Pick<BootContext, 'fs' | 'layout' | 'identity'>;
  readonly #receivers: readonly TrustedReceiver[];

  constructor(
    remover: FileRemover,
    ctx: Pick<BootContext, 'fs' | 'layout' | 'identity'>,
    receivers: readonly TrustedReceiver[],
  ) {
    this.#remover = remover;
    this.#ctx = ctx;
    this.#receivers = receivers;
  }

  /**
   * The receipt that covers this segment: signed by a trusted receiver under its own name, for this camera, this
   * segment, the digest of its manifest and the root and size of its ciphertext; and the card has that very manifest and
   * a ciphertext of that size. Rejects with `evidence/bad-signature` when any of that is not so, with
   * `evidence/malformed` for what is no document, with the errors of the file system.
   */
  async check(row: CatalogRow): Promise<Receipt> {
    const name = formatSegmentRef(row.ref);
    const receipt = this.#openReceipt(row, name);
    const manifest = parseEnvelope(row.manifest);
    const { device, boot, rec, seq, file } = readManifest(manifest);
    const isCovered =
      payloadDigest(manifest) === row.digest &&
      formatSegmentRef({ boot, rec, seq }) === name &&
      device === this.#ctx.identity.device &&
      receipt.device === device &&
      receipt.seg === name &&
      receipt.man === row.digest &&
      receipt.root === file.root &&
      receipt.size === file.size;
    if (!isCovered) throw unsound(`the receipt of ${name} is for something else`);
    if (!(await this.#isOnCard(row, file.size))) {
      throw unsound(`the files of ${name} are not those that the receipt is for`);
    }
    return receipt;
  }

  /** Whether the ciphertext is gone: a deletion that was cut, and whose rest is of no use to anybody. */
  async hasBegun({ ref }: { readonly ref: SegmentRef }): Promise<boolean> {
    return !(await this.#ctx.fs.exists(this.#ctx.layout.segment(ref, '.age')));
  }

  /** No file of the segment is left when it resolves, durably. Rejects like `check` and `FileRemover`. */
  async remove(row: CatalogRow): Promise<void> {
    if (!(await this.hasBegun(row))) await this.check(row);
    const { layout } = this.#ctx;
    if (!(await this.#ctx.fs.exists(layout.recording(row.ref.boot, row.ref.rec)))) return;
    await this.#remover.removeFiles([layout.segment(row.ref, '.age')]);
    await this.#remover.removeFiles(
      AFTER_THE_CIPHERTEXT.map((end) => layout.segment(row.ref, end)),
    );
  }

  #openReceipt({ receipt }: CatalogRow, name: string): Receipt {
    if (receipt === undefined) throw unsound(`${name} has no receipt`);
    const envelope = parseEnvelope(receipt);
    for (const { rx, publicKey } of this.#receivers) {
      try {
        const opened = openReceipt(envelope, publicKey);
        if (opened.rx === rx) return opened;
      } catch (error) {
        // Another trusted key may still open it.
        if (!hasErrorCode(error, 'evidence/bad-signature')) throw error;
      }
    }
    throw unsound(`no receiver of the configuration has signed the receipt of ${name}`);
  }

  async #isOnCard({ ref, digest }: CatalogRow, size: number): Promise<boolean> {
    const { fs, layout } = this.#ctx;
    const text = await fs.readFile(layout.segment(ref, '.dsse'), ENVELOPE_BYTES_MAX);
    if (payloadDigest(parseEnvelopeFile(text.toString('utf8'))) !== digest) return false;
    return (await fs.size(layout.segment(ref, '.age'))) === size;
  }
}

const unsound = (message: string): CameraError =>
  new CameraError('evidence/bad-signature', message);
