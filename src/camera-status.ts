import type { RecorderStatus } from './capture/recorder-api.js';
import { CameraError } from './errors.js';
import type { ErrorCode } from './errors.js';
import type { Finding } from './hal/board-checks.js';
import type { Board } from './hal/board.js';
import type { TimeStatus } from './camera-clock.js';
import type { CatalogTotals } from './storage/catalog.js';
import type { RetentionStatus } from './storage/retention-status.js';
import type { DockPhase } from './sync/device/dock-session.js';
import type { TriggerLinkStatus } from './sync/device/trigger-link.js';

/** A fault with its code, in words and with what a person does about it. */
export interface CameraFault {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
}

/** Everything `lapel status` tells of a running camera. */
export interface CameraStatus {
  readonly device: string;
  readonly boot: number;
  readonly recorder: RecorderStatus;
  /** Why the recorder is in its fault, as far as it said so; null when it is in none. */
  readonly fault: CameraFault | null;
  /** Parts of the board that do not work now. */
  readonly parts: readonly (CameraFault & { readonly part: string })[];
  /** What the last check of the camera found wrong; empty when it passed, null before the first. */
  readonly check: readonly Finding[] | null;
  /** Where the camera is, in degrees (WGS 84); null without a fix younger than two seconds. */
  readonly position: { readonly latitude: number; readonly longitude: number } | null;
  /** What is believed of the wall time. */
  readonly time: TimeStatus;
  readonly dock: { readonly isDocked: boolean; readonly phase: DockPhase };
  /** Commands and other cameras; null when the configuration wants neither. */
  readonly triggers: TriggerLinkStatus | null;
  readonly card: CatalogTotals & { readonly freeBytes: number; readonly reserveBytes: number };
  readonly retention: RetentionStatus;
  /** Entries of the log that wait in memory because the card takes nothing, and those that no longer fitted. */
  readonly backlog: { readonly waiting: number; readonly lost: number };
}

/** Where the camera is; null without a fix. */
export function positionOf({ gnss }: Board): CameraStatus['position'] {
  const fix = gnss?.fix();
  return fix ? { latitude: fix.latitude, longitude: fix.longitude } : null;
}

/** A fault of the recorder as commands tell it. */
export function faultOf(code: ErrorCode, message: string): CameraFault {
  const { remedy } = new CameraError(code, message);
  return { code, message, remedy };
}
