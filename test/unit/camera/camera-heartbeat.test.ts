import test from 'ava';
import { startHeartbeat } from '../../../src/camera-heartbeat.js';
import type { HeartbeatParts } from '../../../src/camera-heartbeat.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { silent } from '../../support/boot-fixture.js';

type Fact = Parameters<HeartbeatParts['card']['journal']['record']>[0];
type Mode = ReturnType<HeartbeatParts['recorder']['status']>['mode'];

interface Changes {
  readonly mode?: () => Mode;
  readonly isDocked?: () => boolean;
  readonly freeBytes?: () => Promise<number>;
  readonly journal?: HeartbeatParts['card']['journal'];
}

function bench(changes: Changes = {}) {
  const clock = new SimClock(0);
  const facts: (Fact & { at: number })[] = [];
  const journal = {
    record: (fact: Fact): Promise<void> => {
      facts.push({ ...fact, at: clock.monotonicMs() });
      return Promise.resolve();
    },
  };
  const {
    mode = () => 'buffering',
    isDocked = () => false,
    freeBytes = () => Promise.resolve(5000),
  } = changes;
  const card = { journal: changes.journal ?? journal, freeBytes };
  const recorder = { status: () => ({ mode: mode() }) };
  return {
    clock,
    facts,
    cancel: startHeartbeat({ clock, dock: { isDocked } }, card, recorder, silent),
  };
}

test('the log hears every 60 s that the camera lives, in every mode, until it ends', async (t) => {
  const modes = ['buffering', 'recording', 'asleep', 'fault', 'idle'] as const;
  let at = 0;
  const { clock, facts, cancel } = bench({
    mode: () => modes[at] ?? 'idle',
    isDocked: () => at === 4,
  });
  for (at = 0; at < modes.length; at += 1) await clock.advance(60_000);
  cancel();
  await clock.advance(600_000);
  t.deepEqual(
    facts,
    modes.map((mode, n) => ({
      type: 'heartbeat',
      beat: n + 1,
      mode,
      isDocked: n === 4,
      freeBytes: 5000,
      at: (n + 1) * 60_000,
    })),
  );
});

test('a card that says nothing of its room delays a beat by 2 s and costs none', async (t) => {
  const { clock, facts } = bench({ freeBytes: () => new Promise(() => undefined) });
  await clock.advance(185_000);
  t.like(facts, [
    { beat: 1, freeBytes: null, at: 62_000 },
    { beat: 2, freeBytes: null, at: 120_000 },
    { beat: 3, freeBytes: null, at: 180_000 },
  ]);
  const failing = bench({ freeBytes: () => Promise.reject(new Error('gone')) });
  await failing.clock.advance(60_000);
  t.like(failing.facts, [{ beat: 1, freeBytes: null, at: 60_000 }]);
});

test('a beat that the log does not take is missing by its number, and the next one comes', async (t) => {
  const beats: number[] = [];
  const { clock } = bench({
    journal: {
      record: (fact: Fact) => {
        if (fact.type !== 'heartbeat') return Promise.resolve();
        if (fact.beat === 2) return Promise.reject(new Error('full'));
        beats.push(fact.beat);
        return Promise.resolve();
      },
    },
  });
  await clock.advance(180_000);
  t.deepEqual(beats, [1, 3]);
});
