import { AUDIO_FRAME_90K } from '../../src/capture/audio-track.js';
import type { AudioFrame } from '../../src/capture/ports.js';
import { monotonicMs, pts90k, ticksToMs } from '../../src/units.js';

/** AudioSpecificConfig of avenc_aac: AAC-LC, 48 kHz, one channel, no SBR. */
export const AUDIO_CONFIG = Buffer.from('118856e500', 'hex');

/** Frames one after the other, each with its number in it, heard when media time and monotonic time are the same. */
export function audioFrames(count: number, start90k = 0, firstNumber = 0): AudioFrame[] {
  return Array.from({ length: count }, (_, index) => {
    const at90k = start90k + index * AUDIO_FRAME_90K;
    const data = Buffer.alloc(9, 0xa5);
    data.writeUInt32BE(firstNumber + index, 0);
    return { data, start90k: pts90k(at90k), capturedAt: monotonicMs(ticksToMs(at90k)) };
  });
}
