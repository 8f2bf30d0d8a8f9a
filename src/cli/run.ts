import { watchLoop } from '../camera-loop-watch.js';
import { faultOf } from '../camera-status.js';
import type { CameraListener } from '../camera.js';
import { parseConfig } from '../config/config.js';
import type { Config } from '../config/config.js';
import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { openLoopMonitor, openMachine, openServiceManager } from '../hal/machine.js';
import type { ServiceManager } from '../hal/ports/service-manager.js';
import { createLogger } from '../log.js';
import type { RecoverySummary } from '../storage/recovery.js';
import { formatSegmentRef } from '../units.js';
import { readConfigFile, requireCamera } from './config-file.js';
import type { ControlRequest } from './control-messages.js';
import { listenControl } from './control-socket.js';
import { findNamedBoard, openCamera } from './open-camera.js';
import type { OpenedCamera } from './open-camera.js';
import { findText, getLogLevel, getText } from './options.js';
import type { Options } from './options.js';
import { Progress, formatSeconds, printJson, say } from './output.js';
import type { Output } from './output.js';
import { dataPaths } from './paths.js';
import { untilSignal } from './signals.js';

/**
 * From the first look at the arguments to the end of the last segment. The control socket is the lock of the data
 * directory: it is held from before the card is opened for a new boot until after the card is closed.
 */
export async function run(
  _args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const machine = openMachine();
  const log = createLogger(getLogLevel(options), output.err);
  const board = await findNamedBoard(machine, getText(options, 'board'));
  const data = getText(options, 'data');
  await requireCamera(machine.fs, data);
  const config = await readConfig(machine.fs, options, data);
  const service = openServiceManager(machine, log);
  const loop = openLoopMonitor();
  const cancelLoopWatch = watchLoop(machine.clock, loop, log);
  let opened: OpenedCamera | undefined;
  const control = await listenControl(
    dataPaths(data).control,
    (request) => answer(opened, request),
    machine.clock,
  );
  try {
    opened = await openCamera(machine, log, { board, data, config }, narrate(output));
    await serve(opened, config.deviceId, output, service);
  } finally {
    cancelLoopWatch();
    loop.close();
    service.stopping();
    const ending = opened;
    opened = undefined;
    const isClean = (await ending?.close()) ?? true;
    if (!isClean) log.warn({}, 'the card did not answer in time; recovery does the rest');
    await control.close();
    await service.close();
  }
  return 0;
}

/** Starts the camera and lets it run until a signal. */
async function serve(
  { camera, board }: OpenedCamera,
  device: string,
  output: Output,
  service: ServiceManager,
): Promise<void> {
  camera.start();
  service.ready(`camera ${device}, boot ${camera.card.boot}, on ${board.file.model}`);
  say(output, `camera ${device}, boot ${camera.card.boot}, on ${board.file.model}`);
  say(output, 'stop with Ctrl-C; a running recording is closed well');
  if (output.isJson) printJson(output, { event: 'started', boot: camera.card.boot });
  void camera.card.recovered.then(tellRecovery(output), () => undefined);
  await untilSignal();
}

async function readConfig(fs: FileSystem, options: Options, data: string): Promise<Config> {
  const file = findText(options, 'config') ?? dataPaths(data).config;
  const config = await readConfigFile(fs, file);
  const brokerUrl = findText(options, 'broker');
  const localBrokerUrl = findText(options, 'localBroker');
  if (brokerUrl === undefined && localBrokerUrl === undefined) return config;
  return parseConfig({
    ...config,
    ...(brokerUrl === undefined ? {} : { brokerUrl }),
    ...(localBrokerUrl === undefined ? {} : { localBrokerUrl }),
  });
}

/** What the control socket answers: `status`, and `sim …` on a board with simulated parts. */
async function answer(
  opened: OpenedCamera | undefined,
  { verb, words }: ControlRequest,
): Promise<unknown> {
  if (opened === undefined) {
    throw new CameraError('cli/no-answer', 'the camera is just starting or stopping');
  }
  const { camera, board } = opened;
  if (verb === 'status') return camera.status();
  if (verb !== 'sim') throw new CameraError('cli/usage', `there is no request ${verb}`);
  if (board.control !== undefined) return board.control.run(words);
  throw new CameraError('hal/not-simulated', `nothing on ${board.file.model} is simulated`);
}

/** What the start-up pass found; nothing when there was nothing. A failure of it is in the log. */
function tellRecovery(output: Output): (summary: RecoverySummary) => void {
  return ({ recovered, quarantined, missing }) => {
    const refs = recovered.map(formatSegmentRef);
    if (output.isJson) {
      printJson(output, {
        event: 'recovered',
        recovered: refs,
        quarantined,
        missing: missing.map(formatSegmentRef),
      });
    } else if (refs.length > 0) {
      say(output, `sealed after a power loss: segments ${refs.join(', ')}`);
    }
    for (const file of quarantined) say(output, `in quarantine: ${file}`);
    for (const ref of missing) say(output, `missing from the card: ${formatSegmentRef(ref)}`);
  };
}

/** The events of a running camera: lines for people, JSON lines for programs. */
function narrate(output: Output): CameraListener {
  const tell = (event: string, facts: object, text: string): void => {
    if (output.isJson) printJson(output, { event, ...facts });
    else say(output, text);
  };
  let upload: Progress | undefined;
  let uploadBytes = 0;
  return {
    modeChanged: (mode) => {
      tell('mode', { mode }, mode);
    },
    pressDecided: (outcome) => {
      tell('press', { outcome }, `press: ${outcome}`);
    },
    faulted: ({ code, detail }) => {
      const fault = faultOf(code, detail);
      tell('fault', fault, `fault ${new CameraError(code, detail).line}`);
    },
    recordingStarted: ({ rec, preEvent }) => {
      const held = `${formatSeconds(preEvent.gotMs / 1000)} of pre-event`;
      tell('recording-started', { rec, preEvent }, `recording ${rec} started with ${held}`);
    },
    reached: (step, rec, latencyMs) => {
      tell('reached', { step, rec, latencyMs }, `${step} after ${Math.round(latencyMs)} ms`);
    },
    segmentSealed: ({ rec, seq }) => {
      tell('segment-sealed', { rec, seq }, `segment ${rec}/${seq} sealed`);
    },
    recordingStopped: ({ rec, durationMs }) => {
      const length = formatSeconds(durationMs / 1000);
      tell('recording-stopped', { rec, durationMs }, `recording ${rec} stopped, ${length}`);
    },
    onProgress: ({ bytesDone, bytesTotal }) => {
      upload ??= new Progress(output, 'upload');
      uploadBytes = bytesTotal;
      upload.update(bytesDone, bytesTotal);
    },
    onTrigger: ({ kind, op, by }, code) => {
      const verdict = code ?? 'taken';
      tell(
        'trigger',
        { kind, op, by, code: code ?? null },
        `${kind} ${op ?? ''} of ${by ?? 'a stranger'}: ${verdict}`,
      );
    },
    onPhase: (phase) => {
      if (phase === 'drained') upload?.finish(uploadBytes);
      if (phase !== 'draining') upload = undefined;
      tell('dock', { phase }, `dock: ${phase}`);
    },
  };
}
