import { ticksToMs, type MonotonicMs } from '../units.js';
import type { PreEventBuffer } from './pre-event-buffer.js';
import type { RecorderStatus } from './recorder-api.js';
import type { RecorderState } from './recorder-events.js';
import { modeOf } from './recorder-state.js';
import type { Recordings } from './recordings.js';
import type { VideoFeed } from './video-feed.js';

/** What the parts of a recorder look like from outside at `now`. */
export function recorderStatus(
  state: RecorderState,
  feed: VideoFeed,
  buffer: PreEventBuffer,
  recordings: Recordings,
  now: MonotonicMs,
): RecorderStatus {
  const open = feed.openGop;
  const openMs = open ? ticksToMs(open.newest90k - open.start90k) : 0;
  const { active, lastDurableAt, isDurable, waitingBytes } = recordings;
  return {
    mode: modeOf(state),
    isMuted: state.isMuted,
    isStealthy: state.isStealthy,
    rec: active?.rec ?? null,
    recordingMs: active ? now - active.startedAt : 0,
    bufferedMs: buffer.ms + openMs,
    bufferedBytes: buffer.bytes,
    waitingBytes,
    frames: feed.frames,
    runs: feed.runs,
    isDurable,
    lastDurableMsAgo: lastDurableAt === undefined ? null : now - lastDurableAt,
  };
}
