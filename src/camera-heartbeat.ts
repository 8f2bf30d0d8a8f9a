import type { Cancel, Clock } from './clock.js';
import { messageOf } from './errors.js';
import type { Logger } from './log.js';
import type { Journal } from './storage/journal.js';

/** An hour without entries has to show as one: the log is never silent for longer while the camera has power. */
export const HEARTBEAT_MS = 60_000;
/** A card that says nothing for so long is not waited for; the beat is due. */
const FREE_BYTES_MS_MAX = 2000;

type Heartbeat = Extract<Parameters<Journal['record']>[0], { type: 'heartbeat' }>;

export interface HeartbeatParts {
  readonly clock: Clock;
  readonly journal: Pick<Journal, 'record'>;
  readonly mode: () => Heartbeat['mode'];
  readonly isDocked: () => boolean;
  readonly freeBytes: () => Promise<number>;
  readonly log: Logger;
}

/**
 * Tells the device log every 60 s that the camera lives, in which mode, and how much room there is, whatever mode that is.
 * Returns how to end it. A beat that the log does not take is missed, and its number is missing for good.
 */
export function startHeartbeat(parts: HeartbeatParts): Cancel {
  const { clock, journal, log } = parts;
  const room = watchRoom(parts);
  let beats = 0;
  const beat = async (): Promise<void> => {
    beats += 1;
    const number = beats;
    const freeBytes = await room();
    const [mode, isDocked] = [parts.mode(), parts.isDocked()];
    await journal.record({ type: 'heartbeat', beat: number, mode, isDocked, freeBytes });
  };
  return clock.every(HEARTBEAT_MS, () => {
    beat().catch((error: unknown) => {
      log.error({ error: messageOf(error) }, 'a heartbeat could not be logged');
    });
  });
}

/** Free bytes, or null when the card does not say so in time. One that hangs is not asked again meanwhile. */
function watchRoom({ clock, freeBytes }: HeartbeatParts): () => Promise<number | null> {
  let isAsking = false;
  return async () => {
    if (isAsking) return null;
    isAsking = true;
    const answer = freeBytes()
      .catch(() => null)
      .finally(() => {
        isAsking = false;
      });
    return Promise.race([answer, clock.sleep(FREE_BYTES_MS_MAX).then(() => null)]);
  };
}
