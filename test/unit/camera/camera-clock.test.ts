import test from 'ava';
import type { ExecutionContext } from 'ava';
import { CameraClock } from '../../../src/camera-clock.js';
import { judgeTime, startGnssTime } from '../../../src/hal/drivers/gnss-time.js';
import { Gnss } from '../../../src/hal/drivers/gnss.js';
import { PartsHealth } from '../../../src/hal/parts-health.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { SimGnss, nmea } from '../../../src/hal/sim/sim-gnss.js';
import { SimSerial } from '../../../src/hal/sim/sim-serial.js';
import { Journal } from '../../../src/storage/journal.js';
import { wallTimeMs } from '../../../src/units.js';
import { newDevice, silent, startBoot } from '../../support/boot-fixture.js';
import type { BootFixture } from '../../support/boot-fixture.js';
import { entriesOf } from '../../support/card-fixture.js';
import { RecorderRig } from '../../support/recorder-rig.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

interface Bench extends BootFixture {
  readonly health: PartsHealth;
  readonly time: CameraClock;
}

async function bench(t: ExecutionContext): Promise<Bench> {
  const boot = await startBoot({ device: newDevice() });
  const health = new PartsHealth();
  const time = new CameraClock({ clock: boot.clock, health, log: silent });
  time.start(new Journal(boot.entries));
  t.teardown(() => {
    time.close();
  });
  return { ...boot, health, time };
}

const codes = (health: PartsHealth): string[] =>
  health.faults().map(({ part, fault }) => `${part} ${fault.code}`);

test('a step is in the signed log within a second, with from, to, source and uncertainty; the clock is a fault until it is back', async (t) => {
  const { clock, entries, health, time, ...boot } = await bench(t);
  const before = clock.wallTime();
  await clock.advance(5_000);
  clock.jumpWall(DAY);
  await clock.advance(1_000);
  await entries.settled();
  t.deepEqual(codes(health), ['clock hal/clock-jumped']);
  t.true(time.status().isDoubted);
  t.is(time.status().utc, new Date(before.ms + 6_000).toISOString());
  clock.jumpWall(-DAY);
  await clock.advance(1_000);
  await entries.settled();
  t.deepEqual(codes(health), []);
  t.false(time.status().isDoubted);
  const said = (offMs: number): object => ({
    source: 'ntp',
    wall_ms: before.ms + offMs,
    uncertainty_ms: 20,
  });
  const device = { v: 1, type: 'clock-set', device: 'cam-1', boot: 1 };
  t.deepEqual<unknown, unknown>(entriesOf({ ...boot, clock, entries }), [
    {
      ...device,
      ...{ mono: 7_000, at: 7_000, step_ms: DAY, believed: false },
      from: said(6_000),
      time: said(DAY + 6_000),
    },
    {
      ...device,
      ...{ mono: 8_000, at: 8_000, step_ms: -DAY, believed: true },
      from: said(DAY + 7_000),
      time: said(7_000),
    },
  ]);
});

test('an unset clock is a fault of the part clock; a satellite fix ends it with a signed correction beside the original', async (t) => {
  const { clock, entries, health, time, ...boot } = await bench(t);
  const truth = clock.wallTime().ms;
  clock.setWall({ ms: wallTimeMs(0), source: 'unset', uncertaintyMs: 60_000 });
  const cold = new CameraClock({ clock, health, log: silent });
  cold.start(new Journal(entries));
  t.deepEqual(codes(health), ['clock hal/clock-unset']);
  t.false(cold.status().isSet);
  time.close();
  await clock.advance(10_000);
  clock.setWall({ ms: wallTimeMs(truth + 10_000), source: 'gnss', uncertaintyMs: 500 });
  await clock.advance(1_000);
  await entries.settled();
  cold.close();
  t.deepEqual(codes(health), []);
  const log = entriesOf({ ...boot, clock, entries });
  t.deepEqual(
    log.map(({ type }) => type),
    ['clock-set', 'time-correction'],
  );
  const correction = log.find(({ type }) => type === 'time-correction');
  t.like(correction, {
    at: 12_000,
    before: { source: 'unset', wall_ms: 11_000 },
    after: { source: 'gnss', wall_ms: truth + 11_000, uncertainty_ms: 500 },
    step_ms: truth,
  });
});

test('a clock that flaps every second leaves sixty entries an hour', async (t) => {
  const { clock, entries } = await bench(t);
  for (let second = 0; second < 200; second += 1) {
    clock.jumpWall(second % 2 === 0 ? HOUR : -HOUR);
    await clock.advance(1_000);
  }
  await entries.settled();
  t.is(
    await entries.append({
      type: 'heartbeat',
      beat: 1,
      mode: 'idle',
      docked: false,
      free_bytes: 0,
    }),
    60,
  );
});

/** What a recording is on the card, byte for byte, while `disturb` is done to the clock in its middle. */
async function recorded(disturb: (clock: SimClock) => void): Promise<Buffer> {
  const rig = await new RecorderRig().start(6_000);
  await rig.press();
  await rig.wait(4_000);
  disturb(rig.clock);
  await rig.wait(9_000);
  await rig.press(3_500);
  await rig.wait(3_000);
  return Buffer.concat(rig.sink.of(1).map((segment) => rig.sink.bytesOf(segment)));
}

test('a day, an hour, 1970 and a leap second during a recording change no byte of it, so no media time', async (t) => {
  const undisturbed = await recorded(() => undefined);
  t.true(undisturbed.length > 10_000);
  const steps: ((clock: SimClock) => void)[] = [
    ...[DAY, -DAY, HOUR, -HOUR, 1_000, -1_000].map((ms) => (clock: SimClock) => {
      clock.jumpWall(ms);
    }),
    (clock) => {
      clock.setWall({ ms: wallTimeMs(0), source: 'unset', uncertaintyMs: 60_000 });
    },
  ];
  for (const step of steps) t.true((await recorded(step)).equals(undisturbed));
});

test('a receiver that flags its time as invalid says 2111 for a minute and vouches for nothing', async (t) => {
  const clock = new SimClock();
  const serial = new SimSerial();
  const receiver = new SimGnss(serial, 'gnss', clock);
  receiver.setFix(false);
  const gnss = Gnss.start(serial, { path: 'gnss', baudRate: 9600 }, clock, () => undefined);
  let state = startGnssTime;
  let marks = 0;
  gnss.watch((fix) => {
    const judged = judgeTime(state, fix);
    state = judged.state;
    if (judged.mark) marks += 1;
  });
  for (let second = 10; second < 60; second += 1) {
    receiver.play([nmea(`GPRMC,0000${second}.00,V,4717.114,N,00833.916,E,0,0,010111,,,N`)]);
    await clock.advance(1_000);
  }
  t.is(marks, 0);
  receiver.setFix(true);
  await clock.advance(4_000);
  t.true(marks > 0);
  receiver.close();
  await gnss.close();
});
