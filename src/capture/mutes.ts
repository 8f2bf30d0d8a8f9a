import type { MonotonicMs } from '../units.js';
import type { Mute } from './audio-track.js';

/** Longer than a pre-event buffer and what waits for the card: what is over for so long can mute nothing any more. */
const KEPT_MS = 300_000;
/** A button that is pressed ten times a second for as long; the oldest are joined to one when there are more. */
const MUTES_MAX = 3000;

/** When the wearer muted the microphone, over all recordings. */
export class Mutes {
  #mutes: readonly Mute[] = [];

  /** `at` does not go back. What is so already changes nothing. */
  set(at: MonotonicMs, isMuted: boolean): void {
    const last = this.#mutes.at(-1);
    const isMutedNow = last !== undefined && last.to === undefined;
    if (isMuted === isMutedNow) return;
    const kept = this.#mutes.filter(({ to }) => to === undefined || to > at - KEPT_MS);
    if (isMuted) this.#mutes = bounded([...kept, { from: at, to: undefined }]);
    else this.#mutes = kept.map((mute) => (mute.to === undefined ? { ...mute, to: at } : mute));
  }

  get isMuted(): boolean {
    const last = this.#mutes.at(-1);
    return last !== undefined && last.to === undefined;
  }

  list(): readonly Mute[] {
    return this.#mutes;
  }
}

/** Rather too much silence than too little. */
function bounded(mutes: readonly Mute[]): readonly Mute[] {
  const [first, second] = mutes;
  if (mutes.length <= MUTES_MAX || first === undefined || second === undefined) return mutes;
  return [{ from: first.from, to: second.to }, ...mutes.slice(2)];
}
