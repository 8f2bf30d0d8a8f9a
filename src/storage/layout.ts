import path from 'node:path';
import type { SegmentRef } from '../units.js';

/** What a segment consists of on the card, by the end of its file name. */
export const SEGMENT_FILES = ['.age', '.leaves', '.heads', '.meta.age', '.dsse'] as const;
export type SegmentFile = (typeof SEGMENT_FILES)[number];

/**
 * Names on the evidence card. They hold counters only: whoever finds the card learns no time, place or name from them.
 * `<card>/ev/<boot>/<rec>/<seq>.*`, `<card>/ev/<boot>/session.dsse`, `<card>/quarantine/…`, `<card>/lapel.db`, `<card>/probe`.
 */
export class CardLayout {
  readonly root: string;

  constructor(card: string) {
    this.root = card;
  }

  get evidence(): string {
    return path.join(this.root, 'ev');
  }

  get quarantine(): string {
    return path.join(this.root, 'quarantine');
  }

  get database(): string {
    return path.join(this.root, 'lapel.db');
  }

  /** How the device came to its present key: a rotation a line. Not there as long as it has its first one. */
  get rotations(): string {
    return path.join(this.root, 'rotations.dsse');
  }

  /** What the camera writes to see whether a card that failed takes anything again. */
  get probe(): string {
    return path.join(this.root, 'probe');
  }

  boot(boot: number): string {
    return path.join(this.evidence, String(boot));
  }

  /** The certificate of the key that signs everything of this boot. */
  sessionCertificate(boot: number): string {
    return path.join(this.boot(boot), 'session.dsse');
  }

  recording(boot: number, rec: number): string {
    return path.join(this.boot(boot), String(rec));
  }

  segment({ boot, rec, seq }: SegmentRef, file: SegmentFile): string {
    return path.join(this.recording(boot, rec), `${seq}${file}`);
  }
}

const COUNTER = /^(?:0|[1-9]\d{0,9})$/;

/** The number a directory name stands for, or undefined when it is not one of ours. */
export const parseCounter = (name: string): number | undefined =>
  COUNTER.test(name) ? Number(name) : undefined;

/** Splits a file name of a recording's directory; undefined when the name is not one of ours. */
export function parseSegmentFile(name: string): { seq: number; file: SegmentFile } | undefined {
  const dot = name.indexOf('.');
  const seq = parseCounter(name.slice(0, Math.max(dot, 0)));
  const file = SEGMENT_FILES.find((end) => end === name.slice(dot));
  return seq === undefined || file === undefined ? undefined : { seq, file };
}
