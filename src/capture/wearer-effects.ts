import type { Cancel, Clock } from '../clock.js';
import type { FactLog } from './fact-log.js';
import type { Indicator } from './ports.js';
import type { PressMoment } from './press-moments.js';
import type { RecorderEffect } from './recorder-events.js';
import type { RecorderListeners } from './recorder-listeners.js';
import type { Recordings } from './recordings.js';

/** Without a step through the categories for this long the choice stands. */
const PICK_MS = 8000;

/** Effects that are about the wearer and not about pictures. */
export type WearerEffect = Extract<
  RecorderEffect,
  { readonly type: 'mute' | 'stealth' | 'pick' | 'category' | 'signal' }
>;

export interface WearerEffectsParts {
  readonly clock: Clock;
  readonly indicator: Indicator;
  readonly facts: FactLog;
  readonly recordings: Recordings;
  readonly listeners: RecorderListeners;
  readonly momentOf: (press: number) => PressMoment | undefined;
  readonly pickingOver: () => void;
}

/** Carries out what the wearer asked for beside a recording: silence, stealth, a category; and what he feels of it. */
export class WearerEffects {
  readonly #parts: WearerEffectsParts;
  #cancelPick: Cancel = () => undefined;

  constructor(parts: WearerEffectsParts) {
    this.#parts = parts;
  }

  do(effect: WearerEffect): void {
    const { clock, facts, indicator, listeners } = this.#parts;
    switch (effect.type) {
      case 'mute':
        this.#mute(effect.isMuted, effect.press);
        return;
      case 'stealth':
        facts.record(effect);
        listeners.tell((listener) =>
          listener.stealthChanged?.(effect.isStealthy, clock.monotonicMs()),
        );
        return;
      case 'pick':
        this.#pick(effect.choice);
        return;
      case 'category':
        this.#cancelPick();
        facts.record(effect);
        listeners.tell((listener) => listener.categoryChosen?.(effect));
        return;
      case 'signal':
        indicator.signal(effect.kind);
    }
  }

  close(): void {
    this.#cancelPick();
  }

  /** Silence is recorded from the moment of the press on, and pictures go on. */
  #mute(isMuted: boolean, press: number | undefined): void {
    const { clock, facts, recordings, momentOf } = this.#parts;
    const moment = press === undefined ? undefined : momentOf(press);
    const at = moment?.at ?? clock.monotonicMs();
    recordings.setMuted(at, isMuted);
    const place = recordings.placeOf(at);
    if (place !== undefined) facts.record({ type: 'mute', isMuted, at, ...place });
  }

  #pick(choice: number | undefined): void {
    const { clock, indicator, pickingOver } = this.#parts;
    this.#cancelPick();
    this.#cancelPick = clock.after(PICK_MS, pickingOver);
    if (choice !== undefined) indicator.signal('category', choice + 1);
  }
}
