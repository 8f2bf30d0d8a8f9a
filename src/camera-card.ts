import type { RecorderStatus } from './capture/recorder-api.js';
import type { Recorder } from './capture/recorder.js';
import type { Cancel, Clock } from './clock.js';
import type { Config } from './config/config.js';
import { CameraError, isCameraError, messageOf } from './errors.js';
import type { PartsHealth } from './hal/parts-health.js';
import type { Logger } from './log.js';
import type { Card } from './storage/card.js';

/** A card fills up within minutes, and whoever has pressed in vain wants to know that he may press again. */
const LOOK_PERIOD_MS = 5000;
const HOUR_S = 3600;
const HOUR_MS = 3_600_000;

/** Bytes of an hour of footage. */
export const hourOf = (bitrateKbps: number): number => ((bitrateKbps * 1000) / 8) * HOUR_S;

/** A few GOPs tell the bit rate of a scene. */
const MEASURED_MS_MIN = 5000;

/** What footage takes just now: what the encoder is set to, or what it makes where that is more. */
export function bitrateOf(
  { bufferedBytes, bufferedMs }: Pick<RecorderStatus, 'bufferedBytes' | 'bufferedMs'>,
  setKbps: number,
): number {
  if (bufferedMs < MEASURED_MS_MIN) return setKbps;
  return Math.max(setKbps, (bufferedBytes * 8) / bufferedMs);
}

/** How long footage stays after its receipt; undefined for as long as there is room. */
export const retainMsOf = ({ retainAfterReceiptHours: hours }: Config): number | undefined =>
  hours === null ? undefined : hours * HOUR_MS;

export interface CardWatchParts {
  readonly clock: Clock;
  readonly health: PartsHealth;
  readonly card: Pick<Card, 'freeBytes' | 'probe' | 'reserveBytes' | 'secondTry'>;
  readonly recorder: Pick<Recorder, 'status' | 'storageFailed' | 'storageRecovered'>;
  readonly log: Logger;
}

/**
 * Whether the card takes recordings. One that is full or fails shows as a fault before anybody presses, and the fault ends
 * by itself when there is room and the card has taken a few bytes again.
 */
export class CameraCard {
  readonly #parts: CardWatchParts;
  readonly #cancels: readonly Cancel[];
  #isLooking = false;
  #isClosed = false;

  constructor(parts: CardWatchParts) {
    this.#parts = parts;
    const { card, clock, health, recorder } = parts;
    this.#cancels = [
      card.secondTry.watch((fault) => {
        health.reporter('card')(fault);
        if (fault !== undefined) recorder.storageFailed(fault.code, fault.message);
      }),
      clock.every(LOOK_PERIOD_MS, () => void this.look()),
    ];
    void this.look();
  }

  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#cancels) cancel();
  }

  /** One look at a time: a card that hangs is not asked again meanwhile. Never rejects. */
  async look(): Promise<void> {
    if (this.#isLooking || this.#isClosed) return;
    this.#isLooking = true;
    const { log, recorder } = this.#parts;
    try {
      await this.#look();
    } catch (error) {
      log.debug({ error: messageOf(error) }, 'a look at the card failed');
      const code = isCameraError(error) ? error.code : 'storage/io';
      this.#unlessClosed(() => {
        recorder.storageFailed(code, messageOf(error));
      });
    } finally {
      this.#isLooking = false;
    }
  }

  async #look(): Promise<void> {
    const { card, recorder } = this.#parts;
    const free = await card.freeBytes();
    if (free < card.reserveBytes) {
      const { code, message } = fullCard(free, card.reserveBytes);
      this.#unlessClosed(() => {
        recorder.storageFailed(code, message);
      });
      return;
    }
    if (recorder.status().mode !== 'fault' || card.secondTry.fault !== undefined) return;
    await card.probe();
    this.#unlessClosed(() => {
      recorder.storageRecovered();
    });
  }

  /** A look that the end of the camera has overtaken tells nobody. */
  #unlessClosed(tell: () => void): void {
    if (!this.#isClosed) tell();
  }
}

function fullCard(free: number, reserve: number): CameraError {
  const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);
  const message = `${mib(free)} MiB are free, a recording starts only above ${mib(reserve)} MiB`;
  return new CameraError('storage/disk-full', message);
}
