import test from 'ava';
import { lightsFor } from '../../../src/capture/indicator.js';
import type { RecorderMode } from '../../../src/capture/ports.js';

const FINE = { isDurable: true, isReady: true };
const LATE = { isDurable: false, isReady: true };
const MODES: readonly RecorderMode[] = ['idle', 'buffering', 'recording', 'post-event', 'fault'];

test('the record light is lit only while something recorded becomes durable', (t) => {
  for (const mode of MODES) {
    const lit = lightsFor(mode, FINE).record !== 'off';
    t.is(lit, mode === 'recording' || mode === 'post-event', mode);
    t.is(lightsFor(mode, LATE).record, 'off', mode);
  }
});

test('a recording that does not become durable shows as a fault', (t) => {
  for (const mode of ['recording', 'post-event'] as const) {
    t.not(lightsFor(mode, LATE).fault, 'off');
    t.is(lightsFor(mode, FINE).fault, 'off');
  }
});

test('each state a wearer must tell apart looks different', (t) => {
  const looks = [
    ...MODES.map((mode) => lightsFor(mode, FINE)),
    lightsFor('recording', LATE),
    lightsFor('recording', { ...FINE, isReady: false }),
    lightsFor('buffering', { ...FINE, isReady: false }),
  ].map((lights) => JSON.stringify(lights));
  t.is(new Set(looks).size, looks.length);
});

test('the status light is lit exactly while a press would be recorded from the buffer', (t) => {
  for (const mode of MODES) {
    t.is(lightsFor(mode, FINE).status !== 'off', mode === 'buffering', mode);
  }
});

test('a camera with a broken part shows steady amber and no ready light, and still its recording', (t) => {
  const broken = { isDurable: true, isReady: false };
  t.deepEqual(lightsFor('buffering', broken), { record: 'off', status: 'off', fault: 'on' });
  t.deepEqual(lightsFor('recording', broken), { record: 'on', status: 'off', fault: 'on' });
  for (const mode of ['idle', 'fault'] as const) {
    t.deepEqual(lightsFor(mode, broken), lightsFor(mode, FINE));
  }
});
