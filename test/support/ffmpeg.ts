import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Tables of a few thousand frames. */
const OUTPUT_BYTES_MAX = 64 * 2 ** 20;
const TIMEOUT_MS = 60_000;

const tool = async (
  name: string,
  args: readonly string[],
): Promise<{ stdout: string; stderr: string }> =>
  await run(name, args, { maxBuffer: OUTPUT_BYTES_MAX, timeout: TIMEOUT_MS });

export interface ProbedPacket {
  readonly at90k: number;
  readonly isKey: boolean;
}

/** The packets of a file's video as ffprobe sees them, and how many it counts. */
export async function probe(file: string): Promise<{ packets: ProbedPacket[]; counted: number }> {
  const common = ['-v', 'error', '-select_streams', 'v'];
  const list = await tool('ffprobe', [
    ...common,
    '-show_entries',
    'packet=pts_time,flags',
    '-of',
    'csv=p=0',
    file,
  ]);
  const count = await tool('ffprobe', [
    ...common,
    '-count_packets',
    '-show_entries',
    'stream=nb_read_packets',
    '-of',
    'csv=p=0',
    file,
  ]);
  const packets = list.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [seconds = '', flags = ''] = line.split(',');
      return { at90k: Math.round(Number(seconds) * 90_000), isKey: flags.startsWith('K') };
    });
  return { packets, counted: Number.parseInt(count.stdout) };
}

/** Where ffprobe finds the pictures of a file: their presentation time, and the bytes of each. */
export async function probeSamples(
  file: string,
): Promise<{ readonly at90k: number; readonly start: number; readonly bytes: number }[]> {
  const entries = ['-show_entries', 'packet=pts_time,size,pos', '-of', 'json'];
  const { stdout } = await tool('ffprobe', [
    ...['-v', 'error', '-select_streams', 'v', ...entries, file],
  ]);
  const { packets } = JSON.parse(stdout) as {
    readonly packets: readonly { pts_time: string; size: string; pos: string }[];
  };
  return packets.map(({ pts_time, size, pos }) => ({
    at90k: Math.round(Number(pts_time) * 90_000),
    start: Number(pos),
    bytes: Number(size),
  }));
}

/** Decodes a file: the MD5 of each frame, and what ffmpeg had to complain about. */
export async function decode(file: string): Promise<{ md5: string[]; messages: string }> {
  const { stdout, stderr } = await tool('ffmpeg', [
    '-v',
    'error',
    '-i',
    file,
    '-map',
    '0:v',
    '-f',
    'framemd5',
    '-',
  ]);
  const md5 = stdout
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(',').at(-1)?.trim() ?? '');
  return { md5, messages: stderr.trim() };
}

/** Turns a clip into raw pictures that GStreamer can loop as a live source. */
export async function toRawVideo(
  clip: string,
  out: string,
  { width, height, seconds }: { width: number; height: number; seconds: number },
): Promise<void> {
  await tool('ffmpeg', [
    '-v',
    'error',
    '-i',
    clip,
    '-t',
    `${seconds}`,
    '-r',
    '30',
    '-vf',
    `scale=${width}:${height}`,
    '-pix_fmt',
    'yuv420p',
    '-f',
    'rawvideo',
    out,
  ]);
}
