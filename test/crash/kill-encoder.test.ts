import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { exportRecording } from '../../src/cli/export.js';
import { readIdentity } from '../../src/cli/identity-file.js';
import { decodePayload } from '../../src/evidence/dsse.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { openDatabase } from '../../src/storage/database.js';
import { readEntries } from '../../src/storage/device-log.js';
import { setUpDesk, sim, startCamera } from '../support/desk.js';
import { packetTimes } from '../support/footage.js';
import { runLapelJson } from '../support/process.js';
import { childrenOf } from '../support/process-figures.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

interface Status {
  readonly recorder: { readonly frames: number; readonly runs: number; readonly mode: string };
}

test('a capture child killed while recording is back within 2 s; the gap is in the log and in the footage', async (t) => {
  t.timeout(300_000);
  const dir = await temporaryDirectory(t);
  const desk = await setUpDesk(dir);
  const camera = await startCamera(desk);
  await sim(desk, 'press', 'record');
  await camera.event(({ event }) => event === 'recording-started');
  await sleep(2500);
  const [child] = await childrenOf(camera.process.pid ?? 0);
  const status = async (): Promise<Status> =>
    (await runLapelJson<Status>('status', '--data', desk.data)).result;
  const before = await status();
  const killedAt = performance.now();
  process.kill(child ?? -1, 'SIGKILL');
  let after = await status();
  while (
    after.recorder.runs === before.recorder.runs ||
    after.recorder.frames === before.recorder.frames
  ) {
    t.true(performance.now() - killedAt < 30_000, 'pictures again');
    after = await status();
  }
  t.is(after.recorder.mode, 'recording', 'the recording goes on');
  await sleep(2500);
  await sim(desk, 'hold', 'record', '3s');
  await camera.event(({ event }) => event === 'recording-stopped');
  await camera.end('SIGTERM');

  const db = openDatabase(path.join(desk.data, 'card', 'lapel.db'), { readOnly: true });
  t.teardown(() => {
    db.close();
  });
  const gaps = readEntries(db, 0, 1000)
    .filter(({ type }) => type === 'gap')
    .map(
      ({ envelope }) =>
        JSON.parse(decodePayload(envelope).toString()) as { rec: number; gap_ms: number },
    );
  t.is(gaps.length, 1);
  t.is(gaps[0]?.rec, 1);
  const gapMs = gaps[0]?.gap_ms ?? 0;
  t.true(gapMs > 0 && gapMs <= 2000, `pictures again after ${gapMs} ms`);

  const recording = path.join(desk.data, 'card', 'ev', '1', '1');
  const fs = new NodeFileSystem();
  const out = path.join(dir, 'gap.mp4');
  await exportRecording(fs, recording, await readIdentity(fs, desk.identity), out);
  const times = await packetTimes(out);
  const steps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  const wide = steps.filter((step) => step > 1.5 / 30);
  t.is(wide.length, 1, 'one gap in the footage');
  t.true(Math.abs((wide[0] ?? 0) * 1000 - gapMs) < 150, `${wide[0]} s, the log says ${gapMs} ms`);
  const { status: verified } = await runLapelJson('verify', recording, '--trust', desk.trust);
  t.is(verified, 3, 'ok-with-missing: the gap is told');
});
