import test from 'ava';
import fc from 'fast-check';
import { activeStates, fineFacts, lightsFor } from '../../../src/capture/indicator.js';
import { startingRecorder } from '../../../src/capture/recorder-events.js';
import type {
  RecorderEffect,
  RecorderEvent,
  RecorderPolicy,
} from '../../../src/capture/recorder-events.js';
import { modeOf, stepRecorder } from '../../../src/capture/recorder-state.js';
import { indicatorTable } from '../../../src/config/indicators.js';
import { monotonicMs } from '../../../src/units.js';

const table = indicatorTable();

type Kind =
  | Exclude<RecorderEvent['type'], 'begun' | 'beginFailed' | 'trigger' | 'tap' | 'functionRelease'>
  | 'fall'
  | 'peer'
  | 'command';

const kinds: readonly Kind[] = [
  ...['press', 'press', 'hold', 'fall', 'peer', 'command'],
  ...['functionPress', 'functionTap', 'functionHold', 'functionLongHold'],
  ...['videoUp', 'videoLost', 'videoFailed', 'postEventOver', 'pickingOver', 'peersOver', 'limit'],
  ...['storageFailed', 'storageOk', 'rolled', 'close'],
] as Kind[];

const policies: fc.Arbitrary<RecorderPolicy> = fc.record({
  hasPostEvent: fc.boolean(),
  startsOn: fc.constantFrom('press', 'double-press'),
  mute: fc.constantFrom('off', 'held', 'toggle'),
  allowsStealth: fc.boolean(),
  allowsSleep: fc.boolean(),
  categories: fc.constantFrom([], ['arrest'], ['traffic', 'arrest', 'search']),
});

/** A recorder that is fed and watched: every step is judged as it is taken. */
class Watched {
  state = startingRecorder;
  readonly decisions = new Map<number, number>();
  readonly faults: string[] = [];
  recordings = 0;
  ends = 0;
  stealth = false;
  sleeping = false;
  muted = false;
  categories = new Map<number, number>();
  now = 0;
  readonly #policy: RecorderPolicy;
  readonly #isGiven: () => boolean;

  constructor(policy: RecorderPolicy, isGiven: () => boolean) {
    this.#policy = policy;
    this.#isGiven = isGiven;
  }

  feed(event: RecorderEvent): void {
    const before = this.state;
    const step = stepRecorder(before, event, this.#policy);
    this.state = step.state;
    const modes = step.effects.filter(({ type }) => type === 'mode').length;
    if (modes !== (modeOf(step.state) === modeOf(before) ? 0 : 1)) this.faults.push('mode untold');
    for (const effect of step.effects) this.#take(effect, event);
    if (this.recordings - this.ends > 1) this.faults.push('two recordings at once');
    if (this.state.isStealthy !== this.stealth) this.faults.push('stealth untold');
    if (this.state.isMuted !== this.muted) this.faults.push('mute untold');
    if (this.state.isAsleep !== this.sleeping) this.faults.push('sleep untold');
    this.#judgeLight();
  }

  /** Red while bytes become durable, in stealth never; amber beside a recording of which none do. */
  #judgeLight(): void {
    const { isMuted, isStealthy, picking } = this.state;
    const mode = modeOf(this.state);
    const isRecording = mode === 'recording' || mode === 'post-event';
    if (isRecording !== this.recordings > this.ends) this.faults.push('the mode is not what runs');
    for (const isDurable of [true, false]) {
      const isPicking = picking !== undefined;
      const shown = { mode, isDurable, isMuted, isStealthy, isPicking };
      const { record, fault } = lightsFor(table, activeStates(shown, fineFacts));
      const isLit = (isDurable ? record : fault) !== 'off';
      if (isRecording && isLit === isStealthy) this.faults.push('recording in the dark');
      if (!isRecording && record !== 'off') this.faults.push('a record light for nothing');
    }
  }

  /** A recording has its longest time. */
  roll(): void {
    if (this.state.activity !== 'recording') return;
    this.recordings += 1;
    this.ends += 1;
    this.feed({ type: 'rolled', rec: this.recordings });
  }

  #take(effect: RecorderEffect, event: RecorderEvent): void {
    switch (effect.type) {
      case 'decide':
        this.decisions.set(effect.edge, (this.decisions.get(effect.edge) ?? 0) + 1);
        return;
      case 'stop':
      case 'abandon':
        this.#judgeEnd(effect.type, event);
        this.ends += 1;
        return;
      case 'mute':
        this.muted = effect.isMuted;
        return;
      case 'stealth':
        this.stealth = effect.isStealthy;
        return;
      case 'sleep':
      case 'wake':
        this.sleeping = effect.type === 'sleep';
        return;
      case 'category':
        this.categories.set(effect.rec, (this.categories.get(effect.rec) ?? 0) + 1);
        return;
      case 'begin':
        this.#answer(effect.press, effect.trigger);
        return;
      default:
    }
  }

  /** A recording ends by a hold, a while after one, by a limit, a fault of the card, or with the camera. */
  #judgeEnd(type: 'stop' | 'abandon', event: RecorderEvent): void {
    const allowed =
      type === 'abandon' ? ['storageFailed'] : ['hold', 'postEventOver', 'limit', 'close'];
    if (!allowed.includes(event.type)) {
      this.faults.push(`${type} without its gesture: ${event.type}`);
    }
    if (event.type === 'hold' && this.#policy.hasPostEvent) this.faults.push('no post-event');
    if (type === 'abandon') this.muted = false;
  }

  #answer(press: number, trigger: 'press' | 'fall' | 'peer' | 'command' | 'roll'): void {
    const at = monotonicMs(this.now);
    if (this.#isGiven()) {
      this.recordings += 1;
      this.feed({ type: 'begun', press, rec: this.recordings, trigger, at });
    } else this.feed({ type: 'beginFailed', press, code: 'storage/io', detail: '' });
  }
}

/** The buttons as the desk hands them on: a press, then its tap or hold, then, for the function button, its release. */
class Hands {
  presses = 0;
  readonly #watched: Watched;
  #record: number | undefined;
  #function: number | undefined;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  do(kind: Kind, coin: boolean): void {
    const watched = this.#watched;
    const at = monotonicMs(watched.now);
    switch (kind) {
      case 'press':
        this.#endRecord('tap');
        this.#record = this.presses += 1;
        watched.feed({ type: 'press', press: this.#record, at, hasFootage: coin });
        return;
      case 'hold':
        this.#endRecord('hold');
        return;
      case 'fall':
      case 'peer':
      case 'command':
        this.presses += 1;
        watched.feed({ type: 'trigger', trigger: kind, press: this.presses, at, hasFootage: coin });
        return;
      case 'functionPress':
        this.#endFunction('functionTap');
        this.#function = this.presses += 1;
        watched.feed({ type: kind, press: this.#function });
        return;
      case 'functionTap':
      case 'functionHold':
      case 'functionLongHold':
        this.#endFunction(kind);
        return;
      case 'videoLost':
      case 'videoFailed':
        watched.feed({ type: kind, cause: '' });
        return;
      case 'limit':
        watched.feed({ type: kind, limit: coin ? 'battery' : undefined });
        return;
      case 'rolled':
        watched.roll();
        return;
      case 'storageFailed':
        watched.feed({ type: kind, code: 'storage/io', detail: '' });
        return;
      default:
        watched.feed({ type: kind });
    }
  }

  finish(): void {
    this.#endRecord('tap');
    this.#endFunction('functionTap');
    this.#watched.feed({ type: 'close' });
    this.#watched.feed({ type: 'pickingOver' });
  }

  #endRecord(type: 'tap' | 'hold'): void {
    const at = monotonicMs(this.#watched.now);
    if (this.#record !== undefined) this.#watched.feed({ type, press: this.#record, at });
    this.#record = undefined;
  }

  #endFunction(type: 'functionTap' | 'functionHold' | 'functionLongHold'): void {
    const press = this.#function;
    this.#function = undefined;
    if (press === undefined) return;
    if (type === 'functionLongHold') this.#watched.feed({ type: 'functionHold', press });
    this.#watched.feed({ type, press });
    this.#watched.feed({ type: 'functionRelease' });
  }
}

test('10,000 sequences: one recording at a time, no stop without its gesture, one outcome for each press, no recording in the dark, nothing untold', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...kinds), fc.integer({ min: 0, max: 30_000 })), {
        maxLength: 60,
      }),
      fc.infiniteStream(fc.boolean()),
      policies,
      (events, coins, policy) => {
        const coin = (): boolean => coins.next().value === true;
        const watched = new Watched(policy, coin);
        const hands = new Hands(watched);
        for (const [kind, afterMs] of events) {
          watched.now += afterMs;
          hands.do(kind, coin());
        }
        hands.finish();
        t.deepEqual(watched.faults, []);
        t.is(watched.ends, watched.recordings);
        for (let press = 1; press <= hands.presses; press += 1) {
          t.is(watched.decisions.get(press), 1, `press ${press}`);
        }
        t.true([...watched.categories.values()].every((times) => times === 1));
        if (!policy.allowsStealth) t.false(watched.stealth);
        if (!policy.allowsSleep) t.false(watched.sleeping);
      },
    ),
    { numRuns: 10_000 },
  );
});
