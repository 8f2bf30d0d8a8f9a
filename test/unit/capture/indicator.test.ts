import test from 'ava';
import {
  activeStates,
  fineFacts,
  lightsFor,
  repeated,
  type IndicatorFacts,
  type Lights,
} from '../../../src/capture/indicator.js';
import type { Shown } from '../../../src/capture/ports.js';
import { indicatorTable, stateNames } from '../../../src/config/indicators.js';

const TABLE = indicatorTable();
const MODES = ['idle', 'asleep', 'buffering', 'recording', 'post-event', 'fault'] as const;

function look(mode: Shown['mode'], more: Partial<Shown & IndicatorFacts> = {}): Lights {
  const quiet = { isDurable: true, isMuted: false, isStealthy: false, isPicking: false };
  const active = activeStates({ mode, ...quiet, ...more }, { ...fineFacts, ...more });
  return lightsFor(TABLE, active);
}

test('the record light is lit only while something recorded becomes durable', (t) => {
  for (const mode of MODES) {
    const isRecording = mode === 'recording' || mode === 'post-event';
    t.is(look(mode).record !== 'off', isRecording, mode);
    t.is(look(mode, { isDurable: false, isMuted: true }).record, 'off', mode);
  }
});

test('a recording that does not become durable shows as a fault, whatever runs low beside it', (t) => {
  for (const mode of ['recording', 'post-event'] as const) {
    const low = { isBatteryLow: true, isClockUnset: true, isReady: false } as const;
    t.deepEqual(look(mode, { isDurable: false, ...low }).fault, { blinkMs: 1000 });
    t.is(look(mode).fault, 'off');
  }
});

test('each state a wearer must tell apart looks different', (t) => {
  const looks = [
    ...MODES.filter((mode) => mode !== 'asleep').map((mode) => look(mode)),
    look('recording', { isDurable: false }),
    look('recording', { isReady: false }),
    look('recording', { isMuted: true }),
    look('buffering', { isReady: false }),
    look('buffering', { isPicking: true }),
    look('buffering', { dock: 'uploading' }),
    look('buffering', { dock: 'uploaded' }),
    look('buffering', { storage: 'hour' }),
    look('recording', { isBatteryLow: true }),
  ].map((lights) => JSON.stringify(lights));
  t.is(new Set(looks).size, looks.length);
});

test('the status light tells that a press would be recorded from the buffer', (t) => {
  for (const mode of MODES) {
    t.is(look(mode).status !== 'off', mode === 'buffering', mode);
  }
});

test('a camera with a broken part shows steady amber and no ready light, and still its recording', (t) => {
  const broken = { isReady: false };
  t.deepEqual(look('buffering', broken), { record: 'off', status: 'off', fault: 'on' });
  t.deepEqual(look('recording', broken), { record: 'on', status: 'off', fault: 'on' });
  for (const mode of ['idle', 'fault'] as const) t.deepEqual(look(mode, broken), look(mode));
});

test('a recording that starts in the dock shows itself and not the upload', (t) => {
  t.deepEqual(look('recording', { dock: 'uploading' }), look('recording'));
});

test('stealth is dark in every state there is', (t) => {
  for (const mode of MODES) {
    for (const isReady of [true, false]) {
      const all = { isReady, isDurable: isReady, isMuted: true, isPicking: true } as const;
      const low = { isBatteryLow: true, isClockUnset: true, storage: 'half-hour' } as const;
      t.deepEqual(look(mode, { ...all, ...low, dock: 'uploading', isStealthy: true }), {
        record: 'off',
        status: 'off',
        fault: 'off',
      });
    }
  }
});

test('every row of the table holds in some state', (t) => {
  const seen = new Set<string>();
  const quiet = { isDurable: false, isMuted: true, isStealthy: false, isPicking: true };
  const low = { isReady: false, isBatteryLow: true, isClockUnset: true };
  for (const mode of MODES) {
    for (const dock of ['uploading', 'uploaded'] as const) {
      for (const storage of ['hour', 'half-hour'] as const) {
        for (const name of activeStates({ mode, ...quiet }, { ...low, dock, storage })) {
          seen.add(name);
        }
      }
    }
  }
  t.deepEqual([...seen].sort(), [...stateNames].sort());
});

test('a counted signal has as many pulses as its number, from 1 to 8', (t) => {
  t.deepEqual(repeated([100], 1), [100]);
  t.deepEqual(repeated([100], 3), [100, 200, 100, 200, 100]);
  t.is(repeated([100], 99).length, 15);
  t.deepEqual(repeated([], 3), []);
});
