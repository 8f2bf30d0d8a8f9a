import test from 'ava';
import type { ExecutionContext } from 'ava';
import { GdpReader, type AccessUnit, type GdpItem } from '../../src/capture/gdp-reader.js';
import type { RunEnd, RunEvents, VideoRun, VideoSource } from '../../src/hal/ports/video.js';

/** A video source of 30 frames a second with a GOP of 15. */
export interface VideoRig {
  readonly source: VideoSource;
  /** A launch line that runs until it is told to stop. */
  readonly launch: string;
  /** A launch line without the sink that the port asks for. */
  readonly sinklessLaunch: string;
  /** Lets time pass until the condition holds; fails the test when it never does. */
  until(t: ExecutionContext, what: string, condition: () => boolean): Promise<void>;
  /** Waits for a promise that needs time to pass. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Lets the source of the running encoder come to its end; returns the run that does. */
  ending(events: RunEvents): Promise<VideoRun>;
  /** The running encoder crashes. */
  crash(run: VideoRun): void;
}

const FRAME_90K = 3000;
const GOP_FRAMES = 15;
const STOP_MS_MAX = 5000;

class Seen implements RunEvents {
  readonly #reader = new GdpReader();
  readonly items: GdpItem[] = [];
  readonly ends: RunEnd[] = [];
  /** True when bytes came after the end. */
  isNoisyAfterEnd = false;

  bytes(chunk: Buffer): void {
    if (this.ends.length > 0) this.isNoisyAfterEnd = true;
    this.items.push(...this.#reader.push(chunk));
  }

  ended(end: RunEnd): void {
    this.ends.push(end);
  }

  get units(): AccessUnit[] {
    return this.items.flatMap((item) => (item.type === 'unit' ? [item.unit] : []));
  }
}

/** What every VideoSource promises. `makeRig` gives each test a rig of its own. */
export function videoContract(
  name: string,
  makeRig: (t: ExecutionContext) => VideoRig | Promise<VideoRig>,
): void {
  const contract = (title: string, body: (t: ExecutionContext, rig: VideoRig) => Promise<void>) => {
    test.serial(`${name}: ${title}`, async (t) => {
      await body(t, await makeRig(t));
    });
  };
  const begin = async (t: ExecutionContext, rig: VideoRig, units: number) => {
    const seen = new Seen();
    const run = rig.source.startRun(rig.launch, seen);
    await rig.until(t, `${units} units`, () => seen.units.length >= units);
    return { seen, run };
  };

  contract(
    'a run is a format, then access units a frame apart, an IDR first in each GOP',
    async (t, rig) => {
      const { seen, run } = await begin(t, rig, 2 * GOP_FRAMES + 1);
      const [format] = seen.items;
      t.is(format?.type, 'format');
      t.is(seen.items.filter((item) => item.type === 'format').length, 1);
      const units = seen.units.slice(0, 2 * GOP_FRAMES + 1);
      t.deepEqual(
        units.map((unit) => unit.isIdr),
        units.map((_, index) => index % GOP_FRAMES === 0),
      );
      const start = units[0]?.pts90k ?? 0;
      t.deepEqual(
        units.map((unit) => unit.pts90k - start),
        units.map((_, index) => index * FRAME_90K),
      );
      t.true(units.every((unit) => unit.duration90k === FRAME_90K));
      await rig.settle(run.stop(STOP_MS_MAX));
    },
  );

  contract('media time counts from the start of the run', async (t, rig) => {
    const { seen, run } = await begin(t, rig, 1);
    const start = seen.units[0]?.pts90k ?? NaN;
    t.true(start >= 0 && start < 90_000, `${start}`);
    await rig.settle(run.stop(STOP_MS_MAX));
  });

  contract('stop resolves after the end, which is told once', async (t, rig) => {
    const { seen, run } = await begin(t, rig, 3);
    await rig.settle(run.stop(STOP_MS_MAX));
    t.deepEqual(
      seen.ends.map((end) => end.reason),
      ['stopped'],
    );
    t.not(seen.ends[0]?.detail, '');
    await rig.settle(run.stop(STOP_MS_MAX));
    run.kill();
    t.is(seen.ends.length, 1);
    t.false(seen.isNoisyAfterEnd);
  });

  contract('kill ends the run at once, told once however often it is called', async (t, rig) => {
    const { seen, run } = await begin(t, rig, 3);
    run.kill();
    run.kill();
    await rig.until(t, 'the end', () => seen.ends.length > 0);
    t.deepEqual(
      seen.ends.map((end) => end.reason),
      ['failed'],
    );
    t.false(seen.isNoisyAfterEnd);
  });

  contract('a crash is a failure that says something', async (t, rig) => {
    const { seen, run } = await begin(t, rig, 3);
    rig.crash(run);
    await rig.until(t, 'the end', () => seen.ends.length > 0);
    t.deepEqual(
      seen.ends.map((end) => end.reason),
      ['failed'],
    );
    t.regex(seen.ends[0]?.detail ?? '', /SIGKILL/);
  });

  contract('a source that comes to its end ends its run', async (t, rig) => {
    const seen = new Seen();
    await rig.ending(seen);
    await rig.until(t, 'the end', () => seen.ends.length > 0);
    t.deepEqual(
      seen.ends.map((end) => end.reason),
      ['ended'],
    );
    t.true(seen.units.length > 0);
  });

  contract(
    'after the end of a run the next one can start, with a time line of its own',
    async (t, rig) => {
      const first = await begin(t, rig, 20);
      await rig.settle(first.run.stop(STOP_MS_MAX));
      const second = await begin(t, rig, 3);
      t.true((second.seen.units[0]?.pts90k ?? NaN) < 90_000);
      t.true(second.seen.units[0]?.isIdr);
      await rig.settle(second.run.stop(STOP_MS_MAX));
    },
  );

  contract('a launch line can be checked before it is run', async (t, rig) => {
    await t.notThrowsAsync(rig.source.check(rig.launch));
    await t.throwsAsync(rig.source.check(rig.sinklessLaunch), { code: 'hal/pipeline' });
  });

  contract('a launch line without its sink ends as a failure', async (t, rig) => {
    const seen = new Seen();
    rig.source.startRun(rig.sinklessLaunch, seen);
    await rig.until(t, 'the end', () => seen.ends.length > 0);
    t.is(seen.ends[0]?.reason, 'failed');
    t.regex(seen.ends[0]?.detail ?? '', /^hal\/pipeline: /);
    t.is(seen.units.length, 0);
  });
}
