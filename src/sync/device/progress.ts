/** How far the hand-over of one stay in the dock has come. Ciphertext bytes; nothing is done without its receipt. */
export interface DockProgress {
  readonly segmentsDone: number;
  readonly segmentsTotal: number;
  /** Bytes with a receipt, and of the segment on its way those that were sent. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** A person sees no difference below this, and a report per chunk would be 3,000 a second. */
const REPORT_BYTES = 1024 * 1024;

/** Adds up what happened in the dock and reports it: after every receipt, every look at the catalog, every MiB. */
export class ProgressMeter {
  readonly #report: (progress: DockProgress) => void;
  #done = { segments: 0, bytes: 0 };
  #left = { segments: 0, bytes: 0 };
  #underWay = 0;
  #reportedBytes = 0;

  constructor(report: (progress: DockProgress) => void) {
    this.#report = report;
  }

  /** What has no receipt now; the segment on its way included. */
  backlog(left: { readonly segments: number; readonly bytes: number }): void {
    this.#left = left;
    this.#emit();
  }

  /** Bytes of the segment on its way that the receiver holds or that were sent. */
  sent(bytes: number): void {
    this.#underWay = bytes;
    if (Math.abs(this.#bytesDone - this.#reportedBytes) >= REPORT_BYTES) this.#emit();
  }

  /** A segment of so many bytes has its receipt. */
  receipted(bytes: number): void {
    this.#done = { segments: this.#done.segments + 1, bytes: this.#done.bytes + bytes };
    this.#left = {
      segments: Math.max(0, this.#left.segments - 1),
      bytes: Math.max(0, this.#left.bytes - bytes),
    };
    this.#underWay = 0;
    this.#emit();
  }

  get #bytesDone(): number {
    return this.#done.bytes + Math.min(this.#underWay, this.#left.bytes);
  }

  #emit(): void {
    this.#reportedBytes = this.#bytesDone;
    this.#report({
      segmentsDone: this.#done.segments,
      segmentsTotal: this.#done.segments + this.#left.segments,
      bytesDone: this.#reportedBytes,
      bytesTotal: this.#done.bytes + this.#left.bytes,
    });
  }
}
