import type { Clock } from '../clock.js';
import { withDeadline } from './deadline.js';
import type { RecordingSink } from './ports.js';
import type { Recordings } from './recordings.js';

/** A card that had no number for the next recording is asked again after this. */
const RETRY_MS = 10_000;

export interface RollOverEvents {
  /** The recording `from` goes on as `rec`. */
  rolled(rec: number, from: number): void;
  failed(error: unknown): void;
}

export interface RollOverSettings {
  readonly recordingMsMax: number;
  readonly segmentMs: number;
}

/** Lets a recording that has its longest time go on under another number, without a lost frame between the two. */
export class RollOver {
  readonly #clock: Clock;
  readonly #sink: RecordingSink;
  readonly #recordings: Recordings;
  readonly #numberMsMax: number;
  readonly #events: RollOverEvents;
  #mayRollAt = 0;

  /** `numberMsMax`: how long the storage may take to give a number. */
  constructor(
    ports: { readonly clock: Clock; readonly sink: RecordingSink },
    recordings: Recordings,
    numberMsMax: number,
    events: RollOverEvents,
  ) {
    this.#clock = ports.clock;
    this.#sink = ports.sink;
    this.#recordings = recordings;
    this.#numberMsMax = numberMsMax;
    this.#events = events;
  }

  /** Looks whether it is time. `openGop` names the open GOP when the number is there: the new recording begins after it. */
  look(settings: RollOverSettings, openGop: () => number | undefined): void {
    const now = this.#clock.monotonicMs();
    const { active } = this.#recordings;
    if (active === undefined || now - active.startedAt < settings.recordingMsMax) return;
    if (now < this.#mayRollAt) return;
    this.#mayRollAt = now + RETRY_MS;
    void this.#roll(active.rec, settings, openGop);
  }

  /** Where the card has no number, the recording goes on as it is. */
  async #roll(
    from: number,
    { segmentMs }: RollOverSettings,
    openGop: () => number | undefined,
  ): Promise<void> {
    try {
      const rec = await withDeadline(
        this.#clock,
        this.#sink.beginRecording(),
        this.#numberMsMax,
        'going on in another recording',
      );
      // It may have been stopped meanwhile; the number stays unused.
      if (this.#recordings.active?.rec !== from) return;
      this.#recordings.roll(rec, segmentMs, openGop());
      this.#events.rolled(rec, from);
    } catch (error) {
      this.#events.failed(error);
    }
  }
}
