import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { activeStates, fineFacts, lightsFor } from '../../../src/capture/indicator.js';
import type { PressEdge, PressOutcome, RecorderMode, Shown } from '../../../src/capture/ports.js';
import type { RecorderPolicy } from '../../../src/capture/recorder-events.js';
import { indicatorTable } from '../../../src/config/indicators.js';
import { CameraError } from '../../../src/errors.js';
import type { MemorySegment } from '../../support/memory-sink.js';
import { RecorderRig } from '../../support/recorder-rig.js';

// The whole recorder, from edges of the buttons to the fragments on a card in memory, through random sequences of what
// hands, sensors, encoder and card may do. Its own clock is stepped: ten seconds take some milliseconds.

/** `SEED=7` repeats them. */
const SEQUENCES = Number(process.env['SEQUENCES'] ?? 10_000);
const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const FRAMES_PER_SECOND = 2;
const FRAME_90K = 90_000 / FRAMES_PER_SECOND;
const SETTINGS = {
  preEventMs: 1500,
  segmentMs: 2000,
  holdMs: 1000,
  longHoldMs: 2000,
  recordingMsMax: 2500,
} as const;
const CLOSE_MS_MAX = 8000;

type Kind =
  | 'wait'
  | 'tap'
  | 'hold'
  | 'functionTap'
  | 'functionHold'
  | 'functionLongHold'
  | 'fall'
  | 'peer'
  | 'command'
  | 'bounce'
  | 'die'
  | 'stall'
  | 'slowCard'
  | 'appendFails'
  | 'beginFails'
  | 'recovered'
  | 'limit';

interface Action {
  readonly kind: Kind;
  /** Time that it takes, or that passes after it. */
  readonly ms: number;
}

const kinds: readonly Kind[] = [
  ...(['wait', 'wait', 'wait', 'tap', 'tap', 'tap', 'hold', 'hold'] as const),
  ...(['functionTap', 'functionHold', 'functionLongHold', 'fall', 'peer', 'command'] as const),
  ...(['bounce', 'die', 'stall', 'slowCard', 'appendFails', 'beginFails'] as const),
  ...(['recovered', 'limit'] as const),
];

const actions = fc.array(
  fc.record<Action>({ kind: fc.constantFrom(...kinds), ms: fc.integer({ min: 0, max: 1800 }) }),
  { minLength: 1, maxLength: 14, size: 'max' },
);

const policies: fc.Arbitrary<RecorderPolicy> = fc.record({
  hasPostEvent: fc.boolean(),
  startsOn: fc.constantFrom('press', 'press', 'press', 'double-press'),
  mute: fc.constantFrom('off', 'held', 'toggle'),
  allowsStealth: fc.boolean(),
  allowsSleep: fc.boolean(),
  categories: fc.constantFrom([], ['traffic', 'arrest', 'search']),
});

const table = indicatorTable();

/** A recorder with its hands, and what it has shown last. */
class Scene {
  readonly rig: RecorderRig;
  readonly durations = new Map<number, number>();
  readonly #faults: string[] = [];
  #limit: 'battery' | undefined;
  #shown: Shown | undefined;

  constructor({ hasPostEvent, ...policy }: RecorderPolicy) {
    this.rig = new RecorderRig(
      { ...SETTINGS, postEventMs: hasPostEvent ? 1500 : 0, policy },
      { framesPerSecond: FRAMES_PER_SECOND, gopFrames: FRAMES_PER_SECOND, unitBytes: 24 },
      (shown) => {
        this.#shown = shown;
      },
    );
    this.rig.recorder.on({
      recordingStopped: ({ rec, durationMs }) => this.durations.set(rec, durationMs),
    });
  }

  get faults(): readonly string[] {
    return this.#faults;
  }

  async perform({ kind, ms }: Action): Promise<void> {
    const { rig } = this;
    const { recorder, sink } = rig;
    const failOnce = (name: 'begin' | 'append'): void => {
      let hasFailed = false;
      sink.hooks[name] = () => {
        if (hasFailed) return Promise.resolve();
        hasFailed = true;
        return Promise.reject(new CameraError('storage/io', 'no answer'));
      };
    };
    switch (kind) {
      case 'wait':
        return rig.wait(ms);
      case 'tap':
        return rig.press(40 + ms / 3);
      case 'hold':
        return rig.press(1000 + ms / 4);
      case 'functionTap':
        return rig.press(40 + ms / 3, 'function');
      case 'functionHold':
        return rig.press(1000 + ms / 4, 'function');
      case 'functionLongHold':
        return rig.press(2000 + ms / 4, 'function');
      case 'fall':
      case 'peer':
      case 'command':
        recorder.trigger(kind, rig.clock.monotonicMs());
        // Its release comes by itself, 150 ms later.
        return rig.wait(200 + ms / 4);
      case 'bounce':
        return this.#bounce();
      case 'die':
        rig.video.die();
        return rig.wait(ms);
      case 'stall':
        rig.video.stall();
        return rig.wait(2 * ms);
      case 'slowCard': {
        const until = rig.clock.monotonicMs() + ms;
        sink.hooks.append = () => rig.clock.sleep(Math.max(0, until - rig.clock.monotonicMs()));
        return;
      }
      case 'appendFails':
        failOnce('append');
        return;
      case 'beginFails':
        failOnce('begin');
        return;
      case 'recovered':
        recorder.storageRecovered();
        return;
      case 'limit':
        this.#limit = this.#limit === undefined ? 'battery' : undefined;
        recorder.setLimit(this.#limit);
    }
  }

  /** What a wearer sees now against what the camera does. */
  look(): void {
    const { mode, isStealthy } = this.rig.recorder.status();
    const shown = this.#shown;
    if (shown === undefined) return;
    const lights = lightsFor(table, activeStates(shown, fineFacts));
    const isRecording = isRecordingMode(mode);
    if (shown.mode !== mode) this.#faults.push(`${mode} is shown as ${shown.mode}`);
    if (isRecording && !isStealthy && lights.record === 'off' && lights.fault === 'off') {
      this.#faults.push('recording in the dark');
    }
    if (isRecording && !isStealthy && shown.isDurable && lights.record === 'off') {
      this.#faults.push('durable and no record light');
    }
    if (lights.record !== 'off' && !isRecording) this.#faults.push('a record light for nothing');
    if (isStealthy && Object.values(lights).some((light) => light !== 'off')) {
      this.#faults.push('a light in stealth');
    }
  }

  async close(): Promise<boolean> {
    const { rig } = this;
    delete rig.sink.hooks.append;
    delete rig.sink.hooks.begin;
    let isClean: boolean | undefined;
    const closing = rig.recorder.stopAndClose(CLOSE_MS_MAX).then((is) => (isClean = is));
    for (let ms = 0; ms <= CLOSE_MS_MAX && isClean === undefined; ms += 100) await rig.wait(100);
    return closing;
  }

  async #bounce(): Promise<void> {
    for (const isPressed of [true, false, true, false, true, false]) {
      this.rig.edge(isPressed);
      await this.rig.wait(7);
    }
    await this.rig.wait(40);
  }
}

const isRecordingMode = (mode: RecorderMode): boolean =>
  mode === 'recording' || mode === 'post-event';

const rises = (values: readonly number[]): boolean =>
  values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0));

const sumOf = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0);

/** Media times of one recording, and that its segments are as long as it is said to have been. */
function checkRecording(t: ExecutionContext, scene: Scene, rec: number): void {
  const { rig } = scene;
  const segments = rig.sink.of(rec);
  const hasFailed = segments.some(({ isAbandoned }) => isAbandoned);
  const whole = hasFailed ? segments.filter(({ closing }) => closing !== undefined) : segments;
  t.true(whole.every(({ fragments }) => areJoined(fragments)));
  const openings = whole.map(({ opening }) => opening);
  t.true(rises(openings.map(({ mediaMs }) => mediaMs)), 'segments follow each other in the media');
  t.true(rises(openings.map(({ startedAt }) => startedAt)), 'and on the clock');
  const frames = rig.frameNumbers(whole);
  t.deepEqual(
    frames,
    frames.map((_, index) => (frames[0] ?? 0) + index),
    `recording ${rec} has every frame once`,
  );
  const pictures90k = whole.flatMap(({ fragments }) => fragments.map((each) => each.duration90k));
  t.is(sumOf(pictures90k), frames.length * FRAME_90K, 'segments last as long as their frames');
  checkMarks(t, whole);
  const toldMs = scene.durations.get(rec);
  // A recording that was stopped in the GOP in which it went on from another has nothing.
  if (segments.length === 0) t.true(toldMs === undefined || toldMs === 0);
  else t.is(toldMs === undefined, hasFailed, `the end of ${rec} is told`);
  if (toldMs === undefined) return;
  const gaps90k = openings.map(({ gapBeforeMs }) => Math.round(gapBeforeMs * 90));
  t.is(sumOf(pictures90k) + sumOf(gaps90k), Math.round(toldMs * 90), `${rec} is as long as told`);
  t.deepEqual(
    segments.map(({ closing }) => closing?.isLast),
    segments.map((_, index) => index === segments.length - 1),
  );
}

/** Fragments follow each other without a hole, from 0 on. */
function areJoined(fragments: MemorySegment['fragments']): boolean {
  let end90k = 0;
  return fragments.every(({ offset90k, duration90k }) => {
    const isNext = offset90k === end90k && duration90k > 0;
    end90k += duration90k;
    return isNext;
  });
}

/** Pictures of the simulated camera arrive on whole milliseconds, so a segment begins up to 1 ms late; half for rounding. */
const MARK_MS_MAX = 1.5;

/** A mark whose press was before the recording, which went on from another meanwhile, stands at its start. */
function checkMarks(t: ExecutionContext, segments: readonly MemorySegment[]): void {
  const marks = segments.flatMap(({ closing }) => closing?.marks ?? []);
  t.true(rises(marks.map(({ at }) => at)));
  const [first] = segments;
  const inside = marks.filter(({ at }) => at > (first?.opening.startedAt ?? 0));
  t.true(rises(inside.map(({ mediaMs }) => mediaMs)), JSON.stringify(marks));
  for (const { at, mediaMs } of marks) {
    const wantedMs = Math.max(0, at - (first?.opening.startedAt ?? 0));
    t.true(
      Math.abs(mediaMs - wantedMs) <= MARK_MS_MAX,
      `${mediaMs} ms, ${wantedMs} ms after the start`,
    );
  }
}

/** The ledger: every edge once, in its order, with one outcome. */
function checkLedger(t: ExecutionContext, { rig }: Scene, edges: readonly PressEdge[]): void {
  const { journal, logged } = rig;
  t.is(journal.edges, edges.length);
  t.is(journal.outcomes.size, edges.length, 'every edge has an outcome');
  t.false(
    logged.some((line) => line.includes('could not be written')),
    'and none has two',
  );
  for (const button of ['record', 'function', 'fall', 'peer', 'command'] as const) {
    t.true(rises(edges.filter((edge) => edge.button === button).map(({ at }) => at)));
  }
  const outcomes = [...journal.outcomes.values()];
  const count = (outcome: PressOutcome): number => outcomes.filter((it) => it === outcome).length;
  t.is(rig.felt.filter((kind) => kind === 'marked').length <= count('mark'), true);
}

/** Recordings that went on under another number, without a frame between them. */
function checkRolls(t: ExecutionContext, { rig }: Scene): number {
  const rolls = rig.journal.facts.filter((fact) => fact.type === 'rolled');
  for (const { rec, from } of rolls) {
    const [before, after] = [rig.sink.of(from), rig.sink.of(rec)];
    const isWhole = [...before, ...after].every(({ isAbandoned }) => !isAbandoned);
    const last = rig.frameNumbers(before).at(-1);
    const [first] = rig.frameNumbers(after);
    // Either may be empty: an encoder that stands still gives it nothing.
    if (isWhole && first !== undefined && last !== undefined) t.is(first, last + 1);
  }
  return rolls.length;
}

test(`${SEQUENCES} sequences: segments are as long as their recording, times rise, every edge has one outcome, no recording in the dark`, async (t) => {
  t.timeout(900_000);
  t.log(`SEED=${SEED}`);
  const seen = {
    recordings: 0,
    rolls: 0,
    runs: 0,
    marks: 0,
    stops: 0,
    mutes: 0,
    stealth: 0,
    sleeps: 0,
  };
  await fc.assert(
    fc.asyncProperty(actions, policies, async (sequence, policy) => {
      const scene = new Scene(policy);
      const { rig } = scene;
      const edges: PressEdge[] = [];
      rig.journal.onEdge = (edge) => edges.push(edge);
      await rig.start(1500);
      for (const each of sequence) {
        await scene.perform(each);
        scene.look();
      }
      t.true(await scene.close(), 'all is written at the end');
      t.deepEqual(scene.faults, []);
      checkLedger(t, scene, edges);
      for (let rec = 1; rec <= rig.sink.recordings; rec += 1) checkRecording(t, scene, rec);
      const outcomes = [...rig.journal.outcomes.values()];
      const count = (outcome: PressOutcome): number =>
        outcomes.filter((it) => it === outcome).length;
      seen.recordings += rig.sink.recordings;
      seen.rolls += checkRolls(t, scene);
      seen.runs += rig.video.runs;
      seen.marks += count('mark');
      seen.stops += count('stopped');
      seen.mutes += count('mute-on');
      seen.stealth += count('stealth-on');
      seen.sleeps += count('slept');
      // A card that is slow may still be at what was given up.
      await rig.wait(2000);
      t.is(rig.clock.timers, 0);
    }),
    { numRuns: SEQUENCES, seed: SEED },
  );
  t.log(JSON.stringify(seen));
  t.true(Object.values(seen).every((times) => times > 0));
});
