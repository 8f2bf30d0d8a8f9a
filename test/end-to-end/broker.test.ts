import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { setUpDesk, sim, startCamera } from '../support/desk.js';
import type { Desk } from '../support/desk.js';
import type { DemoResult } from '../support/demo-result.js';
import { RunningLapel, runLapel, runLapelJson } from '../support/process.js';
import { Mosquitto } from '../support/sync/mosquitto.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

interface Status {
  readonly card: { readonly segments: number; readonly receipted: number; readonly bytes: number };
  readonly retention: { readonly deletableSegments: number; readonly reason: string };
}

const status = async (desk: Desk): Promise<Status> =>
  (await runLapelJson<Status>('status', '--data', desk.data)).result;

/** Relative names and digests of the segment files below a root. */
async function filesBelow(root: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(root, { recursive: true });
  const found = new Map<string, string>();
  for (const name of names.filter((each) =>
    /^\d+\/\d+\/\d+\.(age|leaves|heads|dsse|meta\.age)$/.test(each),
  )) {
    const bytes = await readFile(path.join(root, name));
    found.set(name, createHash('sha256').update(bytes).digest('hex'));
  }
  return found;
}

async function record(desk: Desk, camera: RunningLapel, ms: number): Promise<void> {
  await sleep(2200);
  await sim(desk, 'press', 'record');
  await camera.event(({ event }) => event === 'recording-started');
  await sleep(ms);
  await sim(desk, 'hold', 'record', '3s');
  await camera.event(({ event }) => event === 'recording-stopped');
}

async function startMosquitto(t: ExecutionContext): Promise<Mosquitto> {
  const broker = await Mosquitto.start();
  t.teardown(() => broker.stop());
  return broker;
}

test('the demo passes with Mosquitto instead of the embedded broker', async (t) => {
  t.timeout(400_000);
  const broker = await startMosquitto(t);
  const dir = await temporaryDirectory(t);
  const words = ['demo', '--dir', dir, '--seconds', '3', '--broker', broker.url];
  const { status: code, result } = await runLapelJson<DemoResult>(...words);
  t.is(code, 0);
  t.is(result.verified, 'ok');
});

test('Mosquitto killed in the middle of an upload: it ends with a receipt for each segment and equal bytes', async (t) => {
  t.timeout(400_000);
  const broker = await startMosquitto(t);
  const desk = await setUpDesk(await temporaryDirectory(t), { brokerUrl: broker.url });
  const words = ['--broker', broker.url, '--store', desk.store, '--trust', desk.trust];
  const receiver = new RunningLapel('receive', ...words, '--log-level', 'warn');
  const camera = await startCamera(desk);
  t.teardown(() => Promise.all([camera.end('SIGKILL'), receiver.end('SIGKILL')]));
  await record(desk, camera, 12_000);
  await sim(desk, 'dock');
  await receiver.event(({ stored }) => stored !== undefined);
  await broker.kill();
  const { card } = await status(desk);
  t.log(`${card.receipted} of ${card.segments} receipts when the broker went down`);
  t.true(card.receipted < card.segments, 'the upload was not over');
  await sleep(1500);
  await broker.restart();
  for (let n = 0; (await status(desk)).card.receipted < card.segments; n += 1) {
    t.true(n < 200, 'every segment gets its receipt');
    await sleep(200);
  }
  const onCard = await filesBelow(path.join(desk.data, 'card', 'ev'));
  const inStore = await filesBelow(path.join(desk.store, 'lapel-test'));
  t.deepEqual(inStore, onCard);
  const verified = await runLapel('verify', desk.store, '--trust', desk.trust);
  t.is(verified.status, 0);
});

test('without a receipt nothing is deleted, and lapel status says why, running or not', async (t) => {
  t.timeout(400_000);
  const broker = await startMosquitto(t);
  const desk = await setUpDesk(await temporaryDirectory(t), { brokerUrl: broker.url });
  const camera = await startCamera(desk);
  t.teardown(() => camera.end('SIGKILL'));
  await record(desk, camera, 1000);
  const before = await filesBelow(path.join(desk.data, 'card', 'ev'));
  t.regex((await status(desk)).retention.reason, /not been offered yet/);
  // A broker that takes everything, and no receiver behind it.
  await sim(desk, 'dock');
  await camera.event(({ event, phase }) => event === 'dock' && phase === 'draining');
  for (let n = 0; !(await status(desk)).retention.reason.includes('no valid receipt'); n += 1) {
    t.true(n < 100, 'the offer is told');
    await sleep(200);
  }
  const { card, retention } = await status(desk);
  t.is(card.receipted, 0);
  t.is(retention.deletableSegments, 0);
  t.regex(retention.reason, /segments are kept, nothing is deleted without a receipt/);
  await camera.end('SIGTERM');
  t.deepEqual(await filesBelow(path.join(desk.data, 'card', 'ev')), before);
  const said = await runLapel('status', '--data', desk.data);
  t.regex(
    said.stdout,
    /is not running[\s\S]*retention: .*nothing is deleted without a receipt.*no valid receipt/,
  );
});
