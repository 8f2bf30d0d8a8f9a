import type { Envelope } from '../evidence/dsse.js';
import type { MetadataLine } from '../evidence/metadata.js';
import type { Manifest } from '../evidence/manifest.js';
import type { SegmentRef } from '../units.js';

// What storage is told of a segment and says of it. Capture declares the same shapes for itself.

/** Facts known when a segment opens; capture's `SegmentOpening` fits it. */
export interface SegmentFacts {
  readonly rec: number;
  readonly seq: number;
  readonly run: number;
  readonly format: { readonly avcC: Buffer; readonly width: number; readonly height: number };
  readonly init: Buffer;
  readonly start90k: number;
  /** When its first picture arrived, on the monotonic clock; what it has of the recording before it, in milliseconds. */
  readonly startedAt?: number;
  readonly mediaMs?: number;
  readonly gapBeforeMs: number;
  /** How players turn its pictures, in degrees. */
  readonly rotation?: 0 | 180;
  readonly preEvent?: {
    readonly askedMs: number;
    readonly gotMs: number;
    readonly reason: NonNullable<Manifest['pre_event']>['reason'];
  };
  readonly trigger?: NonNullable<Manifest['trigger']>;
}

/** One fragment, placed in its segment; capture's `PlacedFragment` fits it. */
export interface MediaPiece {
  readonly parts: readonly Buffer[];
  readonly offset90k: number;
  readonly duration90k: number;
  readonly frames: number;
}

/** How a segment ends; capture's `SegmentClosing` fits it. */
export interface SegmentEnding {
  readonly end: 'normal' | 'storage-full' | 'stall';
  readonly isLast: boolean;
  readonly marks: readonly { readonly at: number; readonly mediaMs: number }[];
  /** Where the sound was replaced by silence, in milliseconds of the recording. */
  readonly audio?: readonly {
    readonly kind: 'mute' | 'audio-lost';
    readonly fromMs: number;
    readonly toMs: number;
  }[];
}

/** What a segment covers: from and to on the monotonic clock, and where it starts in its recording. */
export interface SegmentSpan {
  readonly rec: number;
  readonly from: number;
  readonly to: number;
  readonly mediaMs: number;
  readonly isLast: boolean;
  /** How players turn its pictures, in degrees; 0 when it is left out. */
  readonly rotation?: 0 | 180;
}

/** Who knows what else is to be sealed with a segment. */
export interface MetadataSource {
  /** Lines about a segment that ends now. */
  linesFor(span: SegmentSpan): readonly MetadataLine[];
}

/** A sealed segment, durable with its manifest. */
export interface SealedSegment {
  readonly ref: SegmentRef;
  readonly bytes: number;
  readonly ending: string;
  readonly envelope: Envelope;
  readonly digest: string;
  /** Whether the wearer marked something in it. */
  readonly isMarked: boolean;
}
