import test from 'ava';
import {
  beginWatch,
  nextTick,
  stepWatch,
  type WatchEffect,
  type WatchEvent,
} from '../../../src/capture/video-watch.js';
import { monotonicMs } from '../../../src/units.js';

/** Drives the watch as its shell does: ticks when they are due, events when the test says. */
class Driver {
  #state = beginWatch(monotonicMs(0));
  #now = 0;
  readonly said: string[] = [];

  /** Goes on to `until`. */
  until(until: number): this {
    for (let due = nextTick(this.#state); due !== undefined && due <= until;) {
      this.#now = Math.max(this.#now, due);
      this.#feed({ type: 'tick' });
      due = nextTick(this.#state);
    }
    this.#now = until;
    return this;
  }

  /** Pictures every 33 ms from now up to `until`. */
  units(until: number): this {
    while (this.#now + 33 <= until) {
      this.until(this.#now + 33);
      this.#feed({ type: 'unit' });
    }
    return this.until(until);
  }

  ended(cause = 'crash'): this {
    this.#feed({ type: 'ended', cause });
    return this;
  }

  endless(): this {
    this.#feed({ type: 'endlessGop', cause: 'no IDR' });
    return this;
  }

  off(): this {
    this.#feed({ type: 'off' });
    return this;
  }

  get isWaiting(): boolean {
    return nextTick(this.#state) !== undefined;
  }

  #feed(event: WatchEvent): void {
    const step = stepWatch(this.#state, event, monotonicMs(this.#now));
    this.#state = step.state;
    for (const effect of step.effects) this.said.push(`${this.#now} ${describe(effect)}`);
  }
}

const describe = (effect: WatchEffect): string =>
  'cause' in effect ? `${effect.type}: ${effect.cause}` : effect.type;

test('the encoder starts at once and is up with its first picture', (t) => {
  const driver = new Driver().until(0).until(500).units(1000);
  t.deepEqual(driver.said, ['0 start', '533 up']);
});

test('two seconds without a picture: told, killed, and started again when it has ended', (t) => {
  const driver = new Driver().until(0).units(990).until(2990);
  t.deepEqual(driver.said, [
    '0 start',
    '33 up',
    '2990 lost: no picture for 2000 ms',
    '2990 kill: no picture for 2000 ms',
  ]);
  driver.until(3000).ended().until(3000);
  t.is(driver.said.at(-1), '3000 start');
  driver.units(3500);
  t.is(driver.said.at(-1), '3033 up');
});

test('a crash costs no wait the first time, and nothing is told when pictures are back in time', (t) => {
  const driver = new Driver().until(0).units(990).ended().until(990).until(1300).units(5000);
  t.deepEqual(driver.said, ['0 start', '33 up', '990 start']);
});

test('further crashes wait 1, 2 and 4 seconds, then one start a minute, and the fault is told', (t) => {
  const driver = new Driver().until(0);
  const starts = (): number[] =>
    driver.said.filter((line) => line.endsWith(' start')).map((line) => Number.parseInt(line));
  let now = 0;
  for (const delay of [0, 1000, 2000, 4000, 60_000, 60_000]) {
    now += 330;
    driver.units(now).ended();
    now += delay;
    driver.until(now);
  }
  const [first = 0, ...rest] = starts();
  t.deepEqual(
    rest.map((at, index) => at - 330 - (index === 0 ? first : (rest[index - 1] ?? 0))),
    [0, 1000, 2000, 4000, 60_000, 60_000],
  );
  t.is(driver.said.filter((line) => line.includes('failed: crash')).length, 2);
});

test('ten seconds of pictures make a good run: the next crash costs no wait again', (t) => {
  const driver = new Driver().until(0).units(330).ended().until(330).units(11_000).ended();
  driver.until(11_000);
  t.is(driver.said.at(-1), '11000 start');
});

test('a run that ends without one picture is not started again at once', (t) => {
  const driver = new Driver().until(0).ended('hal/no-element: no element "x264enc"').until(999);
  t.deepEqual(driver.said, ['0 start', '0 lost: hal/no-element: no element "x264enc"']);
  driver.until(1000);
  t.is(driver.said.at(-1), '1000 start');
});

test('no picture ten seconds after the start: killed', (t) => {
  const driver = new Driver().until(0).until(9999);
  t.deepEqual(driver.said, ['0 start']);
  driver.until(10_000);
  t.is(driver.said.at(-1), '10000 kill: no picture for 10000 ms');
});

test('pictures of a run that is being killed do not count', (t) => {
  const driver = new Driver().until(0).units(990).until(2990);
  const before = driver.said.length;
  driver.units(3200);
  t.is(driver.said.length, before);
});

test('after off nothing happens any more', (t) => {
  const driver = new Driver().until(0).units(990).off().ended().until(100_000);
  t.deepEqual(driver.said, ['0 start', '33 up']);
  t.false(driver.isWaiting);
});

test('a crash that is followed by a wait is told two seconds after the last picture', (t) => {
  const driver = new Driver().until(0).units(330).ended().until(330).units(660).ended().until(1660);
  driver.until(2660);
  t.deepEqual(driver.said.slice(2), [
    '330 start',
    '1660 start',
    '2660 lost: no picture for 2000 ms',
  ]);
});

test('a GOP without end ends the run at once, and a good run gives back the three tries', (t) => {
  const driver = new Driver().until(0);
  const endless = (): void => {
    driver.endless();
  };
  for (let count = 0; count < 3; count++) {
    driver.until(count * 10_000).units(count * 10_000 + 1000);
    endless();
    driver.ended('killed');
  }
  driver.until(30_000).units(31_000);
  endless();
  const kills = (): number => driver.said.filter((word) => word.endsWith('kill: no IDR')).length;
  t.is(kills(), 3, 'the fourth is left alone');
  driver.units(45_000);
  endless();
  t.is(kills(), 4);
});
