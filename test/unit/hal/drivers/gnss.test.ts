import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { CameraError } from '../../../../src/errors.js';
import type { GnssFix } from '../../../../src/hal/drivers/gnss-fix.js';
import { judgeTime, startGnssTime } from '../../../../src/hal/drivers/gnss-time.js';
import { Gnss } from '../../../../src/hal/drivers/gnss.js';
import type { SerialPort } from '../../../../src/hal/ports/serial.js';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { SimGnss, nmea } from '../../../../src/hal/sim/sim-gnss.js';
import { SimSerial } from '../../../../src/hal/sim/sim-serial.js';
import { monotonicMs, wallTimeMs } from '../../../../src/units.js';

const PATH = '/dev/ttyAMA0';

function bench(t: ExecutionContext, wrap: (serial: SimSerial) => SerialPort = (serial) => serial) {
  const clock = new SimClock();
  const serial = new SimSerial();
  const receiver = new SimGnss(serial, PATH, clock);
  const states: (string | undefined)[] = [];
  const faults: CameraError[] = [];
  const gnss = Gnss.start(wrap(serial), { path: PATH, baudRate: 9600 }, clock, (fault) => {
    states.push(fault?.code);
    if (fault !== undefined) faults.push(fault);
  });
  const fixes: GnssFix[] = [];
  gnss.watch((fix) => fixes.push(fix));
  t.teardown(() => gnss.close());
  return { clock, serial, receiver, gnss, fixes, states, faults };
}

const rmcAt = (time: string): string =>
  nmea(`GPRMC,${time},A,4717.11399,N,00833.91590,E,10.0,77.52,091226,,,A`);
const GGA = nmea('GPGGA,092725.00,4717.11399,N,00833.91590,E,1,08,1.01,499.6,M,48.0,M,,');

test('a fix comes each second, with the time of the sentence and of its arrival', async (t) => {
  const { clock, gnss, fixes, states } = bench(t);
  await clock.advance(3_000);
  t.is(fixes.length, 3);
  t.deepEqual(states, [undefined]);
  t.deepEqual(
    fixes.map(({ at }) => Number(at)),
    [1_000, 2_000, 3_000],
  );
  t.is(fixes[2]?.utcMs, clock.wallTime().ms);
  t.is(fixes[2]?.uncertaintyMs, 500);
  t.is(fixes[2]?.satellites, 9);
  t.is(fixes[2]?.altitudeM, 46);
  t.is(gnss.fix(), fixes[2]);
  t.deepEqual(gnss.counts, { sentences: 6, badChecksum: 0, refused: 0, overlong: 0, opened: 1 });
});

test('a fix is good for 2 s', async (t) => {
  const { clock, receiver, gnss } = bench(t);
  receiver.close();
  await clock.advance(10);
  receiver.play([rmcAt('092725.00')]);
  await clock.advance(2_000);
  t.truthy(gnss.fix());
  await clock.advance(1);
  t.is(gnss.fix(), undefined);
});

test('a receiver without a fix has none, and no fault', async (t) => {
  const { clock, receiver, gnss, fixes, states } = bench(t);
  await clock.advance(2_000);
  receiver.setFix(false);
  await clock.advance(1_000);
  t.is(gnss.fix(), undefined);
  await clock.advance(10_000);
  t.is(fixes.length, 2);
  t.deepEqual(states, [undefined]);
  receiver.setFix(true);
  // The GGA of the second before still denies it.
  await clock.advance(2_000);
  t.truthy(gnss.fix());
});

test('whichever sentence comes first: quality 0 or mode 1 stands against an RMC', async (t) => {
  const { clock, receiver, gnss, fixes } = bench(t);
  receiver.close();
  await clock.advance(10);
  const denials = [
    nmea('GPGGA,092725,,,,,0,00,99.99,,,,,,'),
    nmea('GNGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99'),
  ];
  for (const denial of denials) {
    receiver.play([denial, rmcAt('092725.00')]);
    t.is(gnss.fix(), undefined);
    await clock.advance(2_001);
    receiver.play([rmcAt('092726.00')]);
    t.truthy(gnss.fix());
    receiver.play([denial]);
    t.is(gnss.fix(), undefined);
    await clock.advance(2_001);
  }
  t.is(fixes.length, 2);
});

test('what is wrong is counted and has no effect', async (t) => {
  const { clock, receiver, gnss, fixes } = bench(t);
  receiver.close();
  await clock.advance(10);
  receiver.play([
    rmcAt('092725.00').replace('4717', '4718'),
    nmea('GPRMC,092725.00,A,4717.11399,N,00833.91590,E,10.0,77.52,060180,,,A'),
    `$${'x'.repeat(100)}`,
    '$GPRMC,0927',
    GGA,
  ]);
  t.is(fixes.length, 0);
  t.is(gnss.fix(), undefined);
  t.deepEqual(gnss.counts, { sentences: 2, badChecksum: 2, refused: 1, overlong: 1, opened: 1 });
});

for (const isNoticed of [true, false]) {
  test(`a line that is pulled is opened again when it is back, its end noticed: ${isNoticed}`, async (t) => {
    const { clock, serial, gnss, fixes, states } = bench(t);
    await clock.advance(2_000);
    serial.unplug(PATH, { isNoticed });
    // The simulated receiver does not know; it would talk into a line that is gone.
    const silent = isNoticed ? 'hal/disconnected' : 'hal/no-data';
    t.deepEqual(states, isNoticed ? [undefined, silent] : [undefined]);
    t.is(fixes.length, 2);
    await t.throwsAsync(clock.advance(1_000), { code: 'hal/disconnected' });
    serial.plug(PATH);
    await clock.advance(12_000);
    t.is(states[1], silent);
    t.is(states.at(-1), undefined);
    t.truthy(gnss.fix());
    t.is(gnss.counts.opened, 2);
  });
}

test('a receiver that is unplugged is disconnected until it is back', async (t) => {
  const { clock, receiver, gnss, states } = bench(t);
  await clock.advance(2_000);
  receiver.unplug();
  t.is(gnss.fix(), undefined);
  await clock.advance(20_000);
  t.is(states[1], 'hal/disconnected');
  t.true(states.slice(1).every((code) => code === 'hal/disconnected'));
  receiver.plug();
  await clock.advance(7_000);
  t.is(states.at(-1), undefined);
  t.truthy(gnss.fix());
});

test('a receiver that falls silent is a fault after 3 s, and the line is opened anew', async (t) => {
  const { clock, receiver, gnss, states, faults } = bench(t);
  receiver.close();
  await clock.advance(2_900);
  t.deepEqual(states, []);
  await clock.advance(600);
  t.deepEqual(states, ['hal/no-data']);
  t.is(faults[0]?.message, `nothing comes from ${PATH}`);
  await clock.advance(1_000);
  t.is(gnss.counts.opened, 2);
  receiver.play([GGA]);
  t.deepEqual(states, ['hal/no-data', undefined]);
});

test('noise is no sentence: a wrong speed is told as such', async (t) => {
  const { clock, receiver, serial, faults } = bench(t);
  receiver.close();
  for (let second = 0; second < 4; second += 1) {
    await clock.advance(900);
    serial.feed(PATH, Buffer.from([0xf8, 0x00, 0x24, 0xe6, 0x0a]));
  }
  t.is(faults[0]?.code, 'hal/no-data');
  t.is(faults[0]?.message, `no sentence among the bytes of ${PATH} at 9600 baud`);
});

test('a line that opens too late is closed again', async (t) => {
  const late: (() => void)[] = [];
  let opened = 0;
  let closed = 0;
  const { clock, states, receiver } = bench(t, () => ({
    open: () =>
      new Promise((resolve) => {
        opened += 1;
        late.push(() => {
          resolve({
            write: () => Promise.resolve(),
            close: () => {
              closed += 1;
              return Promise.resolve();
            },
          });
        });
      }),
  }));
  receiver.close();
  await clock.advance(5_500);
  t.deepEqual(states, ['hal/no-data']);
  late[0]?.();
  await clock.advance(500);
  t.is(closed, 1);
  t.is(opened, 2);
  late[1]?.();
  await clock.advance(1_000);
  t.is(closed, 1);
});

test('after closing nothing is heard, no timer is left and the line is free', async (t) => {
  const { clock, serial, receiver, gnss, fixes } = bench(t);
  await clock.advance(1_000);
  await gnss.close();
  receiver.play([rmcAt('092725.00')]);
  t.is(fixes.length, 1);
  t.is(serial.baudRate(PATH), undefined);
  receiver.close();
  t.is(clock.timers, 0);
});

const fixAt = (at: number, utcMs: number): GnssFix => ({
  at: monotonicMs(at),
  utcMs: wallTimeMs(utcMs),
  uncertaintyMs: 500,
  latitude: 0,
  longitude: 0,
  speedMps: undefined,
  courseDeg: undefined,
  altitudeM: undefined,
  satellites: undefined,
  hdop: undefined,
  dimension: undefined,
});
const T0 = Date.UTC(2026, 10, 2);

function marks(...fixes: readonly (readonly [at: number, utcMs: number])[]) {
  let state = startGnssTime;
  return fixes.map(([at, utcMs]) => {
    const judged = judgeTime(state, fixAt(at, T0 + utcMs));
    state = judged.state;
    return judged.mark && Number(judged.mark.wall.ms) - T0 - judged.mark.at;
  });
}

test('time is believed from the third fix on that agrees', (t) => {
  t.deepEqual(marks([1_000, 0], [2_000, 1_000], [3_000, 2_000], [4_000, 3_000]), [
    undefined,
    undefined,
    -1_000,
    -1_000,
  ]);
});

test('the fix that arrived least late sets the time', (t) => {
  t.deepEqual(marks([1_200, 0], [2_050, 1_000], [3_200, 2_000]), [undefined, undefined, -1_050]);
});

test('a jump of the time, a gap, or a clock that stands starts from the beginning', (t) => {
  for (const third of [
    [3_000, 3_000],
    [3_000, 1_700],
    [3_000, 1_000],
    [14_000, 13_000],
  ] as const) {
    const [, , mark] = marks([1_000, 0], [2_000, 1_000], third);
    t.is(mark, undefined, String(third));
  }
  t.deepEqual(marks([1_000, 0], [2_000, 1_000], [3_000, 3_000], [4_000, 4_000], [5_000, 5_000]), [
    undefined,
    undefined,
    undefined,
    undefined,
    0,
  ]);
});

test('a mark says its source and how far it may be off', (t) => {
  let state = startGnssTime;
  for (const second of [0, 1, 2]) {
    const { state: next, mark } = judgeTime(state, fixAt(second * 1_000, T0 + second * 1_000));
    state = next;
    if (second < 2) continue;
    t.deepEqual(mark, {
      at: monotonicMs(2_000),
      wall: { ms: wallTimeMs(T0 + 2_000), source: 'gnss', uncertaintyMs: 500 },
    });
  }
});
