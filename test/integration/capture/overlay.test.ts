import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { GStreamerSource } from '../../../src/hal/linux/gstreamer.js';
import { decode } from '../../support/ffmpeg.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { testLaunch } from '../../support/test-launch.js';

const execute = promisify(execFile);
const BLACK = 'videotestsrc pattern=black num-buffers=1';

/** The elements from the picture to the overlay, as the camera has them. */
const overlaid = (text: string): string =>
  testLaunch({ source: BLACK, overlay: text }).split(' ! ').slice(0, 3).join(' ! ');

/** One raw picture, as a run of the capture child gives it. */
async function pictureOf(elements: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve) => {
    new GStreamerSource().startRun(`${elements} ! appsink name=video sync=false`, {
      bytes: (chunk) => chunks.push(chunk),
      ended: () => {
        resolve();
      },
    });
  });
  return Buffer.concat(chunks);
}

/** The same picture with a text in the place of the time. */
async function drawn(directory: string, elements: string, time: string): Promise<Buffer> {
  const file = path.join(directory, 'drawn.i420');
  const line = elements.replace(/time-format="[^"]*"/, `time-format="${time}"`);
  await execute('sh', ['-c', `gst-launch-1.0 -q ${line} ! filesink location='${file}'`]);
  return await readFile(file);
}

test.serial('the time burnt in is UTC, to the second, whatever the time zone', async (t) => {
  const directory = await temporaryDirectory(t);
  process.env['TZ'] = 'Asia/Tokyo';
  t.teardown(() => {
    delete process.env['TZ'];
  });
  const elements = overlaid('cam-7 <Agent> & "co"');
  const before = Math.floor(Date.now() / 1000);
  const picture = await pictureOf(elements);
  const after = Math.floor(Date.now() / 1000);
  t.is(picture.length, (320 * 240 * 3) / 2);
  const matches: number[] = [];
  for (let second = before - 1; second <= after + 1; second += 1) {
    const time = new Date(second * 1000).toISOString().slice(0, 19).replace('T', ' ');
    if ((await drawn(directory, elements, `${time} UTC`)).equals(picture)) matches.push(second);
  }
  t.is(matches.length, 1);
  t.true((matches[0] ?? 0) >= before && (matches[0] ?? 0) <= after);
});

test.serial('a name with markup in it is drawn as it is written', async (t) => {
  const directory = await temporaryDirectory(t);
  const draw = (text: string): Promise<Buffer> => drawn(directory, overlaid(text), 'now');
  const plain = await draw('b');
  t.notDeepEqual(await draw('<b>b</b>'), plain);
  t.deepEqual(await draw('b'), plain);
  t.notDeepEqual(await draw('&lt;'), await draw('<'));
});

test.serial('pictures with an overlay are encoded and decode without a message', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'out.mp4');
  const launch = testLaunch({ source: 'videotestsrc num-buffers=30', overlay: 'cam-7' });
  const line = launch.replace(/gdppay ! appsink .*$/, `mp4mux ! filesink location='${file}'`);
  await execute('sh', ['-c', `gst-launch-1.0 -q -e ${line.replaceAll('(string)', '')}`]);
  const { md5, messages } = await decode(file);
  t.is(md5.length, 30);
  t.is(messages, '');
});
