import type { Clock } from '../clock.js';
import { messageOf } from '../errors.js';
import {
  I2cBuses,
  openDock,
  openGpio,
  openPower,
  openSerial,
  openThermal,
  openVideo,
} from './board-adapters.js';
import type { AdapterDeps, ClosableDock } from './board-adapters.js';
import type { BoardFile, CameraSpec, MicrophoneSpec } from './board-schema.js';
import { resolveSource } from './camera-source.js';
import { Button } from './drivers/button.js';
import type { ButtonSpec } from './drivers/button.js';
import { Gnss } from './drivers/gnss.js';
import { Imu } from './drivers/imu.js';
import { KeptInput, KeptOutput } from './drivers/kept-lines.js';
import { StatusLights } from './drivers/status-lights.js';
import { Vibration } from './drivers/vibration.js';
import type { DockPort } from './ports/dock.js';
import type { FileSystem } from './ports/file-system.js';
import type { GpioPort, LineSpec, OutputLine } from './ports/gpio.js';
import type { PowerPort } from './ports/power.js';
import type { SerialPort } from './ports/serial.js';
import type { ThermalPort } from './ports/thermal.js';
import type { VideoSource } from './ports/video.js';
import { PartsHealth } from './parts-health.js';
import type { FaultyVideo } from './sim/faulty-video.js';
import type { SimBoard } from './sim/sim-board.js';
import type { SimControl } from './sim/sim-control.js';

/** The lights that a board may have; only `fault` may be missing. */
export type LightRole = 'record' | 'status' | 'fault';

export interface BoardDeps extends AdapterDeps {
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
  /** Undefined on a board without a buzzer. */
  readonly buzzer: Vibration | undefined;
  /** Reads 100 times a second by itself; undefined on a board without a motion sensor. */
  readonly imu: Imu | undefined;
  /** Undefined on a board without a satellite receiver. */
  readonly gnss: Gnss | undefined;
  readonly dock: DockPort;
  /** Undefined on a board without a gauge, as one that runs from the mains. */
  readonly power: PowerPort | undefined;
  /** Undefined on a board whose temperature cannot be read; its limits are in `file.thermal`. */
  readonly thermal: ThermalPort | undefined;
  readonly video: VideoSource;
  /** What to launch: the camera of the board file, its source ready for GStreamer. */
  readonly camera: CameraSpec;
  /** Undefined on a board without one, or with one that is disabled. */
  readonly microphone: MicrophoneSpec | undefined;
  /** Hands and eyes of a board with simulated parts; undefined where everything is real. */
  readonly sim: SimBoard | undefined;
  /** The same hands, moved by the words of `lapel sim`. */
  readonly control: SimControl | undefined;
  /**
   * Darkens the lights, stops motor and buzzer, gives all lines back; what fails at it is logged. Whoever started a video run
   * ends it before. Idempotent.
   */
  close(): Promise<void>;
}

type Ports = Pick<Board, 'gpio' | 'power' | 'thermal' | 'video'> & {
  readonly dock: ClosableDock;
  readonly serial: SerialPort | undefined;
  readonly buses: I2cBuses;
};

/**
 * Opens every part of a board. Rejects with `hal/no-footage` when the camera source needs footage that is not there. A
 * part that is not there is no reason not to open: it is in `health`, and is tried again for as long as the board is
 * open.
 */
export async function openBoard(file: BoardFile, deps: BoardDeps): Promise<Board> {
  const source = await resolveSource(file.camera.source, deps.footageDirectory, deps.files);
  const microphone = await resolveMicrophone(file, deps);
  const health = new PartsHealth();
  const gpio = await openGpio(file, deps);
  const buses = await I2cBuses.of(file);
  const ports: Ports = {
    gpio,
    buses,
    dock: await openDock(file, deps, gpio, health),
    power: await openPower(file, buses),
    thermal: await openThermal(file),
    serial: await openSerial(file, deps),
    video: await openVideo(file, deps),
  };
  const simulation = await simulate(file, deps.clock, ports);
  const { close, ...wiring } = await openWiring(file, gpio, deps, health);
  const sensors = startSensors(file, ports, deps.clock, health);
  return {
    file,
    health,
    gpio,
    ...wiring,
    ...sensors,
    dock: ports.dock,
    power: ports.power,
    thermal: ports.thermal,
    clock: simulation?.clock ?? deps.clock,
    camera: { ...file.camera, source },
    microphone,
    video: simulation?.camera ?? ports.video,
    sim: simulation?.board,
    control: simulation?.control,
    close: async () => {
      simulation?.close();
      // Lights and motor first: nothing that hangs or fails afterwards may leave a light on.
      await close();
      sensors.imu?.close();
      for (const part of [sensors.gnss, buses, ports.dock]) {
        try {
          await part?.close?.();
        } catch (error) {
          deps.log.warn({ error: messageOf(error) }, 'a part of the board did not close');
        }
      }
    },
  };
}

async function resolveMicrophone(
  { microphone }: BoardFile,
  { footageDirectory, files }: BoardDeps,
): Promise<MicrophoneSpec | undefined> {
  if (microphone?.status !== 'okay') return undefined;
  return { ...microphone, source: await resolveSource(microphone.source, footageDirectory, files) };
}

/** Motion sensor and satellite receiver read on their own from now on, whether they are there or not. */
function startSensors(
  { imu, gnss }: BoardFile,
  { buses, serial }: Ports,
  clock: Clock,
  health: PartsHealth,
): Pick<Board, 'imu' | 'gnss'> {
  const { compatible, bus, address } = imu;
  const hasImu = imu.status === 'okay' && compatible && bus !== undefined && address !== undefined;
  const { path, baudRate } = gnss;
  const hasGnss = gnss.status === 'okay' && path !== undefined && baudRate !== undefined;
  return {
    imu: hasImu
      ? Imu.start(buses.bus(bus), { compatible, address }, clock, health.reporter('imu'))
      : undefined,
    gnss:
      hasGnss && serial
        ? Gnss.start(serial, { path, baudRate }, clock, health.reporter('gnss'))
        : undefined,
  };
}

type Wiring = Pick<Board, 'buttons' | 'lights' | 'vibration' | 'buzzer' | 'close'>;

/** Opens every line that has a role. A line that is not there is a fault of its part, and is tried again. */
async function openWiring(
  { buttons, leds, vibration, buzzer }: BoardFile,
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
  const sounder = buzzer && (await openOutput('buzzer', buzzer));
  return {
    buttons: { record, function: second },
    lights: keep(new StatusLights<LightRole>(lines, clock, faultOf('leds'))),
    vibration: motor && keep(new Vibration(motor, clock, faultOf('vibration'))),
    buzzer: sounder && keep(new Vibration(sounder, clock, faultOf('buzzer'))),
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
  close(): void;
}

/** The hands and eyes of the simulated parts, or undefined when every part is real. */
async function simulate(
  file: BoardFile,
  realClock: Clock,
  { gpio, dock, power, thermal, video, serial, buses }: Ports,
): Promise<Simulation | undefined> {
  const { buttons, leds, vibration, buzzer, imu, gnss } = file;
  const sim = await simulators();
  const bus = imu.bus === undefined ? undefined : buses.simulated(imu.bus);
  const { compatible, address } = imu;
  const parts = {
    gpio: gpio instanceof sim.SimGpio ? gpio : undefined,
    dock: dock instanceof sim.SimDock ? dock : undefined,
    power: power instanceof sim.SimPower ? power : undefined,
    thermal: thermal instanceof sim.SimThermal ? thermal : undefined,
    imu:
      bus && compatible && address !== undefined && imu.status === 'okay'
        ? new sim.SimImu(bus, { compatible, address }, realClock)
        : undefined,
    gnss:
      serial instanceof sim.SimSerial && gnss.path !== undefined && gnss.status === 'okay'
        ? new sim.SimGnss(serial, gnss.path, realClock)
        : undefined,
  };
  if (Object.values(parts).every((part) => part === undefined)) return undefined;
  const clock = new sim.SimWallClock(realClock);
  const camera = new sim.FaultyVideo(video);
  const outputs = { ...leds, vibration, buzzer };
  const board = new sim.SimBoard({ ...parts, clock, camera, buttons, outputs });
  return {
    board,
    control: new sim.SimControl(board, clock),
    clock,
    camera,
    close: () => {
      board.close();
      parts.gnss?.close();
    },
  };
}

const simulators = async () => ({
  ...(await import('./sim/faulty-video.js')),
  ...(await import('./sim/sim-board.js')),
  ...(await import('./sim/sim-control.js')),
  ...(await import('./sim/sim-dock.js')),
  ...(await import('./sim/sim-gnss.js')),
  ...(await import('./sim/sim-gpio.js')),
  ...(await import('./sim/sim-imu.js')),
  ...(await import('./sim/sim-power.js')),
  ...(await import('./sim/sim-serial.js')),
  ...(await import('./sim/sim-thermal.js')),
  ...(await import('./sim/sim-wall-clock.js')),
});
