import test from 'ava';
import {
  FRAME_TIME_NAL_BYTES,
  frameTimeNal,
  readFrameTime,
  type FrameTime,
} from '../../../src/capture/frame-time-sei.js';
import { readSei, seiNal } from '../../../src/capture/sei.js';

const TIME: FrameTime = {
  utcMicros: 1_795_514_400_123_456, // 2026-11-24T10:00:00.123456Z
  isLocked: true,
  isStep: false,
  isBackwards: false,
};

const inUnit = (...nals: readonly Buffer[]): Buffer =>
  Buffer.concat(
    nals.map((nal) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(nal.length);
      return Buffer.concat([length, nal]);
    }),
  );

test('a frame time is the SEI of MISB ST 0604, byte by byte', (t) => {
  t.is(
    frameTimeNal(TIME).toString('hex'),
    // SEI, user_data_unregistered, 28 bytes, "MISPmicrosectime", status, time with its guards, stop bit
    '06051c' + '4d4953506d6963726f73656374696d65' + '1f' + '0006ff6102ffc602ff2a40' + '80',
  );
  t.is(frameTimeNal(TIME).length, FRAME_TIME_NAL_BYTES);
});

test('the status byte says what is not sure', (t) => {
  const status = (fields: Partial<FrameTime>): number =>
    frameTimeNal({ ...TIME, ...fields }).readUInt8(19);
  t.is(status({}), 0x1f);
  t.is(status({ isLocked: false }), 0x9f);
  t.is(status({ isStep: true }), 0x5f);
  t.is(status({ isLocked: false, isStep: true, isBackwards: true }), 0xff);
  t.is(status({ isBackwards: true }), 0x1f, 'only a step can go backwards');
});

test('a frame time is found beside the SEI of an encoder', (t) => {
  const foreign = seiNal({ type: 5, payload: Buffer.alloc(700, 'x264') });
  const slice = Buffer.from('65888400', 'hex');
  t.deepEqual(readFrameTime(inUnit(foreign, frameTimeNal(TIME), slice)), TIME);
  t.is(readFrameTime(inUnit(foreign, slice)), undefined);
  t.is(readFrameTime(inUnit(slice)), undefined);
});

test('a frame time without its guards, or longer than it is, is refused', (t) => {
  const [message] = readSei(frameTimeNal(TIME));
  const payload = Buffer.from(message?.payload ?? '');
  payload.writeUInt8(0, 22);
  for (const bad of [payload, payload.subarray(0, 27), Buffer.concat([payload, payload])]) {
    t.throws(() => readFrameTime(inUnit(seiNal({ type: 5, payload: bad }))), {
      code: 'evidence/malformed',
    });
  }
});

test('zeros in a payload never look like a start code', (t) => {
  const payload = Buffer.from('00000000000001000002000003000004', 'hex');
  const nal = seiNal({ type: 5, payload });
  t.is(
    nal.toString('hex'),
    '060510' + '00000300000300000301' + '00000302' + '00000303' + '000004' + '80',
  );
  t.deepEqual(readSei(nal), [{ type: 5, payload }]);
});

test('an SEI that is cut is refused; another NAL unit is none', (t) => {
  for (const hex of ['06', '0605', '060502aa', '060502aabb', '060501aa8000']) {
    t.throws(() => readSei(Buffer.from(hex, 'hex')), { code: 'evidence/malformed' }, hex);
  }
  t.deepEqual(readSei(Buffer.from('65888400', 'hex')), []);
  t.deepEqual(readSei(Buffer.alloc(0)), []);
});
