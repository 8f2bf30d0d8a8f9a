import test from 'ava';
import { AudioReader } from '../../../src/capture/audio-reader.js';
import {
  audioCapsPacket,
  capsPacket,
  segmentPacket,
  unitPacket,
} from '../../../src/hal/sim/gdp-writer.js';
import { AUDIO_CONFIG } from '../../support/synthetic-audio.js';
import { FORMAT } from '../../support/synthetic-video.js';

const malformed = { code: 'capture/malformed-stream' };
const FRAME = Buffer.from('0118200701000100', 'hex');
const FRAME_NS = 21_333_333n;
const CAPS = audioCapsPacket(AUDIO_CONFIG);

test('a stream gives its config once, then frames at the time at which their sound was heard', (t) => {
  const reader = new AudioReader();
  const start = 5_000_000_000n;
  const frames = [1n, 2n, 3n].map((n) => unitPacket(FRAME, start + n * FRAME_NS, FRAME_NS, false));
  const items = reader.push(Buffer.concat([CAPS, segmentPacket(start), CAPS, ...frames]));
  t.deepEqual(items[0], { type: 'format', config: AUDIO_CONFIG });
  t.deepEqual(
    items.slice(1).map((item) => (item.type === 'packet' ? (item.packet.start90k as number) : -1)),
    [0, 1920, 3840],
    'the encoder says a frame later than the sound is',
  );
});

test('another sound than AAC-LC of 48 kHz and one channel is refused', (t) => {
  const text = (from: string, to: string): Buffer => {
    const wrong = Buffer.from(CAPS);
    wrong.write(to, wrong.indexOf(from), 'latin1');
    return wrong;
  };
  const sbr = audioCapsPacket(Buffer.from('2b92', 'hex'));
  for (const wrong of [
    text('48000', '44100'),
    text('channels=(int)1', 'channels=(int)2'),
    text('string)raw', 'string)adt'),
    sbr,
    audioCapsPacket(Buffer.alloc(0)),
    capsPacket(FORMAT.avcC, 320, 240),
  ]) {
    t.throws(() => new AudioReader().push(wrong), malformed);
  }
});

test('a frame before its caps, without a time, or longer than AAC allows is refused', (t) => {
  t.throws(() => new AudioReader().push(unitPacket(FRAME, 0n, 0n, false)), malformed);
  for (const wrong of [
    unitPacket(FRAME, 0xffff_ffff_ffff_ffffn, 0n, false),
    unitPacket(Buffer.alloc(1537), 0n, 0n, false),
  ]) {
    const reader = new AudioReader();
    reader.push(CAPS);
    t.throws(() => reader.push(wrong), malformed);
    t.throws(() => reader.push(CAPS), malformed, 'and stays refused');
  }
});
