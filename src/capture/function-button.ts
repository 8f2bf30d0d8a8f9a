import { decided, marked, refused } from './recorder-events.js';
import type {
  FunctionEvent,
  RecorderEffect,
  RecorderPolicy,
  RecorderState,
  RecorderStep,
} from './recorder-events.js';

/**
 * The function button: wakes a camera that sleeps; mutes or marks while recording; chooses the category after a stop. Held
 * for three seconds it turns stealth on and off, or puts the camera to sleep where only that is allowed; where both are, it
 * sleeps after eight. It never starts and never stops a recording.
 */
export function stepFunctionButton(
  state: RecorderState,
  event: FunctionEvent,
  policy: RecorderPolicy,
): RecorderStep {
  if (event.type === 'functionRelease') return onRelease(state);
  if (event.type === 'functionPress') return onDown(state, event.press, policy);
  if (event.type === 'functionLongHold') return onLongHold(state, policy);
  if (event.press !== state.functionPress) return { state, effects: [] };
  const open: RecorderState = { ...state, functionPress: undefined };
  return event.type === 'functionTap'
    ? onTap(open, event.press, policy)
    : onHold(open, event.press, policy);
}

function onDown(state: RecorderState, press: number, { mute }: RecorderPolicy): RecorderStep {
  if (state.isClosed) return { state, effects: refused(press, 'refused-fault') };
  if (state.isAsleep) return woken(state, [decided(press, 'woke')]);
  if (mute === 'held' && state.activity !== 'none') {
    return withMute({ ...state, isMuteHeld: true }, true, press);
  }
  return { state: { ...state, functionPress: press }, effects: [] };
}

function onRelease(state: RecorderState): RecorderStep {
  if (!state.isMuteHeld) return { state, effects: [] };
  const released: RecorderState = { ...state, isMuteHeld: false, isMuted: false };
  return {
    state: released,
    effects: [
      { type: 'mute', isMuted: false, press: undefined },
      { type: 'signal', kind: 'muteOff' },
    ],
  };
}

function onTap(state: RecorderState, press: number, policy: RecorderPolicy): RecorderStep {
  if (state.activity !== 'none') {
    return policy.mute === 'toggle'
      ? withMute(state, !state.isMuted, press)
      : { state, effects: marked(press) };
  }
  const { picking } = state;
  if (picking === undefined) return { state, effects: refused(press, 'held') };
  const choice = ((picking.choice ?? -1) + 1) % policy.categories.length;
  return {
    state: { ...state, picking: { ...picking, choice } },
    effects: [decided(press, 'category'), { type: 'pick', choice }],
  };
}

function onHold(state: RecorderState, press: number, policy: RecorderPolicy): RecorderStep {
  if (policy.allowsStealth) {
    const isStealthy = !state.isStealthy;
    // Felt while the camera still, or again, may be felt.
    const effects: RecorderEffect[] = isStealthy
      ? [decided(press, 'stealth-on'), { type: 'signal', kind: 'stealthOn' }]
      : [decided(press, 'stealth-off')];
    effects.push({ type: 'stealth', isStealthy });
    if (!isStealthy) effects.push({ type: 'signal', kind: 'stealthOff' });
    return { state: { ...state, isStealthy }, effects };
  }
  if (policy.allowsSleep && state.activity === 'none') {
    return asleep(state, [decided(press, 'slept')]);
  }
  return { state, effects: refused(press, 'held') };
}

/** The hold of three seconds on the way here has turned stealth over, which is undone. */
function onLongHold(state: RecorderState, policy: RecorderPolicy): RecorderStep {
  const { activity, isAsleep, isClosed } = state;
  const isAllowed = policy.allowsSleep && policy.allowsStealth;
  if (!isAllowed || activity !== 'none' || isAsleep || isClosed) return { state, effects: [] };
  const isStealthy = !state.isStealthy;
  return asleep({ ...state, isStealthy }, [{ type: 'stealth', isStealthy }]);
}

function asleep(state: RecorderState, before: readonly RecorderEffect[]): RecorderStep {
  return {
    state: { ...state, isAsleep: true },
    effects: [...before, { type: 'signal', kind: 'sleepOn' }, { type: 'sleep' }],
  };
}

const woken = (state: RecorderState, before: readonly RecorderEffect[]): RecorderStep => ({
  state: { ...state, isAsleep: false, video: 'starting' },
  effects: [...before, { type: 'wake' }, { type: 'signal', kind: 'sleepOff' }],
});

function withMute(state: RecorderState, isMuted: boolean, press: number): RecorderStep {
  return {
    state: { ...state, isMuted },
    effects: [
      { type: 'mute', isMuted, press },
      decided(press, isMuted ? 'mute-on' : 'mute-off'),
      { type: 'signal', kind: isMuted ? 'muteOn' : 'muteOff' },
    ],
  };
}
