import type { DiskRequest } from './write-log.js';

/**
 * What of the writes since the last flush is on the disk after the cut:
 * `prefix` all of them; `subset` any of them, 4 KiB by 4 KiB; `torn` all, the last one up to a sector.
 */
export const CUT_MODES = ['prefix', 'subset', 'torn'] as const;
export type CutMode = (typeof CUT_MODES)[number];

const SECTOR_BYTES = 512;
/** What a disk writes at a time or not at all, as far as anybody promises. */
const PAGE_BYTES = 4096;

/** Index of the last request of each cut, ascending. Torn ones end with a write. */
export function chooseCuts(
  requests: readonly DiskRequest[],
  mode: CutMode,
  count: number,
  random: () => number,
): readonly number[] {
  const begin = beginOf(requests);
  const candidates = requests.flatMap(({ kind }, index) =>
    index >= begin && (mode !== 'torn' || kind === 'write') ? [index] : [],
  );
  const chosen = new Set<number>();
  while (chosen.size < Math.min(count, candidates.length)) {
    chosen.add(candidates[Math.floor(random() * candidates.length)] ?? 0);
  }
  // A short log has fewer requests than cuts: the same moment then loses other writes.
  const cuts = [...chosen];
  while (cuts.length < count) cuts.push(candidates[Math.floor(random() * candidates.length)] ?? 0);
  return cuts.sort((a, b) => a - b);
}

/**
 * Disks as they are after power cuts at later and later moments of a log. `ignoresFlushes` is a disk that lies: a control
 * that has to lose what was acknowledged.
 */
export class CrashDisk {
  readonly #requests: readonly DiskRequest[];
  /** Everything up to the last flush that was passed. */
  readonly #durable: Buffer;
  /** The disk of the newest cut: as large as a card, so there is one. */
  readonly #disk: Buffer;
  readonly #ignoresFlushes: boolean;
  #applied = 0;

  constructor(base: Buffer, requests: readonly DiskRequest[], ignoresFlushes = false) {
    this.#durable = Buffer.from(base);
    this.#disk = Buffer.alloc(base.length);
    this.#requests = requests;
    this.#ignoresFlushes = ignoresFlushes;
  }

  /**
   * The disk after a cut right behind request `cut`, which is never before that of the call before. It is valid until the
   * next call.
   */
  after(cut: number, mode: CutMode, random: () => number): Buffer {
    const flushed = this.#ignoresFlushes ? beginOf(this.#requests) : this.#lastFlush(cut);
    for (; this.#applied <= flushed; this.#applied += 1) {
      const request = this.#requests[this.#applied];
      if (request?.kind === 'write') request.data.copy(this.#durable, request.offset);
    }
    const disk = this.#disk;
    this.#durable.copy(disk);
    for (let index = this.#applied; index <= cut; index += 1) {
      const request = this.#requests[index];
      if (request?.kind !== 'write') continue;
      const { data, offset } = request;
      if (mode === 'subset') copySome(data, disk, offset, random);
      else if (mode === 'torn' && index === cut) torn(data, random).copy(disk, offset);
      else data.copy(disk, offset);
    }
    return disk;
  }

  #lastFlush(cut: number): number {
    for (let index = cut; index >= 0; index -= 1) {
      if (this.#requests[index]?.kind === 'flush') return index;
    }
    return -1;
  }
}

const beginOf = (requests: readonly DiskRequest[]): number =>
  requests.findIndex((request) => request.kind === 'mark' && request.said.said === 'begin');

function copySome(data: Buffer, disk: Buffer, offset: number, random: () => number): void {
  for (let at = 0; at < data.length; at += PAGE_BYTES) {
    if (random() < 0.5) continue;
    data.copy(disk, offset + at, at, Math.min(at + PAGE_BYTES, data.length));
  }
}

/** The first sectors of a write: at least one less than all. */
function torn(data: Buffer, random: () => number): Buffer {
  const sectors = data.length / SECTOR_BYTES;
  return data.subarray(0, Math.floor(random() * sectors) * SECTOR_BYTES);
}
