import type { Cancel } from '../../clock.js';

/** Whether the camera stands in its dock. */
export interface DockPort {
  isDocked(): boolean;
  /** Calls back on every change, never for the state at the time of the call. */
  watch(listener: (isDocked: boolean) => void): Cancel;
}
