import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { verifyPaths } from '../../src/cli/verify.js';
import type { VerifyReport } from '../../src/cli/verify.js';
import { exportRecording } from '../../src/cli/export.js';
import { readIdentity } from '../../src/cli/identity-file.js';
import { parseTrust } from '../../src/evidence/trust.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { setUpDesk, sim, startCamera } from '../support/desk.js';
import type { Desk } from '../support/desk.js';
import { decodedFrames, packetTimes } from '../support/footage.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** Split over two tests, which run side by side: most of the time of each goes by waiting for pictures. */
/** Of each of the two cameras. `KILLS=20` makes twenty kills in all, in three and a half minutes. */
const KILLS_EACH = Math.ceil(Number(process.env['KILLS'] ?? 4) / 2);
/** Of video before the kill: the GOP that was open, and the chunk that age still held back. */
const LOSS_MS_MAX = 2000;

for (const part of [1, 2]) {
  test(`a camera killed at random moments of a recording loses at most 2 s, and nothing that was sealed (${part})`, async (t) => {
    t.timeout(600_000);
    const dir = await temporaryDirectory(t);
    const desk = await setUpDesk(dir);
    const lostMs: number[] = [];
    for (let kill = 0; kill < KILLS_EACH; kill += 1) {
      const recordedMs = 500 + Math.random() * 7000;
      lostMs.push(await recordAndKill(t, dir, desk, recordedMs));
    }
    t.log(`lost before the kill: ${lostMs.map((ms) => Math.round(ms)).join(', ')} ms`);
  });
}

/** One life of the camera and its end. Returns how much video of the time before the kill is missing. */
async function recordAndKill(
  t: ExecutionContext,
  dir: string,
  desk: Desk,
  recordedMs: number,
): Promise<number> {
  const camera = await startCamera(desk);
  // Time runs from the camera's own word that it records: the press lies before it.
  await sim(desk, 'press', 'record');
  const started = await camera.event(({ event }) => event === 'recording-started');
  const startedAt = performance.now();
  const { gotMs } = started['preEvent'] as { gotMs: number };
  await sleep(recordedMs);
  const sealed = await digestsOfSealed(desk);
  const aliveMs = performance.now() - startedAt;
  await camera.end('SIGKILL');
  const boot = camera.events.find(({ event }) => event === 'started')?.['boot'] as number;

  const next = await startCamera(desk);
  const { recovered, quarantined, missing } = (await next.event(
    ({ event }) => event === 'recovered',
  )) as { recovered: string[]; quarantined: string[]; missing: string[] };
  await next.end('SIGTERM');
  t.deepEqual(missing, []);

  for (const [file, digest] of sealed) t.is(await digestOf(file), digest, `${file} is untouched`);
  const recording = path.join(desk.data, 'card', 'ev', `${boot}`, '1');
  const report = await verify(desk, recording);
  t.is(report.state, 'ok-with-missing');
  for (const { ref, state } of report.segments) {
    const file = path.join(recording, `${ref.seq}.dsse`);
    // One that was being sealed when the camera was killed may be either.
    const isCut = recovered.includes(`${boot}/1/${ref.seq}`);
    if (sealed.has(file)) t.is(state, 'ok', file);
    else t.is(state, isCut ? 'ok-with-missing' : 'ok', file);
  }
  // What nobody had signed yet is set aside, and that can only be the newest segment; or the manifest that was being
  // written under another name, of a segment that recovery has sealed instead.
  const newest = report.segments.length;
  const halfSealed = recovered.map((ref) => `/quarantine/ev/${ref}.dsse.tmp`);
  t.deepEqual(
    quarantined
      .filter((file) => !file.includes(`/quarantine/ev/${boot}/1/${newest}.`))
      .filter((file) => !halfSealed.some((end) => file.endsWith(end))),
    [],
  );
  return await lostOf(t, dir, desk, recording, gotMs + aliveMs);
}

async function lostOf(
  t: ExecutionContext,
  dir: string,
  desk: Desk,
  recording: string,
  dueMs: number,
): Promise<number> {
  const fs = new NodeFileSystem();
  const out = path.join(dir, `${path.basename(path.dirname(recording))}.mp4`);
  const { frames } = await exportRecording(
    fs,
    recording,
    await readIdentity(fs, desk.identity),
    out,
  );
  const times = await packetTimes(out);
  t.is(times.length, frames);
  const steps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  t.true(
    steps.every((step) => Math.abs(step - 1 / 30) < 0.0001),
    'no frame is missing inside',
  );
  const { messages, hashes } = await decodedFrames(out);
  t.is(messages, '');
  t.is(hashes.length, frames);
  const lostMs = dueMs - (frames * 1000) / 30;
  t.true(lostMs <= LOSS_MS_MAX, `${Math.round(lostMs)} ms of ${Math.round(dueMs)} ms are lost`);
  return lostMs;
}

async function verify(desk: Desk, recording: string): Promise<VerifyReport> {
  const trust = parseTrust(await readFile(desk.trust, 'utf8'));
  return verifyPaths(new NodeFileSystem(), [recording], trust);
}

const digestOf = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

/** Every file of every segment that has its manifest. */
async function digestsOfSealed(desk: Desk): Promise<ReadonlyMap<string, string>> {
  const root = path.join(desk.data, 'card', 'ev');
  const names = await readdir(root, { recursive: true });
  const stems = names.filter((name) => /\/\d+\.dsse$/.test(name)).map((name) => name.slice(0, -5));
  const files = names.filter((name) => stems.some((stem) => name.startsWith(`${stem}.`)));
  const digests = new Map<string, string>();
  for (const name of files) {
    digests.set(path.join(root, name), await digestOf(path.join(root, name)));
  }
  return digests;
}
