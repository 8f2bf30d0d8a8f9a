import test from 'ava';
import { Mutes } from '../../../src/capture/mutes.js';
import { RunClock } from '../../../src/capture/run-clock.js';
import { monotonicMs, pts90k } from '../../../src/units.js';

const at = monotonicMs;

test('a mute lasts until it is taken back; what is so already changes nothing', (t) => {
  const mutes = new Mutes();
  mutes.set(at(5), false);
  mutes.set(at(10), true);
  mutes.set(at(20), true);
  t.true(mutes.isMuted);
  mutes.set(at(30), false);
  mutes.set(at(40), false);
  t.false(mutes.isMuted);
  t.deepEqual(mutes.list(), [{ from: at(10), to: at(30) }]);
});

test('mutes that can mute nothing any more are forgotten; too many are joined, never dropped', (t) => {
  const mutes = new Mutes();
  mutes.set(at(0), true);
  mutes.set(at(10), false);
  mutes.set(at(400_000), true);
  t.deepEqual(mutes.list(), [{ from: at(400_000), to: undefined }]);
  for (let n = 0; n < 7000; n += 1) mutes.set(at(400_001 + n), n % 2 === 1);
  t.is(mutes.list().length, 3000);
  t.is(mutes.list()[0]?.from, at(400_000));
});

test('a moment of a run is known by what arrived the soonest after it', (t) => {
  const clock = new RunClock();
  clock.observe(90_000, at(5300));
  clock.observe(180_000, at(6010));
  clock.observe(270_000, at(7100));
  t.is(clock.at(pts90k(270_000)), at(7010));
});

test('the clock of a run follows a slow drift, and forgets a burst at its start', (t) => {
  const clock = new RunClock();
  for (let second = 0; second < 100; second += 1) {
    clock.observe(second * 90_000, at(second * 1000 + second * 2));
  }
  const error = clock.at(pts90k(99 * 90_000)) - (99_000 + 198);
  t.true(error <= 0 && error >= -20);
});
