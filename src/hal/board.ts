import type { Clock } from '../clock.js';
import { CameraError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { BoardFile, CameraSpec } from './board-schema.js';
import { resolveSource } from './camera-source.js';
import { Button } from './drivers/button.js';
import type { ButtonSpec } from './drivers/button.js';
import { KeptInput, KeptOutput } from './drivers/kept-lines.js';
import { StatusLights } from './drivers/status-lights.js';
import { Vibration } from './drivers/vibration.js';
import type { DockPort } from './ports/dock.js';
import type { FileSystem } from './ports/file-system.js';
import type { GpioPort, LineSpec, OutputLine } from './ports/gpio.js';
import type { PowerPort } from './ports/power.js';
import type { VideoSource } from './ports/video.js';
import { PartsHealth } from './parts-health.js';
import type { FaultyVideo } from './sim/faulty-video.js';
import type { SimBoard } from './sim/sim-board.js';
import type { SimControl } from './sim/sim-control.js';

/** The lights that a board may have; only `fault` may be missing. */
export type LightRole = 'record' | 'status' | 'fault';

export interface BoardDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly files: Pick<FileSystem, 'exists'>;
  /** Where `${footage}` of a camera source points. */
  readonly footageDirectory: string;
}

/** An opened board: the parts of a camera by what they are for, whatever they are made of. */
export interface Board {
  readonly file: BoardFile;
  /** The clock everything on this board runs by. On a simulated board its wall time can be made to jump. */
  readonly clock: Clock;
  readonly gpio: GpioPort;
  /** Which parts do not work now; they are tried again for as long as the board is open. */
  readonly health: PartsHealth;
  readonly buttons: { readonly record: Button; readonly function: Button | undefined };
  readonly lights: StatusLights<LightRole>;
  readonly vibration: Vibration | undefined;
  readonly dock: DockPort;
  /** Undefined on a board without a gauge, as one that runs from the mains. */
  readonly power: PowerPort | undefined;
  readonly video: VideoSource;
  /** What to launch: the camera of the board file, its source ready for GStreamer. */
  readonly camera: CameraSpec;
  /** Hands and eyes of a board with simulated parts; undefined where everything is real. */
  readonly sim: SimBoard | undefined;
  /** The same hands, moved by the words of `lapel sim`. */
  readonly control: SimControl | undefined;
  /**
   * Darkens the lights, stops the motor, gives all lines back; what fails at it is logged. Whoever started a video run
   * ends it before. Idempotent.
   */
  close(): Promise<void>;
}

type Ports = Pick<Board, 'gpio' | 'dock' | 'power' | 'video'>;

// Adapters load only when a board names them, so that a native package never loads for a board without its hardware.

const openGpio = async ({ gpio }: BoardFile, { clock }: BoardDeps): Promise<GpioPort> => {
  if (gpio.compatible === 'linux,gpio') throw noDriver('gpio', gpio.compatible);
  return new (await import('./sim/sim-gpio.js')).SimGpio(clock, gpio.chips);
};

const openDock = async ({ dock }: BoardFile): Promise<DockPort> => {
  if (dock.compatible !== 'lapel,sim-dock') throw noDriver('dock', dock.compatible);
  return new (await import('./sim/sim-dock.js')).SimDock();
};

const openPower = async ({ power }: BoardFile): Promise<PowerPort | undefined> => {
  if (power === undefined) return undefined;
  if (power.compatible !== 'lapel,sim-power') throw noDriver('power', power.compatible);
  return new (await import('./sim/sim-power.js')).SimPower();
};

const videoAdapters: Readonly<
  Record<CameraSpec['compatible'], (file: BoardFile, deps: BoardDeps) => Promise<VideoSource>>
> = {
  gstreamer: async () => new (await import('./linux/gstreamer.js')).GStreamerSource(),
  'lapel,sim-video': async ({ camera }, { clock }) =>
    new (await import('./sim/sim-video.js')).SimVideo(clock, camera),
};

const noDriver = (part: string, compatible: string): CameraError =>
  new CameraError('board/no-driver', `${part}: this build has no driver for ${compatible}`);

/**
 * Opens every part of a board. Rejects with `board/no-driver` for a part in use that this build cannot drive,
 * `hal/no-footage` when the camera source needs footage that is not there, else as the part concerned does; what was
 * opened until then is closed again.
 */
export async function openBoard(file: BoardFile, deps: BoardDeps): Promise<Board> {
  checkDrivers(file);
  const source = await resolveSource(file.camera.source, deps.footageDirectory, deps.files);
  const camera = { ...file.camera, source };
  const ports: Ports = {
    gpio: await openGpio(file, deps),
    dock: await openDock(file),
    power: await openPower(file),
    video: await videoAdapters[camera.compatible](file, deps),
  };
  const simulation = await simulate(file, deps.clock, ports);
  const clock = simulation?.clock ?? deps.clock;
  const health = new PartsHealth();
  const { close, ...wiring } = await openWiring(file, ports.gpio, { clock, log: deps.log }, health);
  return {
    file,
    clock,
    camera,
    ...ports,
    ...wiring,
    health,
    video: simulation?.camera ?? ports.video,
    sim: simulation?.board,
    control: simulation?.control,
    close: async () => {
      simulation?.board.close();
      await close();
    },
  };
}

/** The drivers of these parts come with their hardware; a board that claims one is not run without it. */
function checkDrivers(file: BoardFile): void {
  for (const part of ['imu', 'gnss'] as const) {
    const { status, compatible = '' } = file[part];
    if (status === 'disabled') continue;
    throw noDriver(part, compatible);
  }
}

type Wiring = Pick<Board, 'buttons' | 'lights' | 'vibration' | 'close'>;

/** Opens every line that has a role. A line that is not there is a fault of its part, and is tried again. */
async function openWiring(
  { buttons, leds, vibration }: BoardFile,
  gpio: GpioPort,
  { clock, log }: Pick<BoardDeps, 'clock' | 'log'>,
  health: PartsHealth,
): Promise<Wiring> {
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    opened.push(part);
    return part;
  };
  const faultOf = (part: string) => (error: unknown) => {
    log.warn({ part, error: messageOf(error) }, 'a line of the board does not answer');
  };
  const openButton = async (role: string, spec: ButtonSpec): Promise<Button> => {
    const input = await KeptInput.open(gpio, spec, clock, health.reporter(role));
    return keep(await Button.open(input, spec, clock, faultOf(role)));
  };
  const openOutput = async (role: string, spec: LineSpec): Promise<OutputLine> =>
    KeptOutput.open(gpio, spec, clock, health.reporter(role));
  const record = await openButton('buttons.record', buttons.record);
  const second = buttons.function && (await openButton('buttons.function', buttons.function));
  const lines = {
    record: await openOutput('leds.record', leds.record),
    status: await openOutput('leds.status', leds.status),
    ...(leds.fault === undefined ? {} : { fault: await openOutput('leds.fault', leds.fault) }),
  };
  const motor = vibration && (await openOutput('vibration', vibration));
  return {
    buttons: { record, function: second },
    lights: keep(new StatusLights<LightRole>(lines, clock, faultOf('leds'))),
    vibration: motor && keep(new Vibration(motor, clock, faultOf('vibration'))),
    close: async () => {
      // The last opened first: lights and motor stop before the buttons close.
      for (const part of opened.splice(0).reverse()) await part.close().catch(faultOf('close'));
    },
  };
}

interface Simulation {
  readonly board: SimBoard;
  readonly control: SimControl;
  readonly clock: Clock;
  readonly camera: FaultyVideo;
}

/** The hands and eyes of the simulated parts, or undefined when every part is real. */
async function simulate(
  { buttons, leds, vibration }: BoardFile,
  realClock: Clock,
  { gpio, dock, power, video }: Ports,
): Promise<Simulation | undefined> {
  const { FaultyVideo, SimBoard, SimControl, SimDock, SimGpio, SimPower, SimWallClock } =
    await simulators();
  const parts = {
    gpio: gpio instanceof SimGpio ? gpio : undefined,
    dock: dock instanceof SimDock ? dock : undefined,
    power: power instanceof SimPower ? power : undefined,
  };
  if (Object.values(parts).every((part) => part === undefined)) return undefined;
  const clock = new SimWallClock(realClock);
  const camera = new FaultyVideo(video);
  const outputs = { ...leds, vibration };
  const board = new SimBoard({ ...parts, clock, camera, buttons, outputs });
  return { board, control: new SimControl(board, clock), clock, camera };
}

const simulators = async () => ({
  ...(await import('./sim/faulty-video.js')),
  ...(await import('./sim/sim-board.js')),
  ...(await import('./sim/sim-control.js')),
  ...(await import('./sim/sim-dock.js')),
  ...(await import('./sim/sim-gpio.js')),
  ...(await import('./sim/sim-power.js')),
  ...(await import('./sim/sim-wall-clock.js')),
});
