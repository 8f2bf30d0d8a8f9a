import type { Cancel, Clock } from './clock.js';
import type { RecorderStatus } from './capture/recorder-api.js';
import { messageOf } from './errors.js';
import type { Board } from './hal/board.js';
import type { Logger } from './log.js';
import type { Card } from './storage/card.js';
import type { Journal } from './storage/journal.js';

/** An hour without entries has to show as one: the log is never silent for longer while the camera has power. */
export const HEARTBEAT_MS = 60_000;
/** A card that says nothing for so long is not waited for; the beat is due. */
const FREE_BYTES_MS_MAX = 2000;

/** What a beat tells of, as far as it is needed. */
export interface HeartbeatParts {
  readonly board: { readonly clock: Clock; readonly dock: Pick<Board['dock'], 'isDocked'> };
  readonly card: { readonly journal: Pick<Journal, 'record'> } & Pick<Card, 'freeBytes'>;
  readonly recorder: { status(): Pick<RecorderStatus, 'mode'> };
}

/**
 * Tells the device log every 60 s that the camera lives, in which mode, and how much room there is, whatever mode that is.
 * Returns how to end it. A beat that the log does not take is missed, and its number is missing for good.
 */
export function startHeartbeat(
  { clock, dock }: HeartbeatParts['board'],
  card: HeartbeatParts['card'],
  recorder: HeartbeatParts['recorder'],
  log: Logger,
): Cancel {
  const room = watchRoom(clock, card);
  let beats = 0;
  const beat = async (): Promise<void> => {
    beats += 1;
    const number = beats;
    const freeBytes = await room();
    const [{ mode }, isDocked] = [recorder.status(), dock.isDocked()];
    await card.journal.record({ type: 'heartbeat', beat: number, mode, isDocked, freeBytes });
  };
  return clock.every(HEARTBEAT_MS, () => {
    beat().catch((error: unknown) => {
      log.error({ error: messageOf(error) }, 'a heartbeat could not be logged');
    });
  });
}

/** Free bytes, or null when the card does not say so in time. One that hangs is not asked again meanwhile. */
function watchRoom(clock: Clock, card: HeartbeatParts['card']): () => Promise<number | null> {
  let isAsking = false;
  return async () => {
    if (isAsking) return null;
    isAsking = true;
    const answer = card
      .freeBytes()
      .catch(() => null)
      .finally(() => {
        isAsking = false;
      });
    return Promise.race([answer, clock.sleep(FREE_BYTES_MS_MAX).then(() => null)]);
  };
}

/** Signs the log where whoever takes it wants its newest head: at the dock. What forbids it is a fault of the card. */
export function signLog(
  { checkpoint, journal }: Pick<Card, 'checkpoint' | 'journal'>,
  log: Logger,
): void {
  checkpoint().catch((error: unknown) => {
    const detail = messageOf(error);
    log.error({ error: detail }, 'the log could not be signed');
    journal.record({ type: 'fault', code: 'storage/corrupt', detail }).catch(() => undefined);
  });
}
