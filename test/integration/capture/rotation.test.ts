import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { GdpReader, type AccessUnit } from '../../../src/capture/gdp-reader.js';
import { joinSegments, muxGop } from '../../../src/capture/mp4.js';
import { placeMoof } from '../../../src/capture/mp4-boxes.js';
import type { VideoFormat } from '../../../src/capture/ports.js';
import { withRotation, type Rotation } from '../../../src/capture/rotation.js';
import { bytesSource } from '../../../src/capture/segment-reader.js';
import { GStreamerSource } from '../../../src/hal/linux/gstreamer.js';
import { MemoryTarget } from '../../support/mp4-packets.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { testLaunch } from '../../support/test-launch.js';

const execute = promisify(execFile);

/** Twenty real pictures. */
async function pictures(): Promise<{ units: readonly AccessUnit[]; format: VideoFormat }> {
  const reader = new GdpReader();
  const units: AccessUnit[] = [];
  let format: VideoFormat | undefined;
  await new Promise<void>((resolve) => {
    new GStreamerSource().startRun(
      testLaunch({ source: 'videotestsrc num-buffers=20 pattern=ball' }),
      {
        bytes: (chunk) => {
          for (const item of reader.push(chunk)) {
            if (item.type === 'unit') units.push(item.unit);
            else format = item.format;
          }
        },
        ended: () => {
          resolve();
        },
      },
    );
  });
  if (format === undefined) throw new Error('no format');
  return { units, format };
}

async function frameHashes(file: string, ...options: readonly string[]): Promise<string> {
  const [before, after] = options[0] === '-vf' ? [[], options] : [options, []];
  const { stdout, stderr } = await execute('ffmpeg', [
    ...['-v', 'error', ...before, '-i', file, ...after, '-f', 'framemd5', '-'],
  ]);
  if (stderr !== '') throw new Error(stderr);
  return stdout.replace(/^#.*\n/gm, '');
}

async function probedRotation(file: string): Promise<string> {
  const { stdout } = await execute('ffprobe', [
    ...['-v', 'error', '-select_streams', 'v', '-show_entries', 'stream_side_data=rotation'],
    ...['-of', 'csv=p=0', file],
  ]);
  return stdout.trim();
}

test('ffmpeg shows a turned segment and its export turned by 180°, from the same coded pictures', async (t) => {
  const directory = await temporaryDirectory(t);
  const { units, format } = await pictures();
  t.is(units.length, 20);
  const { init, moof, mdat } = await muxGop(units, format);
  const file = (name: string): string => path.join(directory, `${name}.mp4`);
  const write = async (name: string, rotation: Rotation): Promise<void> => {
    const segment = Buffer.concat([withRotation(init, rotation), placeMoof(moof, 0, 1), mdat]);
    await writeFile(file(`segment-${name}`), segment);
    const target = new MemoryTarget();
    await joinSegments([{ source: bytesSource(segment), offset90k: 0 }], target);
    await writeFile(file(`export-${name}`), target.bytes);
  };
  await write('upright', 0);
  await write('turned', 180);
  for (const kind of ['segment', 'export']) {
    const [upright, turned] = [file(`${kind}-upright`), file(`${kind}-turned`)];
    t.is(await probedRotation(upright), '', kind);
    t.regex(await probedRotation(turned), /^-?180$/, kind);
    t.is(await frameHashes(turned, '-noautorotate'), await frameHashes(upright), kind);
    t.is(await frameHashes(turned), await frameHashes(upright, '-vf', 'hflip,vflip'), kind);
    t.not(await frameHashes(turned), await frameHashes(upright), kind);
  }
});
