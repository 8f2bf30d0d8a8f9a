import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

/**
 * Makes a camera whose picture of 320x240 turns from dark to bright and back at each full second of the pipeline's clock,
 * from a clip that it puts into the directory.
 */
export async function clapCamera(directory: string): Promise<string> {
  const clip = path.join(directory, 'clap.i420');
  const [luma, bytes] = [320 * 240, (320 * 240 * 3) / 2];
  const picture = (level: number): Buffer =>
    Buffer.concat([Buffer.alloc(luma, level), Buffer.alloc(bytes - luma, 128)]);
  const second = (level: number): Buffer[] =>
    Array.from({ length: FRAMES_PER_SECOND }, () => picture(level));
  await writeFile(clip, Buffer.concat([...second(40), ...second(200)]));
  return (
    `multifilesrc location="${clip}" loop=true blocksize=${bytes}` +
    ' ! rawvideoparse format=i420 width=320 height=240 framerate=30/1 ! identity sync=true'
  );
}

/** A click at each second of its own, which begins when the pipeline does, to some milliseconds. */
export const CLAP_MICROPHONE = 'audiotestsrc is-live=true wave=ticks samplesperbuffer=441';

export const SAMPLE_RATE = 48_000;
const FRAMES_PER_SECOND = 30;
const PIXELS = 16 * 16;
const PCM_BYTES_MAX = 256 * 2 ** 20;
const TIMEOUT_MS = 120_000;
const DARK_TO_BRIGHT = 60;
/** A click has a full swing; what AAC adds before it is far below. */
const CLICK_LEVEL = 3000;
/** Within this after a click there is no other. */
const CLICK_PAUSE = SAMPLE_RATE / 4;

async function ffmpeg(args: readonly string[]): Promise<Buffer> {
  const { stdout } = await promisify(execFile)('ffmpeg', ['-v', 'error', ...args], {
    encoding: 'buffer',
    maxBuffer: PCM_BYTES_MAX,
    timeout: TIMEOUT_MS,
  });
  return stdout;
}

/** The sound of a file as samples from its time 0 on, by ffmpeg; zeros where there is no packet. */
export async function samplesOf(file: string): Promise<Int16Array> {
  const args = ['-map', '0:a', '-af', 'aresample=async=1:first_pts=0', '-f', 's16le', '-'];
  const bytes = await ffmpeg(['-i', file, ...args]);
  return new Int16Array(new Uint8Array(bytes).buffer);
}

/** Seconds at which the picture of a file turned. */
export async function flashesOf(file: string): Promise<number[]> {
  const args = ['-map', '0:v', '-vf', 'scale=16:16:flags=area,format=gray', '-f', 'rawvideo', '-'];
  const pixels = await ffmpeg(['-i', file, ...args]);
  const flashes: number[] = [];
  let before: number | undefined;
  for (let at = 0; at < pixels.length; at += PIXELS) {
    const level = pixels.subarray(at, at + PIXELS).reduce((sum, pixel) => sum + pixel, 0) / PIXELS;
    const step = Math.abs(level - (before ?? level));
    if (step > DARK_TO_BRIGHT) flashes.push(at / PIXELS / FRAMES_PER_SECOND);
    before = level;
  }
  return flashes;
}

/** Seconds at which a click begins. */
export function clicksIn(samples: Int16Array): number[] {
  const clicks: number[] = [];
  let last = -CLICK_PAUSE;
  for (const [index, sample] of samples.entries()) {
    if (Math.abs(sample) < CLICK_LEVEL || index - last < CLICK_PAUSE) continue;
    clicks.push(index / SAMPLE_RATE);
    last = index;
  }
  return clicks;
}

/** The largest sample from the second `from` to the second `to`. */
export function peakBetween(samples: Int16Array, from: number, to: number): number {
  const part = samples.subarray(Math.ceil(from * SAMPLE_RATE), Math.floor(to * SAMPLE_RATE));
  return part.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
}

/** Seconds of the first and last audio packet of a file, as ffprobe sees them. */
export async function audioSpan(
  file: string,
): Promise<{ first: number; end: number; packets: number }> {
  const entries = ['-show_entries', 'packet=pts_time,duration_time', '-of', 'csv=p=0'];
  const { stdout } = await promisify(execFile)(
    'ffprobe',
    ['-v', 'error', '-select_streams', 'a', ...entries, file],
    { maxBuffer: PCM_BYTES_MAX, timeout: TIMEOUT_MS },
  );
  const times = stdout.split('\n').filter((line) => line !== '');
  const [first = '', last = ''] = [times[0], times.at(-1)];
  const [at = '', duration = ''] = last.split(',');
  return {
    first: Number(first.split(',')[0]),
    end: Number(at) + Number(duration),
    packets: times.length,
  };
}
