import test from 'ava';
import { lightsFor } from '../../../src/capture/indicator.js';
import type { RecorderMode } from '../../../src/capture/ports.js';

const MODES: readonly RecorderMode[] = ['idle', 'buffering', 'recording', 'post-event', 'fault'];

test('the record light is lit only while something recorded becomes durable', (t) => {
  for (const mode of MODES) {
    const lit = lightsFor(mode, true).record !== 'off';
    t.is(lit, mode === 'recording' || mode === 'post-event', mode);
    t.is(lightsFor(mode, false).record, 'off', mode);
  }
});

test('a recording that does not become durable shows as a fault', (t) => {
  for (const mode of ['recording', 'post-event'] as const) {
    t.not(lightsFor(mode, false).fault, 'off');
    t.is(lightsFor(mode, true).fault, 'off');
  }
});

test('each state a wearer must tell apart looks different', (t) => {
  const looks = [...MODES.map((mode) => lightsFor(mode, true)), lightsFor('recording', false)].map(
    (lights) => JSON.stringify(lights),
  );
  t.is(new Set(looks).size, looks.length);
});

test('the status light is lit exactly while a press would be recorded from the buffer', (t) => {
  for (const mode of MODES) {
    t.is(lightsFor(mode, true).status !== 'off', mode === 'buffering', mode);
  }
});
