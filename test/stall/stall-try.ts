import { setTimeout as sleep } from 'node:timers/promises';
import { CameraIndicator } from '../../src/camera-indicator.js';
import { watchLoop } from '../../src/camera-loop-watch.js';
import { Recorder } from '../../src/capture/recorder.js';
import type { Clock } from '../../src/clock.js';
import { openBoard, type Board } from '../../src/hal/board.js';
import { parseBoard } from '../../src/hal/board-file.js';
import { openLoopMonitor } from '../../src/hal/linux/event-loop.js';
import { GStreamerSource } from '../../src/hal/linux/gstreamer.js';
import { SystemClock } from '../../src/hal/linux/system-clock.js';
import type { RunEvents, VideoRun, VideoSource } from '../../src/hal/ports/video.js';
import { SimGpio } from '../../src/hal/sim/sim-gpio.js';
import { createLogger } from '../../src/log.js';
import { boardDocument } from '../support/board-document.js';
import { MemoryJournal } from '../support/memory-journal.js';
import { MemorySink } from '../support/memory-sink.js';
import { RIG_SETTINGS } from '../support/recorder-rig.js';
import { testLaunch } from '../support/test-launch.js';

/** What goes wrong with the real capture child while a recording runs. */
export const stallKinds = [
  'child stopped',
  'pipe full',
  'no packets',
  'GOP of 10 s',
  'error on the bus',
] as const;
export type StallKind = (typeof stallKinds)[number];

/** Milliseconds from the moment it went wrong; undefined when it did not happen. */
export interface StallTimes {
  /** The watchdog acted, or the child ended, or the loop turned again. */
  readonly seenMs: number | undefined;
  /** A line in the device log, or in the program's log. */
  readonly toldMs: number | undefined;
  /** Red went dark and amber was lit on the lines of the board. */
  readonly amberMs: number | undefined;
  /** Pictures came again. */
  readonly picturesMs: number | undefined;
  /** Red was lit again: they became durable. */
  readonly redMs: number | undefined;
  /** Runs started beyond the first. */
  readonly restarts: number;
  /** Media time that is missing in the recording. */
  readonly missingMs: number;
}

/** Most that each step may take, in milliseconds; null where the step must not happen at all. */
export type StallBounds = Readonly<
  Record<'seenMs' | 'toldMs' | 'amberMs' | 'picturesMs' | 'redMs', number | null>
>;

/** How long the runtime is held up in `pipe full`: twice what a silence may last, well within the 10 s of the appsink. */
const BLOCKED_MS = 4000;
/** Timers and a machine that does other things as well. */
const SLACK_MS = 400;
const silent = {
  seenMs: 2000 + SLACK_MS,
  toldMs: 2000 + SLACK_MS,
  amberMs: 3000,
  picturesMs: 5000,
  redMs: 7000,
};

/**
 * A silence is seen after 2 s, in amber at most 1 s later, and over within 5 s. A GOP without end is seen when it is 2 s long,
 * and a child that ends at once: both are over before amber is due. A runtime that was held up loses nothing, so the child
 * goes on; its own log says how long it was.
 */
export const stallBounds: Readonly<Record<StallKind, StallBounds>> = {
  'child stopped': silent,
  'no packets': silent,
  'pipe full': {
    seenMs: BLOCKED_MS + SLACK_MS,
    toldMs: BLOCKED_MS + 1000 + SLACK_MS,
    amberMs: BLOCKED_MS + SLACK_MS,
    picturesMs: BLOCKED_MS + SLACK_MS,
    redMs: BLOCKED_MS + 1000 + SLACK_MS,
  },
  'GOP of 10 s': { ...silent, amberMs: 3000, picturesMs: 5000 },
  'error on the bus': { ...silent, seenMs: SLACK_MS, toldMs: 3000, amberMs: 3000 },
};
/** Where amber need not be lit because it is over sooner. */
export const mayStayRed: readonly StallKind[] = ['pipe full', 'GOP of 10 s', 'error on the bus'];

const GOOD_LAUNCH = testLaunch();
/** The first run of each kind; the next one is sound. */
const FIRST_LAUNCH: Readonly<Partial<Record<StallKind, string>>> = {
  'GOP of 10 s': testLaunch({ gopFrames: 300 }),
  // The element sends an error message after 150 pictures, as an encoder whose device is gone does.
  'error on the bus': testLaunch({
    source: 'videotestsrc is-live=true pattern=ball ! identity error-after=150',
  }),
};

/** The real capture child, whose first run can be spoiled. */
class SpoiledSource implements VideoSource {
  readonly #source = new GStreamerSource();
  readonly #kind: StallKind;
  readonly #clock: Clock;
  runs = 0;
  pid: number | undefined;
  isSilent = false;
  lastBytesAt = 0;
  firstBytesOfNextRunAt: number | undefined;
  endedAt: number | undefined;

  constructor(kind: StallKind, clock: Clock) {
    this.#kind = kind;
    this.#clock = clock;
  }

  check(launch: string): Promise<void> {
    return this.#source.check(launch);
  }

  startRun(_launch: string, events: RunEvents): VideoRun {
    this.runs += 1;
    const isFirst = this.runs === 1;
    const launch = (isFirst ? FIRST_LAUNCH[this.#kind] : undefined) ?? GOOD_LAUNCH;
    const run = this.#source.startRun(launch, {
      bytes: (chunk) => {
        if (isFirst && this.isSilent) return;
        if (isFirst) this.lastBytesAt = this.#clock.monotonicMs();
        else this.firstBytesOfNextRunAt ??= this.#clock.monotonicMs();
        events.bytes(chunk);
      },
      ended: (end) => {
        if (isFirst) this.endedAt = this.#clock.monotonicMs();
        events.ended(end);
      },
    });
    this.pid = run.pid;
    return run;
  }
}

/** When each light was lit and went dark, from the lines of the board. */
function watchLights(board: Board, clock: Clock): { at: number; role: string; isLit: boolean }[] {
  const changes: { at: number; role: string; isLit: boolean }[] = [];
  for (const role of ['record', 'fault'] as const) {
    const line = board.file.leds[role];
    if (line === undefined || !(board.gpio instanceof SimGpio)) continue;
    board.gpio.observe(line, (isHigh) => {
      changes.push({ at: clock.monotonicMs(), role, isLit: isHigh !== line.activeLow });
    });
  }
  return changes;
}

/** One recording of the real child that goes wrong once, from the first picture to its clean end. Takes about 10 s. */
export async function tryStall(kind: StallKind): Promise<StallTimes> {
  const clock = new SystemClock();
  const told: { at: number; text: string }[] = [];
  const note = (text: string): void => void told.push({ at: clock.monotonicMs(), text });
  const log = createLogger('warn', { write: note });
  const board = await openBoard(parseBoard(JSON.stringify(boardDocument()), 'stall.json'), {
    ...{ clock, log, footageDirectory: '/none' },
    files: { exists: () => Promise.resolve(true) },
  });
  const lights = watchLights(board, clock);
  const indicator = new CameraIndicator(board);
  const monitor = openLoopMonitor();
  const cancelWatch = watchLoop(clock, monitor, log);
  const source = new SpoiledSource(kind, clock);
  const sink = new MemorySink();
  const journal = new MemoryJournal();
  const record = journal.record.bind(journal);
  journal.record = async (fact) => {
    note(`${fact.type} ${'cause' in fact ? fact.cause : ''}`);
    await record(fact);
  };
  const recorder = new Recorder(
    { clock, video: source, sink, journal, indicator, log },
    { ...RIG_SETTINGS, launch: GOOD_LAUNCH, preEventMs: 2000, segmentMs: 60_000 },
  );
  recorder.start();
  const until = async (isSo: () => boolean, ms: number): Promise<void> => {
    const limit = clock.monotonicMs() + ms;
    while (!isSo() && clock.monotonicMs() < limit) await sleep(10);
  };
  await until(() => recorder.status().frames > 30, 15_000);
  const firstUnitAt = clock.monotonicMs() - recorder.status().bufferedMs;
  recorder.edge({ button: 'record', isPressed: true, at: clock.monotonicMs() });
  await sleep(100);
  recorder.edge({ button: 'record', isPressed: false, at: clock.monotonicMs() });
  const isGop = kind === 'GOP of 10 s';
  if (!isGop) await until(() => lights.some(({ role, isLit }) => role === 'record' && isLit), 3000);
  const wrongAt = isGop ? firstUnitAt : await spoil(kind, source, clock, until);
  await until(() => source.runs > 1 || kind === 'pipe full', 15_000);
  await sleep(4000);
  await recorder.stopAndClose(5000);
  cancelWatch();
  monitor.close();
  indicator.close();
  await board.close();

  const since = (at: number | undefined): number | undefined =>
    at === undefined ? undefined : Math.round(at - wrongAt);
  const firstOf = (role: string, isLit: boolean, from: number): number | undefined =>
    lights.find((it) => it.role === role && it.isLit === isLit && it.at >= from)?.at;
  const amberAt = firstOf('fault', true, wrongAt);
  const picturesAt = kind === 'pipe full' ? source.lastBytesAt : source.firstBytesOfNextRunAt;
  const isTold = kind === 'pipe full' ? /held up/ : /^(fault|gap)|no IDR/;
  const segments = sink.of(1);
  const blockedUntil = wrongAt + BLOCKED_MS;
  return {
    seenMs: since(kind === 'pipe full' ? blockedUntil : source.endedAt),
    toldMs: since(told.find(({ at, text }) => at >= wrongAt && isTold.test(text))?.at),
    amberMs: since(amberAt),
    picturesMs: since(kind === 'pipe full' ? blockedUntil : picturesAt),
    redMs: since(firstOf('record', true, amberAt ?? picturesAt ?? wrongAt)),
    restarts: source.runs - 1,
    missingMs: segments.reduce((sum, { opening }) => sum + opening.gapBeforeMs, 0),
  };
}

/** Makes it go wrong; resolves with the moment at which it did. */
async function spoil(
  kind: StallKind,
  source: SpoiledSource,
  clock: Clock,
  until: (isSo: () => boolean, ms: number) => Promise<void>,
): Promise<number> {
  if (kind === 'error on the bus') {
    await until(() => source.endedAt !== undefined, 15_000);
    return source.lastBytesAt;
  }
  await sleep(Math.random() * 1000);
  if (kind === 'child stopped') process.kill(source.pid ?? 0, 'SIGSTOP');
  if (kind === 'no packets') source.isSilent = true;
  const at = clock.monotonicMs();
  if (kind === 'pipe full') while (clock.monotonicMs() - at < BLOCKED_MS);
  return at;
}

/** What is out of bounds in a try, in words; empty when all is well. */
export function stallFaults(kind: StallKind, times: StallTimes): string[] {
  const bounds = stallBounds[kind];
  const faults = (Object.keys(bounds) as (keyof StallBounds)[]).flatMap((step) => {
    const [limit, ms] = [bounds[step], times[step]];
    const mayLack = (step === 'amberMs' || step === 'redMs') && mayStayRed.includes(kind);
    if (ms === undefined) return mayLack ? [] : [`${step} never`];
    return limit !== null && ms > limit ? [`${step} ${ms} > ${limit}`] : [];
  });
  const restarts = kind === 'pipe full' ? 0 : 1;
  if (times.restarts !== restarts) faults.push(`${times.restarts} restarts`);
  if (kind === 'pipe full' && times.missingMs > 0) faults.push(`${times.missingMs} ms missing`);
  return faults;
}
