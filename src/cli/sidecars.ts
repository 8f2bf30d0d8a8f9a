import type { MetadataLine } from '../evidence/metadata.js';
import { wallTimeAt } from '../timekeeping.js';
import type { TimeAnchor } from '../timekeeping.js';
import { formatUtc, monotonicMs, wallTimeMs } from '../units.js';

// What stands beside an exported MP4, made of the sealed metadata. Pure.

/** The metadata of one exported segment, and where it starts in the MP4. */
export interface SidecarInput {
  readonly lines: readonly MetadataLine[];
  readonly offsetMs: number;
  readonly durationMs: number;
}

export interface Sidecars {
  readonly gpx?: string;
  readonly csv?: string;
  readonly vtt?: string;
}

/** A caption a second would be unreadable beside long marks; time and place change no faster than a position comes. */
const CAPTION_MS = 1_000;
/** How long a mark stands in the picture. */
const MARK_MS = 3_000;

type Line<T extends MetadataLine['type']> = Extract<MetadataLine, { type: T }>;

const ofType = <T extends MetadataLine['type']>(
  lines: readonly MetadataLine[],
  type: T,
): Line<T>[] => lines.filter((line): line is Line<T> => line.type === type);

/** The wall times that `clock` lines know of. */
export const anchorsIn = (lines: readonly MetadataLine[]): readonly TimeAnchor[] =>
  ofType(lines, 'clock').map(({ mono, wall_ms, source, uncertainty_ms }) => ({
    at: monotonicMs(mono),
    wall: { ms: wallTimeMs(wall_ms), source, uncertaintyMs: uncertainty_ms },
  }));

/**
 * GPX, CSV and WebVTT of a recording; each only when there is something in it. `anchors` are all wall times known of the
 * boot, from this recording and from later ones: the surest dates every moment.
 */
export function makeSidecars(
  inputs: readonly SidecarInput[],
  anchors: readonly TimeAnchor[],
): Sidecars {
  const utc = (mono: number): string | undefined => {
    const wall = wallTimeAt(anchors, monotonicMs(mono));
    return wall === undefined || wall.source === 'unset' ? undefined : formatUtc(wall.ms);
  };
  const lines = inputs.flatMap((input) => input.lines);
  const gpx = gpxOf(withoutDoubles(ofType(lines, 'gnss')), utc);
  const csv = csvOf(ofType(lines, 'imu'), utc);
  const vtt = vttOf(inputs, utc);
  return { ...(gpx && { gpx }), ...(csv && { csv }), ...(vtt && { vtt }) };
}

/** Two segments may both have a position of their seam. */
const withoutDoubles = (fixes: readonly Line<'gnss'>[]): readonly Line<'gnss'>[] =>
  fixes.filter(({ mono }, index) => fixes[index - 1]?.mono !== mono);

type Utc = (mono: number) => string | undefined;

/** GPX 1.1, one track. Times are left out where nobody knows the time. */
function gpxOf(fixes: readonly Line<'gnss'>[], utc: Utc): string | undefined {
  if (fixes.length === 0) return undefined;
  const points = fixes.map(({ mono, lat_e7, lon_e7, alt_mm, hdop_c }) => {
    const time = utc(mono);
    const parts = [
      alt_mm === null ? '' : `<ele>${(alt_mm / 1_000).toFixed(2)}</ele>`,
      time === undefined ? '' : `<time>${time}</time>`,
      hdop_c === null ? '' : `<hdop>${(hdop_c / 100).toFixed(2)}</hdop>`,
    ];
    return `<trkpt lat="${degrees(lat_e7)}" lon="${degrees(lon_e7)}">${parts.join('')}</trkpt>\n`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\n',
    '<gpx version="1.1" creator="Lapel" xmlns="http://www.topografix.com/GPX/1/1">\n<trk><trkseg>\n',
    ...points,
    '</trkseg></trk>\n</gpx>\n',
  ].join('');
}

/** One row a sample: media time, monotonic and wall time in it, acceleration in g, turn rate in degrees a second. */
function csvOf(batches: readonly Line<'imu'>[], utc: Utc): string | undefined {
  if (batches.length === 0) return undefined;
  const rows = batches.flatMap(({ mono, media_ms, dt, acc_mg, gyro_ddps }) =>
    dt.map((after, index) => {
      const axes = (values: readonly number[], by: number, digits: number): string[] =>
        values.slice(3 * index, 3 * index + 3).map((value) => (value / by).toFixed(digits));
      const times = [media_ms + after, mono + after, utc(mono + after) ?? ''];
      return `${[...times, ...axes(acc_mg, 1_000, 3), ...axes(gyro_ddps, 10, 1)].join(',')}\r\n`;
    }),
  );
  const head = 'media_ms,mono_ms,utc,acc_x_g,acc_y_g,acc_z_g,gyro_x_dps,gyro_y_dps,gyro_z_dps\r\n';
  return head + rows.join('');
}

interface Cue {
  readonly fromMs: number;
  readonly toMs: number;
  readonly text: string;
}

/** Marks, withheld parts, and time and place each second. */
function vttOf(inputs: readonly SidecarInput[], utc: Utc): string | undefined {
  const cues = inputs.flatMap(cuesOf(utc)).sort((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs);
  if (cues.length === 0) return undefined;
  const texts = cues.map(
    ({ fromMs, toMs, text }) =>
      `${stamp(fromMs)} --> ${stamp(Math.max(toMs, fromMs + 1))}\n${text}\n\n`,
  );
  return `WEBVTT\n\n${texts.join('')}`;
}

const cuesOf =
  (utc: Utc) =>
  ({ lines, offsetMs, durationMs }: SidecarInput): readonly Cue[] => {
    const [start] = ofType(lines, 'start');
    if (start === undefined) return [];
    /** From the time of the recording to that of the MP4. */
    const place = (mediaMs: number): number =>
      offsetMs + Math.min(Math.max(mediaMs - start.media_ms, 0), durationMs);
    const cue = (fromMs: number, toMs: number, text: string): Cue => ({
      fromMs: place(fromMs),
      toMs: place(toMs),
      text,
    });
    const marks = ofType(lines, 'mark').map(({ media_ms }) =>
      cue(media_ms, media_ms + MARK_MS, 'mark'),
    );
    const intervals = ofType(lines, 'interval').map(({ kind, from_ms, to_ms }) =>
      cue(from_ms, to_ms, kind),
    );
    const fixes = ofType(lines, 'gnss').map(({ media_ms, mono, lat_e7, lon_e7 }) =>
      cue(
        media_ms,
        media_ms + CAPTION_MS,
        `${utc(mono) ?? 'time unknown'} ${degrees(lat_e7)} ${degrees(lon_e7)}`,
      ),
    );
    if (fixes.length > 0) return [...marks, ...intervals, ...fixes];
    const seconds = Array.from({ length: Math.ceil(durationMs / CAPTION_MS) }, (_, second) => {
      const time = utc(start.mono + second * CAPTION_MS);
      const fromMs = start.media_ms + second * CAPTION_MS;
      return time === undefined ? [] : [cue(fromMs, fromMs + CAPTION_MS, time)];
    });
    return [...marks, ...intervals, ...seconds.flat()];
  };

const degrees = (e7: number): string => (e7 / 1e7).toFixed(7);

/** `hh:mm:ss.ttt`. */
function stamp(ms: number): string {
  const whole = Math.round(ms);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const rest = String(whole % 1_000).padStart(3, '0');
  return `${two(whole / 3_600_000)}:${two((whole / 60_000) % 60)}:${two((whole / 1_000) % 60)}.${rest}`;
}
