import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import anyTest from 'ava';
import type { TestFn } from 'ava';
import { runLapel, runLapelJson, runTool } from '../support/process.js';
import type { DemoResult } from '../support/demo-result.js';
import { decodedFrames, packetTimes } from '../support/footage.js';
import { readmeScript } from '../support/readme-script.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** One short demo for all that look at what it left and change nothing. */
interface Shared {
  readonly dir: string;
  readonly result: DemoResult;
}

const test = anyTest as TestFn<Shared>;

test.before(async (t) => {
  t.timeout(400_000);
  const dir = await mkdtemp(path.join(tmpdir(), 'lapel-test-'));
  const { result } = await runLapelJson<DemoResult>('demo', '--dir', dir, '--seconds', '3');
  t.context = { dir, result };
});

test.after.always((t) => rm(t.context.dir, { recursive: true, force: true }));

test('the demo records real footage whose exported MP4 misses and doubles nothing, and stock tools agree', async (t) => {
  t.timeout(400_000);
  const dir = await temporaryDirectory(t);
  const { status, result } = await runLapelJson<DemoResult>('demo', '--dir', dir);
  t.is(status, 0);
  t.true(result.ok);
  t.is(result.verified, 'ok');
  t.true(result.segments.length >= 3, 'there are seams to look at');
  t.true(result.preEvent.gotMs >= result.preEvent.askedMs);
  t.true(result.preEvent.gotMs <= result.preEvent.askedMs + 1000 + 34, 'at most one GOP more');
  t.true(result.pressToDurableMs > 0);

  const times = await packetTimes(result.exported);
  t.is(times.length, result.frames);
  const steps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  t.true(
    steps.every((step) => Math.abs(step - 1 / 30) < 0.0001),
    'one frame from each packet to the next, across every seam',
  );
  t.is(times[0], 0);

  const probe = await runTool('ffprobe', [
    ...['-v', 'error', '-count_packets', '-of', 'json'],
    ...['-show_entries', 'stream=codec_name,nb_read_packets,duration', result.exported],
  ]);
  const [stream] = (
    JSON.parse(probe.stdout) as {
      streams: { codec_name: string; nb_read_packets: string; duration: string }[];
    }
  ).streams;
  t.is(stream?.codec_name, 'h264');
  t.true(Math.abs(Number(stream?.nb_read_packets) - Number(stream?.duration) * 30) <= 1);

  const { hashes, messages } = await decodedFrames(result.exported);
  t.is(messages, '');
  t.is(hashes.length, result.frames);
  t.false(hashes.some((hash, index) => index > 0 && hash === hashes[index - 1]));
  await checkSegmentsWithAge(t, dir, result);
});

/** Each segment opens with `age -d` and plays from 0 on its own; its pictures are those of the export, in order. */
async function checkSegmentsWithAge(
  t: { is(a: unknown, b: unknown): boolean },
  dir: string,
  result: DemoResult,
): Promise<void> {
  let frames = 0;
  for (const { segment } of result.segments) {
    const seq = path.basename(segment);
    const plain = path.join(dir, `${seq}.mp4`);
    const age = await runTool('age', [
      ...['-d', '-i', result.identity, '-o', plain],
      path.join(result.recording, `${seq}.age`),
    ]);
    t.is(age.status, 0);
    const { hashes, messages } = await decodedFrames(plain);
    t.is(messages, '');
    t.is((await packetTimes(plain))[0], 0);
    frames += hashes.length;
  }
  t.is(frames, result.frames);
}

test('the OpenSSL lines of the README verify a manifest of the receiver, and refuse it when a byte is changed', async (t) => {
  t.timeout(400_000);
  const { result } = t.context;
  const dir = await temporaryDirectory(t);
  const boot = path.join(dir, 'boot');
  await cp(path.dirname(result.recording), boot, { recursive: true });
  const recording = path.join(boot, path.basename(result.recording));
  const lines = await readmeScript('openssl');
  const run = (text: string): ReturnType<typeof runTool> =>
    runTool('bash', ['-c', `set -e; cd ${recording}; ${text}`]);
  const good = await run(lines);
  t.is(good.status, 0);
  t.regex(good.stdout, /Signature Verified Successfully/);
  const manifest = await readFile(path.join(recording, 'manifest.json'));
  t.is((JSON.parse(manifest.toString()) as { type: string }).type, 'segment');
  const changed = lines.replace('printf ', 'sed -i \'s/"seq":0/"seq":1/\' manifest.json; printf ');
  t.not((await run(changed)).status, 0);
});

test('real footage exported with everything beside it stands up to the lines of the README, and its bundle to lapel verify', async (t) => {
  t.timeout(400_000);
  const { result } = t.context;
  const dir = await temporaryDirectory(t);
  const { recording, identity, trust } = result;
  const out = path.join(dir, 'court', 'evidence.mp4');
  const exported = await runLapel(
    ...['export', recording, '--identity', identity, '--trust', trust, '--out', out],
  );
  t.is(exported.status, 0, exported.stderr);
  const script = `cd ${path.dirname(out)}; IDENTITY=${identity} TRUST=${trust}\n`;
  const lines = script + (await readmeScript('export'));
  const ended = await runTool('bash', ['-eo', 'pipefail', '-c', lines]);
  t.is(ended.status, 0, ended.stderr);
  t.true(ended.stdout.includes(`nb_read_packets=${result.frames}`));
  const bundle = path.join(dir, 'court', 'evidence.evidence');
  t.is((await runLapel('verify', bundle, '--trust', trust)).status, 0);
  const html = await readFile(path.join(dir, 'court', 'evidence.html'), 'utf8');
  const marks = html.match(/<polygon [^>]*class="mark"/g)?.length ?? 0;
  t.is(marks, 1, 'the mark of the demo is on the timeline');
  t.is(html.match(/src="data:image\/jpeg;base64,/g)?.length, 3, 'start, press, mark');
});

test('an export by somebody without the right identity is refused and leaves the evidence as it was', async (t) => {
  t.timeout(400_000);
  const { result } = t.context;
  const dir = await temporaryDirectory(t);
  const digest = async (): Promise<string> =>
    createHash('sha256')
      .update(await readFile(path.join(result.recording, '0.age')))
      .digest('hex');
  const before = await digest();
  const other = path.join(dir, 'other.txt');
  t.is((await runTool('age-keygen', ['-o', other])).status, 0);
  const out = path.join(dir, 'stolen.mp4');
  const { status, stderr } = await runLapel(
    ...['export', result.recording, '--identity', other, '--out', out],
  );
  t.is(status, 1);
  t.regex(stderr, /^error evidence\/wrong-key: .*\. Give the identity of one of the recipients/m);
  t.is(stderr.trim().split('\n').length, 1);
  t.is(await digest(), before);
});
