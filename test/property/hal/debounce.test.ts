import test from 'ava';
import fc from 'fast-check';
import { Button } from '../../../src/hal/drivers/button.js';
import type { ButtonEdge } from '../../../src/hal/drivers/debounce.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { SimGpio } from '../../../src/hal/sim/sim-gpio.js';

const SPEC = { chip: 'chip', line: 0, activeLow: true, debounceIntervalMs: 30 };

/** A press of a finger: contact bounces shorter than 30 ms apart, then a quiet hold, the same at the release. */
const bounces = fc.array(fc.integer({ min: 1, max: 29 }), { maxLength: 6 });
const press = fc.record({
  bounceDown: bounces,
  holdMs: fc.integer({ min: 30, max: 1500 }),
  bounceUp: bounces,
  restMs: fc.integer({ min: 30, max: 1500 }),
});

test('every press starts exactly one press and one release, and no edge goes unreported', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(press, { minLength: 1, maxLength: 8 }), async (presses) => {
      const clock = new SimClock();
      const gpio = new SimGpio(clock, { chip: { lines: 1 } });
      gpio.drive(SPEC, true);
      const button = await Button.open(await gpio.openInput(SPEC), SPEC, clock, (error) => {
        throw error;
      });
      const edges: ButtonEdge[] = [];
      button.watch((edge) => edges.push(edge));

      let driven = 0;
      const set = (isPressed: boolean): void => {
        gpio.drive(SPEC, !isPressed);
        driven += 1;
      };
      /** Goes to a level through bounces, an even number of them so that it ends there. */
      const settle = async (isPressed: boolean, gapsMs: readonly number[]): Promise<void> => {
        set(isPressed);
        for (const [index, gapMs] of gapsMs.slice(0, gapsMs.length & ~1).entries()) {
          await clock.advance(gapMs);
          set(index % 2 === 0 ? !isPressed : isPressed);
        }
      };
      const pressedAt: number[] = [];
      for (const { bounceDown, holdMs, bounceUp, restMs } of presses) {
        pressedAt.push(clock.monotonicMs());
        await settle(true, bounceDown);
        t.true(button.isPressed);
        await clock.advance(holdMs);
        await settle(false, bounceUp);
        await clock.advance(restMs);
        t.false(button.isPressed);
      }

      t.is(edges.length, driven);
      const counting = edges.filter(({ isBounce }) => !isBounce);
      t.deepEqual(
        counting.map(({ isPressed }) => isPressed),
        presses.flatMap(() => [true, false]),
      );
      t.deepEqual(
        counting.filter(({ isPressed }) => isPressed).map(({ at }) => Number(at)),
        pressedAt,
      );
      await button.close();
      t.is(clock.timers, 0);
    }),
    { numRuns: 60 },
  );
});

test('however the contact chatters, the button ends at the level of the line', async (t) => {
  const chatter = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 60 })), {
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(chatter, async (steps) => {
      const clock = new SimClock();
      const gpio = new SimGpio(clock, { chip: { lines: 1 } });
      gpio.drive(SPEC, true);
      const button = await Button.open(await gpio.openInput(SPEC), SPEC, clock, (error) => {
        throw error;
      });
      let last: ButtonEdge | undefined;
      button.watch((edge) => {
        if (!edge.isBounce) last = edge;
      });
      for (const [isHigh, waitMs] of steps) {
        gpio.drive(SPEC, isHigh);
        await clock.advance(waitMs);
      }
      await clock.advance(30);
      t.is(button.isPressed, !gpio.isHigh(SPEC));
      t.is(last?.isPressed ?? false, button.isPressed);
      await button.close();
    }),
    { numRuns: 60 },
  );
});
