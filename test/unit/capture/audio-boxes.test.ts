import test from 'ava';
import { ALL_FORMATS, BufferSource, EncodedPacketSink, Input } from 'mediabunny';
import {
  audioBoxes,
  readAudioConfig,
  samplesToTicks,
  toSamples,
} from '../../../src/capture/audio-boxes.js';
import { SILENT_FRAME, type LaidFrame } from '../../../src/capture/audio-track.js';
import { joinSegments, muxGop, muxInit } from '../../../src/capture/mp4.js';
import { findBox, placeMoof, readMoof } from '../../../src/capture/mp4-boxes.js';
import { bytesSource, SegmentReader } from '../../../src/capture/segment-reader.js';
import { MemoryTarget, mp4Packets } from '../../support/mp4-packets.js';
import { AUDIO_CONFIG, audioFrames } from '../../support/synthetic-audio.js';
import { accessUnits, FORMAT } from '../../support/synthetic-video.js';

const laid = (count: number, firstNumber = 0): LaidFrame[] =>
  audioFrames(count, 0, firstNumber).map(({ data, start90k }) => ({
    data,
    start90k,
    kind: 'heard',
  }));

const [unit, ...units] = accessUnits(30);
if (unit === undefined) throw new Error('no unit');
const gop = await muxGop([unit, ...units], FORMAT, 90_000);
const init = await muxInit(unit, FORMAT, AUDIO_CONFIG);

/** A segment of one second with `frames` from the sample `start` on. */
const segment = (frames: readonly LaidFrame[], start: number): Buffer =>
  Buffer.concat([init, placeMoof(gop.moof, 0, 1), gop.mdat, ...audioBoxes(frames, start, 2).parts]);

/** The audio of an MP4 as an independent reader sees it. */
async function audioPackets(bytes: Buffer): Promise<{ data: Buffer; sample: number }[]> {
  const input = new Input({ formats: ALL_FORMATS, source: new BufferSource(bytes) });
  const track = await input.getPrimaryAudioTrack();
  const packets: { data: Buffer; sample: number }[] = [];
  if (!track) return packets;
  for await (const packet of new EncodedPacketSink(track).packets()) {
    const sample = Math.round(packet.timestamp * 48_000);
    packets.push({ data: Buffer.from(packet.data), sample });
  }
  return packets;
}

async function join(segments: readonly (readonly [Buffer, number])[]): Promise<Buffer> {
  const target = new MemoryTarget();
  await joinSegments(
    segments.map(([bytes, offset90k]) => ({ source: bytesSource(bytes), offset90k })),
    target,
  );
  return target.bytes;
}

test('a tick is a sample and seven eighths of one, and an AAC frame is whole in both', (t) => {
  t.is(toSamples(1920), 1024);
  t.is(samplesToTicks(1024), 1920);
});

test('the init declares both tracks, with the config of the encoder and no wall time', async (t) => {
  const reader = await SegmentReader.open(bytesSource(init));
  t.deepEqual(reader.format, FORMAT);
  t.deepEqual(reader.audioConfig, AUDIO_CONFIG);
  t.deepEqual(await muxInit(unit, FORMAT, AUDIO_CONFIG), init, 'whenever it is made');
  t.is(readAudioConfig(gop.init.subarray(findBox(gop.init, []).end)), undefined);
});

test('a segment gives pictures and sound apart, each in its place', async (t) => {
  const frames = laid(40);
  const reader = await SegmentReader.open(bytesSource(segment(frames, 96)));
  const found: unknown[] = [];
  for await (const fragment of reader.fragments()) {
    found.push([fragment.track, fragment.offset90k, fragment.samples.length]);
    if (fragment.track !== 'audio') continue;
    t.deepEqual(
      await reader.payload(fragment),
      frames.map(({ data }) => data),
    );
  }
  t.deepEqual(found, [
    ['video', 0, 30],
    ['audio', 180, 40],
  ]);
});

test('more frames than a moof may have become several moofs without a hole', (t) => {
  const { parts, moofs } = audioBoxes(laid(1000), 7, 5);
  const tables = parts.filter((_, index) => index % 2 === 0).map((moof) => readMoof(moof));
  t.is(moofs, 3);
  t.deepEqual(
    tables.map(({ sequence, decodeTime90k, samples }) => [sequence, decodeTime90k, samples.length]),
    [
      [5, 7, 480],
      [6, 7 + 480 * 1024, 480],
      [7, 7 + 960 * 1024, 40],
    ],
  );
});

test('an export carries every frame byte for byte at its time, from where the sound begins', async (t) => {
  const [first, second] = [laid(30), laid(46, 30)];
  const bytes = await join([
    [segment(first, 48_000 - 30 * 1024), 0],
    [segment(second, 0), 90_000],
  ]);
  const packets = await audioPackets(bytes);
  t.deepEqual(
    packets.map(({ data }) => data),
    [...first, ...second].map(({ data }) => data),
  );
  t.deepEqual(
    packets.map(({ sample }) => sample),
    packets.map((_, index) => 48_000 - 30 * 1024 + index * 1024),
  );
  t.is((await mp4Packets(bytes)).length, 60);
});

test('a gap between segments is silent in an export, not a hole', async (t) => {
  const bytes = await join([
    [segment(laid(47), 0), 0],
    [segment(laid(47, 47), 100), 270_000],
  ]);
  const packets = await audioPackets(bytes);
  const gaps = packets.map(({ sample }, n) => sample - (packets[n - 1]?.sample ?? sample - 1024));
  t.true(gaps.every((gap) => gap >= 1024 && gap < 2048));
  t.true(packets.slice(47, -47).every(({ data }) => data.equals(SILENT_FRAME)));
  t.is(packets.at(-47)?.sample, 144_100);
});

test('an export without sound has no audio track, even when its segments could have had some', async (t) => {
  t.deepEqual(await audioPackets(await join([[segment([], 0), 0]])), []);
});

test('sound of another config cannot be joined; a fragment of a track that is not there is refused', async (t) => {
  const other = await muxInit(unit, FORMAT, Buffer.from('1190', 'hex'));
  const tail = segment(laid(3), 0).subarray(init.length);
  await t.throwsAsync(
    join([
      [segment(laid(3), 0), 0],
      [Buffer.concat([other, tail]), 90_000],
    ]),
    { code: 'capture/mixed-formats' },
  );
  await t.throwsAsync(join([[Buffer.concat([gop.init, tail]), 0]]), { code: 'evidence/malformed' });
});
