import type { Manifest } from '../evidence/manifest.js';
import type { MetadataLine } from '../evidence/metadata.js';
import { wallTimeAt } from '../timekeeping.js';
import type { TimeAnchor } from '../timekeeping.js';
import type { WallTime } from '../clock.js';
import { monotonicMs } from '../units.js';
import type { SegmentRef } from '../units.js';

// What happened in an exported recording, in the time of its MP4. Pure.

/** Something at a moment. */
export type MomentKind = 'trigger' | 'mark';
/** Something that lasted: withheld, lost, or not there. */
export type SpanKind = 'mute' | 'audio-lost' | 'stealth' | 'sleep' | 'gap';

export interface TimelineEvent {
  readonly kind: MomentKind | SpanKind;
  readonly fromMs: number;
  /** The same as `fromMs` for a moment. */
  readonly toMs: number;
  /** In plain words, without the time. May hold names from the metadata: escape it. */
  readonly what: string;
}

/** One exported segment, in order. */
export interface TimelineSegment {
  readonly ref: SegmentRef;
  readonly manifest: Manifest | undefined;
  readonly lines: readonly MetadataLine[];
  readonly offsetMs: number;
  /** Of its pictures; 0 for a segment of which there are none. */
  readonly durationMs: number;
}

export interface Timeline {
  readonly durationMs: number;
  /** By time. */
  readonly events: readonly TimelineEvent[];
  readonly wearer: string | undefined;
  readonly mount: string | undefined;
  /** The surest wall time of a moment of the MP4; undefined where nobody knows it. */
  wallAt(ms: number): WallTime | undefined;
}

/** Less than a picture at 15 a second is a rounding and no gap. */
const GAP_MS_MIN = 60;

const CAUSES: Readonly<Record<NonNullable<Manifest['trigger']>, string>> = {
  press: 'recording started by a press of the button',
  fall: 'recording started by a fall',
  command: 'recording started by a signed command',
  peer: 'recording started because another camera did',
  roll: 'recording goes on from the one before it',
};

const SPAN_WORDS: Readonly<Record<Exclude<SpanKind, 'gap'>, string>> = {
  mute: 'sound muted by the wearer',
  'audio-lost': 'no sound: the microphone gave none',
  stealth: 'lights, motor and tones off',
  sleep: 'the camera was asleep',
};

type Line<T extends MetadataLine['type']> = Extract<MetadataLine, { type: T }>;
const ofType = <T extends MetadataLine['type']>(
  lines: readonly MetadataLine[],
  type: T,
): Line<T>[] => lines.filter((line): line is Line<T> => line.type === type);

/** `anchors` are all wall times known of the boot. */
export function makeTimeline(
  segments: readonly TimelineSegment[],
  anchors: readonly TimeAnchor[],
): Timeline {
  const shown = segments.filter(({ durationMs }) => durationMs > 0);
  const durationMs = Math.max(0, ...shown.map((segment) => segment.offsetMs + segment.durationMs));
  const [facts] = shown.flatMap(({ lines }) => ofType(lines, 'facts'));
  const cause = shown.find(({ manifest }) => manifest?.trigger !== undefined)?.manifest?.trigger;
  const events = [...shown.flatMap((segment) => eventsOf(segment, shown, cause)), ...gapsOf(shown)];
  return {
    durationMs,
    events: events.sort((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs),
    wearer: facts?.wearer ?? undefined,
    mount: facts?.mount ?? undefined,
    wallAt(ms) {
      const segment = shown.findLast(({ offsetMs }) => offsetMs <= ms) ?? shown[0];
      const [start] = ofType(segment?.lines ?? [], 'start');
      if (segment === undefined || start === undefined) return undefined;
      const wall = wallTimeAt(anchors, monotonicMs(start.mono + ms - segment.offsetMs));
      return wall?.source === 'unset' ? undefined : wall;
    },
  };
}

function eventsOf(
  segment: TimelineSegment,
  all: readonly TimelineSegment[],
  cause: Manifest['trigger'],
): TimelineEvent[] {
  const { lines, offsetMs, durationMs } = segment;
  const [start] = ofType(lines, 'start');
  if (start === undefined) return [];
  const place = (fromStartMs: number): number =>
    offsetMs + Math.min(Math.max(fromStartMs, 0), durationMs);
  const moment = (kind: MomentKind, fromStartMs: number, what: string): TimelineEvent => {
    const at = place(fromStartMs);
    return { kind, fromMs: at, toMs: at, what };
  };
  // At a seam both segments may tell of it: the one whose pictures are of that time shows it.
  const own = ofType(lines, 'trigger').filter(
    (trigger) => (all.findLast((other) => isToldBy(other, trigger)) ?? segment) === segment,
  );
  const triggers = own.map(({ kind, mono, by }) =>
    moment('trigger', mono - start.mono, triggerWords(kind, by, cause)),
  );
  const marks = ofType(lines, 'mark').map(({ media_ms }) =>
    moment('mark', media_ms - start.media_ms, 'marked by the wearer'),
  );
  const spans = ofType(lines, 'interval').map(({ kind, from_ms, to_ms }) => ({
    kind,
    fromMs: place(from_ms - start.media_ms),
    toMs: place(to_ms - start.media_ms),
    what: SPAN_WORDS[kind],
  }));
  return [...triggers, ...marks, ...spans];
}

/** Whether a segment tells of the same trigger and had begun by then. */
function isToldBy({ lines }: TimelineSegment, { kind, mono, by }: Line<'trigger'>): boolean {
  const [start] = ofType(lines, 'start');
  if (start === undefined || start.mono > mono) return false;
  return ofType(lines, 'trigger').some(
    (other) => other.kind === kind && other.mono === mono && other.by === by,
  );
}

function triggerWords(
  kind: Line<'trigger'>['kind'],
  by: string | undefined,
  cause: Manifest['trigger'],
): string {
  const signed = by === undefined ? '' : `, signed by ${by}`;
  switch (kind) {
    case 'start':
      return cause === undefined ? 'recording started' : CAUSES[cause];
    case 'fall':
      return 'the camera fell';
    case 'command':
      return `a command to start${signed}`;
    case 'peer':
      return `another camera started${signed}`;
  }
}

/** Where there are no pictures between two segments, and which segments are not there. */
function gapsOf(segments: readonly TimelineSegment[]): TimelineEvent[] {
  return segments.flatMap((segment, index) => {
    const before = segments[index - 1];
    const fromMs = before === undefined ? 0 : before.offsetMs + before.durationMs;
    const first = (before?.ref.seq ?? -1) + 1;
    const last = segment.ref.seq - 1;
    if (segment.offsetMs - fromMs < GAP_MS_MIN && last < first) return [];
    const which = first === last ? `segment ${first} is` : `segments ${first} to ${last} are`;
    const what = last < first ? 'no pictures' : `no pictures: ${which} not in this export`;
    return [{ kind: 'gap' as const, fromMs, toMs: Math.max(segment.offsetMs, fromMs), what }];
  });
}

/**
 * The moments of which a report shows a picture: the first, each minute, each mark and each trigger, in order, at most `most`;
 * the minutes make room for the others.
 */
export function pictureMoments(
  { durationMs, events }: Pick<Timeline, 'durationMs' | 'events'>,
  most: number,
): readonly { readonly atMs: number; readonly label: string }[] {
  const minutes = Array.from({ length: Math.floor(durationMs / MINUTE_MS) + 1 }, (_, minute) => ({
    atMs: minute * MINUTE_MS,
    label: minute === 0 ? 'start' : `minute ${minute}`,
  })).filter(({ atMs }) => atMs === 0 || atMs < durationMs);
  const named = events
    .filter(({ kind }) => kind === 'mark' || kind === 'trigger')
    .map(({ fromMs, kind }) => ({ atMs: fromMs, label: kind === 'mark' ? 'mark' : 'trigger' }))
    .slice(0, most);
  const step = Math.ceil(minutes.length / Math.max(1, most - named.length));
  const kept = minutes.filter((_, index) => index % step === 0);
  return [...kept, ...named].sort((a, b) => a.atMs - b.atMs).slice(0, most);
}

const MINUTE_MS = 60_000;
