import { setTimeout as wait } from 'node:timers/promises';
import { SystemClock } from '../../src/hal/linux/system-clock.js';
import { SimClock } from '../../src/hal/sim/sim-clock.js';
import { SimWallClock } from '../../src/hal/sim/sim-wall-clock.js';
import { clockContract } from './clock-contract.js';

clockContract('SystemClock', () => ({ clock: new SystemClock(), pass: (ms) => wait(ms) }));

clockContract('SimClock', () => {
  const clock = new SimClock();
  return { clock, pass: (ms) => clock.advance(ms) };
});

clockContract('SimWallClock', () => {
  const inner = new SimClock();
  return { clock: new SimWallClock(inner), pass: (ms) => inner.advance(ms) };
});
