import { lightsFor } from './capture/indicator.js';
import { launchLine } from './capture/pipeline.js';
import { queueBytesFor } from './capture/recorder-api.js';
import type { RecorderListener, RecorderStatus } from './capture/recorder-api.js';
import { Recorder } from './capture/recorder.js';
import type { Indicator } from './capture/ports.js';
import type { Config } from './config/config.js';
import { parseRecipient } from './evidence/age-recipients.js';
import { fromSpkiBase64 } from './evidence/public-key.js';
import type { Signer } from './evidence/signer.js';
import type { Cancel } from './clock.js';
import { CameraError } from './errors.js';
import type { ErrorCode } from './errors.js';
import type { Board } from './hal/board.js';
import type { FileSystem } from './hal/ports/file-system.js';
import type { Logger } from './log.js';
import { openCard } from './storage/card.js';
import type { Card } from './storage/card.js';
import { retentionStatus } from './storage/retention-status.js';
import type { RetentionStatus } from './storage/retention-status.js';
import type { CatalogTotals } from './storage/catalog.js';
import type { DockPhase } from './sync/device/dock-session.js';
import type { DockProgress } from './sync/device/progress.js';
import { Uploader } from './sync/device/uploader.js';
import { connectMqtt } from './sync/mqtt-client.js';
import type { Will } from './sync/ports.js';

export interface CameraOptions {
  readonly config: Config;
  /** Directory of the evidence card. */
  readonly card: string;
  /** Remembers the newest boot number, on internal storage: a new card must not start from 1 again. */
  readonly bootFile: string;
  readonly deviceKey: Signer;
  readonly configDigest: string;
  readonly firmwareDigest: string;
}

export interface CameraListener extends RecorderListener {
  onProgress?(progress: DockProgress): void;
  onPhase?(phase: DockPhase): void;
}

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
  readonly dock: { readonly isDocked: boolean; readonly phase: DockPhase };
  readonly card: CatalogTotals & { readonly freeBytes: number };
  readonly retention: RetentionStatus;
}

/** What the wearer feels: `[on, off, on, …]` in milliseconds. Start and stop cannot be confused, a refusal is long. */
const PULSES = {
  started: [150, 100, 150],
  marked: [100],
  stopped: [600],
  refused: [100, 80, 100, 80, 100, 80, 600],
} as const;

/** A clean end waits this long for the recorder, and again for broker and card. */
const CLOSE_MS_MAX = 8000;

/** A camera: the one place where board, capture, storage and sync meet. */
export class Camera {
  readonly recorder: Recorder;
  readonly card: Card;
  readonly uploader: Uploader;
  readonly #board: Board;
  readonly #config: Config;
  readonly #cancels: Cancel[] = [];
  #newestFault: CameraFault | null = null;

  private constructor(
    board: Board,
    card: Card,
    recorder: Recorder,
    uploader: Uploader,
    config: Config,
  ) {
    this.#board = board;
    this.card = card;
    this.recorder = recorder;
    this.uploader = uploader;
    this.#config = config;
    recorder.on({
      faulted: ({ code, detail }) => {
        this.#newestFault = faultOf(code, detail);
      },
    });
  }

  /**
   * Opens the card for a new boot and puts the parts together; nothing moves before `start`. Rejects with
   * `hal/no-element` or another fault of the pipeline, or with the errors of `openCard`.
   */
  static async open(
    board: Board,
    fs: FileSystem,
    log: Logger,
    options: CameraOptions,
    listener: CameraListener = {},
  ): Promise<Camera> {
    const { config } = options;
    const launch = launchLine(board.camera);
    await board.video.check(launch);
    const card = await openCard(
      { fs, clock: board.clock, log: log.child({ part: 'storage' }) },
      {
        ...options,
        device: config.deviceId,
        recipients: config.recipients.map(parseRecipient),
        reserveBytes: config.reserveBytes,
        onSealed: () => undefined,
      },
    );
    const recorder = makeRecorder(board, card, log, config, launch);
    recorder.on(listener);
    const uploader = await makeUploader(board, card, log, config, listener);
    return new Camera(board, card, recorder, uploader, config);
  }

  /** Starts buffering, listens to buttons and dock. Once. */
  start(): void {
    const { buttons, dock } = this.#board;
    for (const button of ['record', 'function'] as const) {
      const cancel = buttons[button]?.watch(({ isPressed, at }) => {
        this.recorder.edge({ button, isPressed, at });
      });
      if (cancel !== undefined) this.#cancels.push(cancel);
    }
    this.recorder.start();
    this.#cancels.push(
      dock.watch((isDocked) => {
        if (isDocked) this.uploader.dock();
        // A failed goodbye is the broker's loss: the session is over either way, and the uploader logs it.
        else void this.uploader.undock();
      }),
    );
    if (dock.isDocked()) this.uploader.dock();
  }

  async status(): Promise<CameraStatus> {
    const totals = this.card.totals();
    const recorder = this.recorder.status();
    return {
      device: this.#config.deviceId,
      boot: this.card.boot,
      recorder,
      fault: recorder.mode === 'fault' ? this.#newestFault : null,
      dock: { isDocked: this.#board.dock.isDocked(), phase: this.uploader.phase },
      card: { ...totals, freeBytes: await this.card.freeBytes() },
      retention: retentionStatus(totals, this.#config.receivers.length),
    };
  }

  /**
   * Ends the running recording well and closes everything but the board. Resolves false when the card did not answer
   * in time: what is left open then is recovery's at the next start.
   */
  async close(): Promise<boolean> {
    for (const cancel of this.#cancels) cancel();
    const isClean = await this.recorder.stopAndClose(CLOSE_MS_MAX);
    const closed = this.uploader
      .undock()
      .then(() => this.card.close())
      .then(() => true);
    const isInTime = await Promise.race([closed, this.#board.clock.sleep(CLOSE_MS_MAX)]);
    return isClean && isInTime === true;
  }
}

/** A fault of the recorder as commands tell it. */
export function faultOf(code: ErrorCode, message: string): CameraFault {
  const { remedy } = new CameraError(code, message);
  return { code, message, remedy };
}

function makeRecorder(
  board: Board,
  card: Card,
  log: Logger,
  config: Config,
  launch: string,
): Recorder {
  const { preEventBytesMax } = board.file.memory;
  return new Recorder(
    {
      clock: board.clock,
      video: board.video,
      sink: card.recordings,
      journal: card.journal,
      indicator: indicatorOf(board),
      log: log.child({ part: 'capture' }),
    },
    {
      launch,
      preEventMs: config.preEventMs,
      postEventMs: config.postEventMs,
      segmentMs: config.segmentMs,
      holdMs: config.stopHoldMs,
      debounceIntervalMs: board.file.buttons.record.debounceIntervalMs,
      bufferBytesMax: preEventBytesMax,
      queueBytesMax: queueBytesFor(preEventBytesMax, board.camera.bitrateKbps),
    },
  );
}

async function makeUploader(
  board: Board,
  card: Card,
  log: Logger,
  config: Config,
  listener: CameraListener,
): Promise<Uploader> {
  const logger = log.child({ part: 'sync' });
  const { clock } = board;
  const identity = {
    device: config.deviceId,
    boot: card.boot,
    certificate: await card.outgoing.certificate(card.boot),
    receivers: config.receivers.map(({ rx, spki }) => ({ rx, publicKey: fromSpkiBase64(spki) })),
  };
  const ports = {
    segments: card.outgoing,
    connect: (will: Will) =>
      connectMqtt({ url: config.brokerUrl, clientId: config.deviceId, clock, logger, will }),
    clock,
    logger,
    freeBytes: () => card.freeBytes(),
  };
  return new Uploader(identity, ports, {
    onProgress: (progress) => listener.onProgress?.(progress),
    onPhase: (phase) => listener.onPhase?.(phase),
  });
}

/** The lights and the motor of the board, in the language of the indicator table. */
function indicatorOf({ lights, vibration }: Board): Indicator {
  return {
    show: (mode, isDurable) => {
      const shown = lightsFor(mode, isDurable);
      lights.show('record', shown.record);
      lights.show('status', shown.status);
      if (lights.has('fault')) lights.show('fault', shown.fault);
      else if (shown.fault !== 'off') lights.show('status', shown.fault);
    },
    signal: (kind) => vibration?.play(PULSES[kind]),
  };
}
