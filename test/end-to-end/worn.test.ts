import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { decode } from '../support/ffmpeg.js';
import { setUpDesk, sim, startCamera } from '../support/desk.js';
import { runLapel } from '../support/process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const execute = promisify(execFile);
const LIMIT_MS = 60_000;

async function tool(name: string, ...words: readonly string[]): Promise<string> {
  const { stdout, stderr } = await execute(name, words, { maxBuffer: 2 ** 26, timeout: LIMIT_MS });
  return stdout + stderr;
}

test('a camera put on upside down: the export is turned, says so sealed, and each picture says its time', async (t) => {
  t.timeout(240_000);
  const directory = await temporaryDirectory(t);
  const desk = await setUpDesk(directory, { mount: 'helmet', wearer: 'Agent 7', overlay: true });
  const camera = await startCamera(desk, '--log-level', 'info');
  t.teardown(() => camera.end('SIGKILL'));
  await sim(desk, 'imu', 'invert');
  await sim(desk, 'dock');
  await sim(desk, 'undock');
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await sim(desk, 'press', 'record');
  await camera.event(({ event }) => event === 'recording-started', LIMIT_MS);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await sim(desk, 'hold', 'record', '3s');
  await camera.event(({ event }) => event === 'recording-stopped', LIMIT_MS);
  await camera.end('SIGTERM');

  const recording = path.join(desk.data, 'card', 'ev', '1', '1');
  const out = path.join(directory, 'out.mp4');
  const { status, stderr } = await runLapel(
    ...['export', recording, '--identity', desk.identity, '--out', out],
  );
  t.is(status, 0, stderr);
  const { md5, messages } = await decode(out);
  t.is(messages, '');
  const shown = await tool(
    ...(['ffprobe', '-v', 'error', '-select_streams', 'v', '-of', 'csv=p=0'] as const),
    ...['-show_entries', 'stream_side_data=rotation', out],
  );
  t.regex(shown.trim(), /^-?180$/);
  const info = await tool('ffmpeg', '-nostats', '-i', out, '-vf', 'showinfo', '-f', 'null', '-');
  const stamps = info.match(/UUID=4d495350-6d69-6372-6f73-656374696d65/g);
  t.is(stamps?.length, md5.length);
  const sealed = path.join(recording, '0.meta.age');
  const facts = (await tool('age', '-d', '-i', desk.identity, sealed))
    .split('\n')
    .find((line) => line.includes('"facts"'));
  t.like(JSON.parse(facts ?? '{}'), { wearer: 'Agent 7', mount: 'helmet', rotation: 180 });
});
