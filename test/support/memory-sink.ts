import type {
  OpenSegment,
  PlacedFragment,
  RecordingSink,
  SegmentClosing,
  SegmentOpening,
} from '../../src/capture/ports.js';

export interface MemorySegment {
  readonly opening: SegmentOpening;
  readonly fragments: PlacedFragment[];
  closing: SegmentClosing | undefined;
  isAbandoned: boolean;
}

/** Where a test makes the storage slow or broken. Each is called before the step and may wait or reject. */
export interface SinkHooks {
  begin?: () => Promise<void>;
  open?: (opening: SegmentOpening) => Promise<void>;
  append?: (fragment: PlacedFragment) => Promise<void>;
  seal?: (closing: SegmentClosing) => Promise<void>;
}

/** A storage in memory that keeps recordings as the card would, and fails the test that breaks the contract. */
export class MemorySink implements RecordingSink {
  readonly segments: MemorySegment[] = [];
  readonly hooks: SinkHooks = {};
  recordings = 0;

  async beginRecording(): Promise<number> {
    await this.hooks.begin?.();
    this.recordings += 1;
    return this.recordings;
  }

  async openSegment(opening: SegmentOpening): Promise<OpenSegment> {
    await this.hooks.open?.(opening);
    const expected = this.of(opening.rec).length;
    if (opening.seq !== expected) throw new Error(`segment ${opening.seq} for ${expected}`);
    const segment: MemorySegment = {
      opening,
      fragments: [],
      closing: undefined,
      isAbandoned: false,
    };
    this.segments.push(segment);
    const requireOpen = (): void => {
      if (segment.closing || segment.isAbandoned) throw new Error('the segment is closed');
    };
    return {
      append: async (fragment) => {
        requireOpen();
        segment.fragments.push(fragment);
        await this.hooks.append?.(fragment);
      },
      seal: async (closing) => {
        requireOpen();
        await this.hooks.seal?.(closing);
        segment.closing = closing;
      },
      abandon: () => {
        segment.isAbandoned = true;
        return Promise.resolve();
      },
    };
  }

  /** The segments of a recording, in order. */
  of(rec: number): MemorySegment[] {
    return this.segments.filter((segment) => segment.opening.rec === rec);
  }

  /** The plaintext of a segment as the card holds it. */
  bytesOf({ opening, fragments }: MemorySegment): Buffer {
    return Buffer.concat([opening.init, ...fragments.flatMap((fragment) => fragment.parts)]);
  }
}
