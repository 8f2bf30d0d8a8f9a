import { runTool } from './process.js';

/** Presentation times of the video packets in seconds, in file order, as ffprobe sees them. */
export async function packetTimes(file: string): Promise<readonly number[]> {
  const { stdout } = await runTool('ffprobe', [
    ...['-v', 'error', '-select_streams', 'v'],
    ...['-show_entries', 'packet=pts_time', '-of', 'csv=p=0', file],
  ]);
  return stdout.split('\n').filter(Boolean).map(Number.parseFloat);
}

/** One hash for each decoded picture (FFmpeg's framemd5), and what the decoder had to say. */
export async function decodedFrames(
  file: string,
): Promise<{ hashes: readonly string[]; messages: string }> {
  const { stdout, stderr } = await runTool('ffmpeg', [
    ...['-v', 'error', '-i', file, '-map', '0:v', '-f', 'framemd5', '-'],
  ]);
  const rows = stdout.split('\n').filter((row) => row !== '' && !row.startsWith('#'));
  return { hashes: rows.map((row) => row.split(',').at(-1)?.trim() ?? ''), messages: stderr };
}
