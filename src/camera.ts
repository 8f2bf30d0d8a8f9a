import type { RecorderListener } from './capture/recorder-api.js';
import type { Recorder } from './capture/recorder.js';
import type { Config } from './config/config.js';
import { indicatorTable } from './config/indicators.js';
import { parseRecipient } from './evidence/age-recipients.js';
import type { Envelope } from './evidence/dsse.js';
import type { Signer } from './evidence/signer.js';
import type { Cancel } from './clock.js';
import { messageOf } from './errors.js';
import type { CameraError, ErrorCode } from './errors.js';
import type { Finding } from './hal/board-checks.js';
import type { Board } from './hal/board.js';
import { judgeMotion, startFallState } from './hal/drivers/fall-detector.js';
import type { Imu } from './hal/drivers/imu.js';
import type { FileSystem } from './hal/ports/file-system.js';
import type { Logger } from './log.js';
import { bitrateOf, CameraCard, hourOf, retainMsOf } from './camera-card.js';
import { CameraClock } from './camera-clock.js';
import { CameraMetadata } from './camera-metadata.js';
import { CameraMounting } from './camera-mounting.js';
import { CameraReadiness } from './camera-readiness.js';
import { faultOf, positionOf } from './camera-status.js';
import type { CameraFault, CameraStatus } from './camera-status.js';
import { openCard } from './storage/card.js';
import type { Card, CardOptions } from './storage/card.js';
import { retentionStatus } from './storage/retention-status.js';
import type { DockPhase } from './sync/device/dock-session.js';
import type { DockProgress } from './sync/device/progress.js';
import type { Uploader } from './sync/device/uploader.js';
import type { TriggerFact } from './sync/ports.js';
import { signLog, startHeartbeat } from './camera-heartbeat.js';
import { CameraIndicator } from './camera-indicator.js';
import { checkedLaunches } from './camera-launches.js';
import { checkMemory, makeRecorder } from './camera-recorder.js';
import type { CameraFacts } from './camera-recorder.js';
import { CameraTriggers, hasTriggers } from './camera-triggers.js';
import { makeUploader, receiversOf } from './camera-uploader.js';
import { CameraWarnings } from './camera-warnings.js';

export interface CameraOptions {
  readonly config: Config;
  /** Directory of the evidence card. */
  readonly card: string;
  /** Remembers the newest boot number, on internal storage: a new card must not start from 1 again. */
  readonly bootFile: string;
  readonly deviceKey: Signer;
  /** From the first device key to this one, oldest first. */
  readonly rotations?: readonly Envelope[];
  readonly configDigest: string;
  readonly firmwareDigest: string;
  /** The right to delete what has a receipt; without it the card only fills. */
  readonly removal?: CardOptions['removal'];
  readonly wrapDatabase?: CardOptions['wrapDatabase'];
}

export interface CameraListener extends RecorderListener {
  onProgress?(progress: DockProgress): void;
  onPhase?(phase: DockPhase): void;
  /** A command or a word of another camera was judged; `code` is undefined for one that was taken. */
  onTrigger?(fact: TriggerFact, code: ErrorCode | undefined): void;
}

/** A start takes up to 5 s until it buffers; pictures and positions are there by then. */
const FIRST_CHECK_MS = 8000;
/** What was only slow at the first check has come right by then. */
const RECHECK_MS = 15_000;
/** Longest text of a fault in the log; its remedy is in the table of codes. */
const FAULT_TEXT_MAX = 200;
/** A clean end waits this long for the recorder, and again for broker and card. */
const CLOSE_MS_MAX = 8000;

/** Faults that are told and logged while the recorder goes on: never why it is in its fault. */
const HARMLESS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'capture/audio-lost',
  'capture/bitrate',
  'capture/gop-too-long',
]);

/** What hears commands and other cameras; undefined where the configuration wants neither. */
async function makeTriggers(
  { clock }: Board,
  card: Card,
  recorder: Recorder,
  config: Config,
  { time, metadata }: CameraFacts,
  log: Logger,
  listener: CameraListener,
): Promise<CameraTriggers | undefined> {
  if (!hasTriggers(config)) return undefined;
  const certificate = await card.outgoing.certificate(card.boot);
  return new CameraTriggers({
    ...{ config, clock, card, certificate, recorder, metadata, log },
    wallTime: () => time.wallAt(clock.monotonicMs()),
    onJudged: (fact, code) => listener.onTrigger?.(fact, code),
  });
}

/** A camera: the one place where board, capture, storage and sync meet. */
export class Camera {
  readonly recorder: Recorder;
  readonly card: Card;
  readonly uploader: Uploader;
  readonly #board: Board;
  readonly #config: Config;
  readonly #log: Logger;
  readonly #indicator: CameraIndicator;
  readonly #readiness: CameraReadiness;
  readonly #time: CameraClock;
  readonly #metadata: CameraMetadata;
  readonly #mounting: CameraMounting;
  readonly #triggers: CameraTriggers | undefined;
  readonly #cancels: Cancel[] = [];
  #findings: readonly Finding[] | undefined;
  #cancelRecheck: Cancel = () => undefined;
  #isClosed = false;
  #isBatteryEmpty = false;
  #isTooHot = false;
  #newestFault: CameraFault | null = null;

  private constructor(
    board: Board,
    card: Card,
    recorder: Recorder,
    uploader: Uploader,
    config: Config,
    indicator: CameraIndicator,
    { time, metadata, mounting }: CameraFacts,
    triggers: CameraTriggers | undefined,
    log: Logger,
  ) {
    this.#board = board;
    this.#time = time;
    this.#metadata = metadata;
    this.#mounting = mounting;
    this.#triggers = triggers;
    this.card = card;
    this.recorder = recorder;
    this.uploader = uploader;
    this.#config = config;
    this.#log = log;
    this.#indicator = indicator;
    this.#readiness = new CameraReadiness(board, recorder, card, card.reserveBytes);
    recorder.on({
      recordingStarted: () => {
        metadata.trigger('start', board.clock.monotonicMs());
      },
      stealthChanged: (isStealthy, at) => {
        metadata.stealth(isStealthy, at);
      },
      faulted: ({ code, detail }) => {
        if (!HARMLESS.has(code)) this.#newestFault = faultOf(code, detail);
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
    checkMemory(board, config);
    const launches = await checkedLaunches(board, config, log);
    const time = new CameraClock({ clock: board.clock, health: board.health, log });
    const { wearer, mount } = config;
    const { configDigest } = options;
    const metadata = new CameraMetadata({
      ...{ wearer, mount, configDigest },
      anchors: () => time.anchors,
    });
    const mounting = new CameraMounting(
      { clock: board.clock, imu: board.imu, up: board.file.imu.up, log },
      config.rotation,
    );
    const facts = { time, metadata, mounting };
    const card = await openCard(
      { fs, clock: board.clock, log: log.child({ part: 'storage' }), metadata },
      {
        ...options,
        device: config.deviceId,
        recipients: config.recipients.map(parseRecipient),
        reserveBytes: config.reserveBytes,
        reservePercent: config.reservePercent,
        receivers: receiversOf(config),
        retainMs: retainMsOf(config),
        roomBytes: hourOf(board.camera.bitrateKbps),
        wallTime: () => time.wallAt(board.clock.monotonicMs()),
        onSealed: () => undefined,
      },
    );
    const indicator = new CameraIndicator(board, indicatorTable(config.indicators));
    const recorder = makeRecorder(board, card, log, config, launches, indicator, facts);
    recorder.on(listener);
    const uploader = await makeUploader(board, card, log, config, {
      ...listener,
      onPhase: (phase) => {
        indicator.setDockPhase(phase);
        listener.onPhase?.(phase);
      },
    });
    const triggers = await makeTriggers(board, card, recorder, config, facts, log, listener);
    return new Camera(board, card, recorder, uploader, config, indicator, facts, triggers, log);
  }

  /** Starts buffering, listens to buttons and dock. Once. */
  start(): void {
    const { buttons, dock } = this.#board;
    for (const button of ['record', 'function'] as const) {
      const cancel = buttons[button]?.watch((edge) => {
        this.recorder.edge({ button, ...edge });
      });
      if (cancel !== undefined) this.#cancels.push(cancel);
    }
    this.recorder.start();
    this.#time.start(this.card.journal);
    this.#cancels.push(this.#metadata.watch(this.#board));
    this.#watchParts();
    this.#cancels.push(startHeartbeat(this.#board, this.card, this.recorder, this.#log));
    const warnings = new CameraWarnings(
      this.#board,
      this.card,
      this.card.reserveBytes,
      this.#log,
      ({ isBatteryEmpty, isTooHot, ...facts }) => {
        this.#indicator.setFacts(facts);
        this.#isBatteryEmpty = isBatteryEmpty ?? this.#isBatteryEmpty;
        this.#isTooHot = isTooHot ?? this.#isTooHot;
        const heat = this.#isTooHot ? 'thermal' : undefined;
        this.recorder.setLimit(this.#isBatteryEmpty ? 'battery' : heat);
      },
      () => bitrateOf(this.recorder.status(), this.#board.camera.bitrateKbps),
    );
    const { clock, health } = this.#board;
    const { card, recorder } = this;
    const watch = new CameraCard({ clock, health, card, recorder, log: this.#log });
    this.#cancels.push(() => {
      warnings.close();
      watch.close();
    });
    this.#cancels.push(
      dock.watch((isDocked) => {
        if (isDocked) {
          signLog(this.card, this.#log);
          this.uploader.dock();
        } else {
          this.#mounting.takenOut();
          // A failed goodbye is the broker's loss: the session is over either way, and the uploader logs it.
          void this.uploader.undock();
          void this.check();
        }
      }),
    );
    if (dock.isDocked()) this.uploader.dock();
    else this.#mounting.takenOut();
    this.#triggers?.start();
  }

  /**
   * Looks at every part that can be looked at while the camera runs; the same looks as `lapel doctor` takes. What it
   * finds decides about the ready light until the next check: after start-up, at each undocking, and every 15 s while it
   * is not passed.
   */
  async check(): Promise<readonly Finding[]> {
    const findings = await this.#readiness.check();
    // A check that the end of the camera has overtaken lights nothing any more.
    if (this.#isClosed) return findings;
    const before = new Set(this.#findings?.filter(({ ok }) => !ok).map(({ part }) => part));
    this.#findings = findings;
    const hasPassed = findings.every(({ ok }) => ok);
    this.#indicator.setChecked(hasPassed);
    this.#cancelRecheck();
    if (!hasPassed) {
      this.#cancelRecheck = this.#board.clock.after(RECHECK_MS, () => void this.check());
    }
    for (const { part, ok, detail } of findings) {
      // Told once, however often it is found.
      if (!ok && !before.has(part)) this.#noteFault('hal/check-failed', `${part}: ${detail}`);
    }
    return findings;
  }

  async status(): Promise<CameraStatus> {
    const totals = this.card.totals();
    const freeBytes = await this.card.freeBytes();
    const { receivers } = this.#config;
    const recorder = this.recorder.status();
    return {
      device: this.#config.deviceId,
      boot: this.card.boot,
      recorder,
      fault: recorder.mode === 'fault' ? this.#newestFault : null,
      check: this.#findings?.filter(({ ok }) => !ok) ?? null,
      position: positionOf(this.#board),
      time: this.#time.status(),
      parts: this.#board.health.faults().map(({ part, fault }) => {
        return { part, ...faultOf(fault.code, fault.message) };
      }),
      dock: { isDocked: this.#board.dock.isDocked(), phase: this.uploader.phase },
      triggers: this.#triggers?.status() ?? null,
      card: { ...totals, freeBytes, reserveBytes: this.card.reserveBytes },
      retention: retentionStatus(totals, receivers.length, this.card.retention.plan(freeBytes)),
      backlog: this.card.secondTry.backlog,
    };
  }

  /** What breaks and what works again goes into the log; a fall that the motion sensor feels starts a recording. */
  #watchParts(): void {
    const { health, clock, imu } = this.#board;
    for (const { part, fault } of health.faults()) this.#partChanged(part, fault);
    this.#cancels.push(
      health.watch((part, fault) => {
        this.#partChanged(part, fault);
      }),
      ...(imu === undefined
        ? []
        : [
            watchForFalls(imu, () => {
              // Told two seconds after the strike, which the pre-event still holds.
              const at = clock.monotonicMs();
              this.#metadata.trigger('fall', at);
              this.recorder.trigger('fall', at);
            }),
          ]),
      // When the encoder has had the time to start and the satellite receiver to speak.
      clock.after(FIRST_CHECK_MS, () => void this.check()),
    );
  }

  #partChanged(part: string, fault: CameraError | undefined): void {
    if (fault === undefined) this.#log.info({ part }, 'a part of the board works again');
    else this.#noteFault(fault.code, `${part}: ${fault.message}`);
  }

  #noteFault(code: ErrorCode, detail: string): void {
    this.#log.warn({ code, detail }, 'fault');
    this.card.journal
      .record({ type: 'fault', code, detail: detail.slice(0, FAULT_TEXT_MAX) })
      .catch((error: unknown) => {
        this.#log.error({ error: messageOf(error) }, 'a fault could not be written into the log');
      });
  }

  /**
   * Ends the running recording well and closes everything but the board. Resolves false when the card did not answer
   * in time: what is left open then is recovery's at the next start.
   */
  async close(): Promise<boolean> {
    this.#isClosed = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancelRecheck();
    this.#indicator.close();
    this.#time.close();
    this.#mounting.close();
    const isClean = await this.recorder.stopAndClose(CLOSE_MS_MAX);
    const closed = Promise.all([this.uploader.undock(), this.#triggers?.close()])
      .then(() => this.card.close('stopped'))
      .then(() => true);
    const isInTime = await Promise.race([closed, this.#board.clock.sleep(CLOSE_MS_MAX)]);
    return isClean && isInTime === true;
  }
}

/** Calls back for each fall in the samples of a motion sensor. */
function watchForFalls(imu: Imu, onFall: () => void): Cancel {
  let state = startFallState;
  return imu.watch((sample) => {
    const judged = judgeMotion(state, sample);
    state = judged.state;
    if (judged.event?.kind === 'fall') onFall();
  });
}
