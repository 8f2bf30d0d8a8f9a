import test from 'ava';
import { SILENT_FRAME } from '../../../src/capture/audio-track.js';
import { readMoof } from '../../../src/capture/mp4-boxes.js';
import { bytesSource, SegmentReader } from '../../../src/capture/segment-reader.js';
import type { MemorySegment } from '../../support/memory-sink.js';
import { RecorderRig, RIG_SETTINGS, SIM_LAUNCH } from '../../support/recorder-rig.js';

const WITH_AUDIO = `audiotestsrc ! appsink name=audio ${SIM_LAUNCH}`;
const FRAME_90K = 1920;

const rigWithAudio = (fields = {}): RecorderRig =>
  new RecorderRig({ launchWithAudio: WITH_AUDIO, ...fields });

interface Heard {
  /** From the start of the recording, in ticks. */
  readonly at90k: number;
  /** The number that the simulated microphone gave it; undefined for a silent one. */
  readonly number: number | undefined;
}

/** The audio track of a recording, as a reader of its segments finds it. */
async function audioOf(rig: RecorderRig, segments: readonly MemorySegment[]): Promise<Heard[]> {
  const heard: Heard[] = [];
  let offset90k = 0;
  for (const segment of segments) {
    const reader = await SegmentReader.open(bytesSource(rig.sink.bytesOf(segment)));
    for await (const fragment of reader.fragments()) {
      if (fragment.track !== 'audio') continue;
      for (const [index, data] of (await reader.payload(fragment)).entries()) {
        const at90k = offset90k + fragment.offset90k + index * FRAME_90K;
        const number = data.equals(SILENT_FRAME) ? undefined : data.readUInt32BE(4);
        heard.push({ at90k: Math.round(at90k), number });
      }
    }
    offset90k += segment.fragments.reduce((sum, { duration90k }) => sum + duration90k, 0);
  }
  return heard;
}

const silenceOf = (segments: readonly MemorySegment[]): unknown[] =>
  segments.flatMap(({ closing }) => closing?.audio ?? []);

test('sound begins after the press and goes on without a hole over three rotations', async (t) => {
  const rig = await rigWithAudio({ preEventMs: 3000 }).start(6500);
  await rig.press();
  await rig.wait(17_000);
  await rig.press(3100);
  await rig.wait(1500);
  const segments = rig.sink.of(1);
  t.true(segments.length >= 4);
  const gotMs = segments[0]?.opening.preEvent?.gotMs ?? 0;
  const heard = await audioOf(rig, segments);
  const first = heard[0]?.at90k ?? 0;
  t.true(first >= gotMs * 90, 'nothing from before the press');
  t.true(first <= (gotMs + 150) * 90, 'and hardly anything after it is missing');
  const numbers = heard.map(({ number }) => number ?? -1);
  t.deepEqual(
    numbers,
    numbers.map((_, index) => (numbers[0] ?? 0) + index),
    'no frame lost or doubled',
  );
  for (const [index, { at90k }] of heard.entries()) {
    t.true(Math.abs(at90k - first - index * FRAME_90K) <= 4, `frame ${index} in its place`);
  }
  const total90k = segments.flatMap((s) => s.fragments).reduce((sum, f) => sum + f.duration90k, 0);
  t.true(total90k - (heard.at(-1)?.at90k ?? 0) < 150 * 90);
  t.deepEqual(silenceOf(segments), []);
});

test('moofs of both tracks count up together in a segment', async (t) => {
  const rig = await rigWithAudio({ preEventMs: 0 }).start(3000);
  await rig.press();
  await rig.wait(8000);
  const [segment] = rig.sink.of(1);
  const moofs = segment?.fragments.flatMap(({ parts }) => parts.filter((_, n) => n % 2 === 0));
  const tables = (moofs ?? []).map((moof) => readMoof(moof));
  t.deepEqual(
    tables.map(({ sequence }) => sequence),
    tables.map((_, index) => index + 1),
  );
  t.deepEqual([...new Set(tables.map(({ track }) => track))].sort(), [1, 2]);
});

test('with pre-event audio the recording is heard from its beginning', async (t) => {
  const rig = await rigWithAudio({ preEventMs: 3000, isPreEventAudio: true }).start(6500);
  await rig.press();
  await rig.wait(3000);
  const heard = await audioOf(rig, rig.sink.of(1));
  t.true((heard[0]?.at90k ?? Infinity) < FRAME_90K);
});

test('a microphone that dies delays no picture: silence takes its place, and the loss is told', async (t) => {
  const rig = await rigWithAudio({ preEventMs: 0 }).start(3000);
  await rig.press();
  await rig.wait(4000);
  rig.video.setHearing(false);
  const before = rig.sink.of(1).flatMap(({ fragments }) => fragments).length;
  await rig.wait(5000);
  const after = rig.sink.of(1).flatMap(({ fragments }) => fragments);
  t.true(after.filter(({ frames }) => frames > 0).length >= before + 5);
  await rig.press(3100);
  await rig.wait(1500);
  const heard = await audioOf(rig, rig.sink.of(1));
  for (const [index, { at90k }] of heard.entries()) {
    t.true(Math.abs(at90k - (heard[0]?.at90k ?? 0) - index * FRAME_90K) <= 4, `frame ${index}`);
  }
  const intervals = silenceOf(rig.sink.of(1)) as { kind: string; fromMs: number; toMs: number }[];
  t.true(intervals.length > 0 && intervals.every(({ kind }) => kind === 'audio-lost'));
  t.is(rig.video.runs, 1, 'the run goes on');
  t.true(JSON.stringify(rig.journal).includes('capture/audio-lost'));
});

test('a lost microphone is tried again when nothing is recorded, and heard again', async (t) => {
  const rig = await rigWithAudio({ preEventMs: 0 }).start(3000);
  rig.video.setHearing(false);
  await rig.wait(5000);
  await rig.press();
  await rig.wait(70_000);
  t.is(rig.video.runs, 1, 'a recording is never interrupted for it');
  rig.video.setHearing(true);
  await rig.press(3100);
  await rig.wait(5000);
  t.is(rig.video.runs, 2);
  await rig.press();
  await rig.wait(3000);
  t.true((await audioOf(rig, rig.sink.of(2))).some(({ number }) => number !== undefined));
});

test('a pipeline that does not start with its microphone starts without it', async (t) => {
  const rig = new RecorderRig({ launchWithAudio: 'alsasrc ! appsink name=audio no sink' });
  await rig.start(5000);
  t.is(rig.recorder.status().mode, 'buffering');
  t.is(rig.video.runs, 2);
  t.true(JSON.stringify(rig.journal).includes('capture/audio-lost'));
  await rig.press();
  await rig.wait(3000);
  await rig.press(3100);
  await rig.wait(1500);
  t.deepEqual(await audioOf(rig, rig.sink.of(1)), []);
  const kinds = silenceOf(rig.sink.of(1)).map((interval) => (interval as { kind: string }).kind);
  t.deepEqual([...new Set(kinds)], ['audio-lost']);
});

test('the function button mutes: silence from the press on, pictures go on, told with the segment', async (t) => {
  const rig = await rigWithAudio({
    preEventMs: 0,
    policy: { ...RIG_SETTINGS.policy, mute: 'toggle' },
  }).start(3000);
  await rig.press();
  await rig.wait(2000);
  await rig.press(200, 'function');
  await rig.wait(2000);
  await rig.press(200, 'function');
  await rig.wait(2000);
  await rig.press(3100);
  await rig.wait(1500);
  const segments = rig.sink.of(1);
  const heard = await audioOf(rig, segments);
  const intervals = silenceOf(segments) as { kind: string; fromMs: number; toMs: number }[];
  t.true(intervals.length > 0 && intervals.every(({ kind }) => kind === 'mute'));
  const [fromMs, toMs] = [intervals[0]?.fromMs ?? 0, intervals.at(-1)?.toMs ?? 0];
  t.true(toMs - fromMs > 2100 && toMs - fromMs < 2500, `${toMs - fromMs} ms`);
  for (const { at90k, number } of heard) {
    const isMuted = at90k >= fromMs * 90 && at90k < toMs * 90;
    if (isMuted) t.is(number, undefined);
  }
  t.true(heard.some(({ at90k, number }) => number !== undefined && at90k > toMs * 90));
});

test('a recording that rolls over to the next is heard on from its first picture', async (t) => {
  const rig = await rigWithAudio({ preEventMs: 0, recordingMsMax: 6000 }).start(3000);
  await rig.press();
  await rig.wait(9000);
  const [first] = await audioOf(rig, rig.sink.of(2));
  t.true(first !== undefined && first.at90k < FRAME_90K);
  const before = (await audioOf(rig, rig.sink.of(1))).at(-1)?.number ?? 0;
  t.true(
    (first?.number ?? Infinity) - before < 6,
    'at most what had not come at the seam is missing',
  );
});

test('without a microphone nothing is said about sound', async (t) => {
  const rig = await new RecorderRig({ preEventMs: 0 }).start(3000);
  await rig.press();
  await rig.wait(3000);
  await rig.press(3100);
  await rig.wait(1500);
  const segments = rig.sink.of(1);
  t.deepEqual(silenceOf(segments), []);
  t.true(segments.length > 0);
  for (const segment of segments) {
    const reader = await SegmentReader.open(bytesSource(rig.sink.bytesOf(segment)));
    t.is(reader.audioConfig, undefined);
  }
});
