import test from 'ava';
import fc from 'fast-check';
import { BLIND_LOOKS, HOT_LOOKS, judgeHeat, startHeat } from '../../../../src/hal/drivers/heat.js';

const limits = { limitC: 85, clearC: 75 };

/** What is said after each look. */
function looks(...temperatures: readonly (number | undefined)[]): boolean[] {
  let state = startHeat;
  return temperatures.map((celsius) => {
    state = judgeHeat(state, celsius, limits);
    return state.isHot;
  });
}

test('it is too hot at the second look in a row at the limit, and no longer when it has cooled down by far', (t) => {
  t.deepEqual(looks(84.9, 85, 84.9, 85, 85, 84, 75.1, 75, 84.9), [
    ...[false, false, false, false, true, true, true, false, false],
  ]);
});

test('a look that gives nothing neither heats nor cools, until the sensor counts as dead', (t) => {
  const blind = Array<undefined>(BLIND_LOOKS).fill(undefined);
  t.deepEqual(looks(90, 90, ...blind), [false, ...Array<boolean>(BLIND_LOOKS).fill(true), false]);
  t.deepEqual(looks(90, undefined, 90), [false, false, false]);
  t.deepEqual(looks(...blind), Array<boolean>(BLIND_LOOKS).fill(false));
});

test('whatever is measured, it is hot only after enough hot looks, and never at or below where it clears', (t) => {
  const look = fc.option(fc.integer({ min: 60, max: 100 }), { nil: undefined });
  fc.assert(
    fc.property(fc.array(look, { maxLength: 60 }), (temperatures) => {
      const said = looks(...temperatures);
      for (const [index, isHot] of said.entries()) {
        const celsius = temperatures[index];
        if (isHot) t.false(celsius !== undefined && celsius <= limits.clearC);
        if (isHot && said[index - 1] !== true) {
          const last = temperatures.slice(Math.max(0, index + 1 - HOT_LOOKS), index + 1);
          t.true(last.length === HOT_LOOKS && last.every((it) => it !== undefined && it >= 85));
        }
      }
    }),
  );
});
