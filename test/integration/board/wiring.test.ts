import test from 'ava';
import { readBoard, WIRED_BOARDS } from '../../support/generated-files.js';
import { PINS, pinLabel, wiringOf } from '../../support/wiring.js';

test('the header has 28 lines, 2 pins of 3.3 V, 2 of 5 V and 8 of ground', (t) => {
  const labels = Array.from({ length: PINS }, (_, index) => pinLabel(index + 1));
  const lines = labels.filter((label) => /^GPIO\d+$/.test(label));
  t.is(new Set(lines).size, 28);
  const count = (wanted: string): number => labels.filter((label) => label === wanted).length;
  t.deepEqual([count('3V3'), count('5V'), count('GND')], [2, 2, 8]);
});

for (const name of WIRED_BOARDS) {
  test(`no two parts of ${name} share a line of the header`, async (t) => {
    const { connections, modules } = wiringOf((await readBoard(name)).board);
    const own = connections.map(({ pin }) => pin);
    // Only the lines of a bus are shared, and only among modules.
    const shared = new Set(modules.flatMap(({ pins }) => Object.keys(pins).map(Number)));
    t.deepEqual(
      own.filter((pin, index) => own.indexOf(pin) !== index || shared.has(pin)),
      [],
    );
  });
}

test('a line that is not on the header cannot be drawn', async (t) => {
  const { board } = await readBoard('raspberry-pi-5');
  const record = { ...board.leds.record, line: 28 };
  t.throws(() => wiringOf({ ...board, leds: { ...board.leds, record } }), {
    message: 'line 28 is not on the header',
  });
});
