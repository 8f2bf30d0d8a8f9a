import type { Clock } from '../clock.js';
import { CameraError, messageOf } from '../errors.js';
import { formatUtc } from '../units.js';
import type { Board, LightRole } from './board.js';
import type { Gnss } from './drivers/gnss.js';
import type { Imu } from './drivers/imu.js';
import type { GpioPort, LineSpec } from './ports/gpio.js';

/** One part of a board, and a look at it on the real thing. */
export interface BoardCheck {
  /** Key in the board file, or `clock`. */
  readonly part: string;
  /** False for a look that a running camera cannot take, because it moves lights or needs the camera to lie still. */
  readonly isQuiet: boolean;
  /** Resolves with what was seen in a few words; rejects with a CameraError that names the fault. */
  look(): Promise<string>;
}

export interface Finding {
  readonly part: string;
  readonly ok: boolean;
  /** What was seen, or the error in one line: code, fault, remedy. */
  readonly detail: string;
}

/** A part that has not answered by then hangs; the slowest look, a second of motion, needs two. */
const LOOK_MS_MAX = 15_000;
/** How long each light is shown to the person who looks. */
const SHOWN_MS = 250;
/** Offset of ±80 mg at worst (MPU-6050 data sheet PS-MPU-6000A 6.2, ±50 mg on X and Y, ±80 mg on Z) and some slope. */
const GRAVITY_TOLERANCE_G = 0.15;
/** Ten times what these chips have at rest (400 µg/√Hz over 44 Hz is 3 mg): a hand or a loose mount. */
const NOISE_G_MAX = 0.05;
/** Receivers speak once a second; two sentences at least come in this time. */
const NMEA_MS = 2500;
/** An undocked camera below this does not last until the next charge. */
const CHARGE_PERCENT_MIN = 10;

/** Takes a look, and makes a fault of one that takes too long. */
export async function examine(
  { part, look }: Pick<BoardCheck, 'part' | 'look'>,
  clock: Clock,
): Promise<Finding> {
  const late = new CameraError('hal/no-answer', `${part}: no answer within ${LOOK_MS_MAX} ms`);
  let cancel = (): void => undefined;
  const timeout = new Promise<never>((_, reject) => {
    cancel = clock.after(LOOK_MS_MAX, () => {
      reject(late);
    });
  });
  try {
    return { part, ok: true, detail: await Promise.race([look(), timeout]) };
  } catch (error) {
    const fault =
      error instanceof CameraError ? error : new CameraError('hal/bus', messageOf(error));
    return { part, ok: false, detail: fault.line };
  } finally {
    cancel();
  }
}

/** A look at every part of an open board but its camera, in the order in which a person would. */
export function boardChecks(board: Board): readonly BoardCheck[] {
  const { file, buttons, imu, gnss } = board;
  const quiet = (part: string, look: () => Promise<string>): BoardCheck => ({
    part,
    isQuiet: true,
    look,
  });
  const loud = (part: string, look: () => Promise<string>): BoardCheck => ({
    part,
    isQuiet: false,
    look,
  });
  return [
    quiet('buttons.record', () => lookAtButton(board, 'record')),
    ...(buttons.function ? [quiet('buttons.function', () => lookAtButton(board, 'function'))] : []),
    ...(['record', 'status', 'fault'] as const)
      .filter((role) => board.lights.has(role))
      .map((role) => loud(`leds.${role}`, () => lookAtLight(board, role))),
    ...(['vibration', 'buzzer'] as const)
      .filter((role) => file[role] !== undefined)
      .map((role) => loud(role, () => lookAtPulse(board, role))),
    ...(imu ? [loud('imu', () => lookAtImu(imu))] : []),
    ...(gnss ? [quiet('gnss', () => lookAtGnss(board, gnss))] : []),
    quiet('dock', () => lookAtDock(board)),
    ...(board.power ? [quiet('power', () => lookAtBattery(board))] : []),
    ...(board.thermal ? [quiet('thermal', () => lookAtHeat(board))] : []),
    quiet('clock', () => Promise.resolve(lookAtClock(board.clock))),
  ];
}

/** Throws the fault that a part has had since it was opened. */
function throwFaultOf({ health }: Board, part: string): void {
  const known = health.faults().find((fault) => fault.part === part);
  if (known) throw known.fault;
}

async function lookAtButton(board: Board, role: 'record' | 'function'): Promise<string> {
  throwFaultOf(board, `buttons.${role}`);
  if (board.buttons[role]?.isPressed === true) {
    const message = `buttons.${role} reads as pressed: let go of it, or correct activeLow or its wire`;
    throw new CameraError('hal/no-effect', message);
  }
  return Promise.resolve('at rest');
}

async function lookAtLight(board: Board, role: LightRole): Promise<string> {
  const { lights, clock, file } = board;
  lights.show(role, 'on');
  await clock.sleep(SHOWN_MS);
  try {
    throwFaultOf(board, `leds.${role}`);
    const { readBack } = file.leds[role] ?? {};
    if (readBack === undefined) return 'switched on and off; look whether it was lit';
    await checkReadBack(board.gpio, `leds.${role}`, readBack, true);
  } finally {
    lights.show(role, 'off');
    await clock.sleep(SHOWN_MS);
  }
  const { readBack } = file.leds[role] ?? {};
  if (readBack) await checkReadBack(board.gpio, `leds.${role}`, readBack, false);
  return 'switched on and off, and read back';
}

async function checkReadBack(
  gpio: GpioPort,
  part: string,
  wire: LineSpec,
  isOn: boolean,
): Promise<void> {
  const input = await gpio.openInput(wire);
  const level = await input.read().finally(() => input.close());
  if (level === isOn) return;
  const [was, reads] = isOn ? ['on', 'off'] : ['off', 'on'];
  throw new CameraError(
    'hal/no-effect',
    `${part} was switched ${was} and its wire reads ${reads}: correct activeLow or the wire`,
  );
}

async function lookAtPulse(board: Board, role: 'vibration' | 'buzzer'): Promise<string> {
  const { clock, file } = board;
  board[role]?.play([SHOWN_MS]);
  await clock.sleep(SHOWN_MS / 2);
  throwFaultOf(board, role);
  const readBack = file[role]?.readBack;
  if (readBack) await checkReadBack(board.gpio, role, readBack, true);
  await clock.sleep(SHOWN_MS);
  const sense = role === 'vibration' ? 'feel' : 'listen';
  return readBack ? 'pulsed, and read back' : `pulsed; ${sense} whether it did`;
}

async function lookAtImu(imu: Imu): Promise<string> {
  const { identity, noiseG, gravityG, meanG } = await imu.selfTest();
  const { x, y, z } = meanG;
  const vector = [x, y, z].map((value) => value.toFixed(2)).join(' ');
  const seen = `identity 0x${identity.toString(16)}, gravity ${gravityG.toFixed(3)} g (${vector}), noise ${(noiseG * 1000).toFixed(1)} mg`;
  if (Math.abs(gravityG - 1) > GRAVITY_TOLERANCE_G) {
    throw new CameraError(
      'hal/no-effect',
      `${seen}: gravity is not 1 g; does the camera lie still?`,
    );
  }
  if (noiseG > NOISE_G_MAX) {
    throw new CameraError('hal/no-effect', `${seen}: too much noise; does the camera lie still?`);
  }
  return seen;
}

async function lookAtGnss({ clock, health }: Board, gnss: Gnss): Promise<string> {
  const before = gnss.counts;
  await clock.sleep(NMEA_MS);
  const known = health.faults().find(({ part }) => part === 'gnss');
  if (known) throw known.fault;
  const { sentences, badChecksum } = gnss.counts;
  const [good, bad] = [sentences - before.sentences, badChecksum - before.badChecksum];
  if (good === 0) throw new CameraError('hal/no-data', `no sentence in ${NMEA_MS} ms`);
  const fix = gnss.fix();
  const place = fix
    ? `fix at ${fix.latitude.toFixed(4)} ${fix.longitude.toFixed(4)}`
    : 'no fix yet';
  return `${good} sentences in ${NMEA_MS} ms, ${bad} spoiled, ${place}`;
}

async function lookAtDock(board: Board): Promise<string> {
  throwFaultOf(board, 'dock');
  return Promise.resolve(board.dock.isDocked() ? 'docked' : 'not docked');
}

async function lookAtBattery({ power }: Board): Promise<string> {
  if (power === undefined) return 'none';
  const { chargePercent, isCharging } = await power.read();
  const text = `${chargePercent} %${isCharging ? ', charging' : ''}`;
  if (chargePercent < CHARGE_PERCENT_MIN && !isCharging) {
    throw new CameraError('hal/low-battery', `${text} are left`);
  }
  return text;
}

async function lookAtHeat({ thermal, file }: Board): Promise<string> {
  if (thermal === undefined) return 'none';
  const text = `${(await thermal.read()).toFixed(1)} °C`;
  const limitC = file.thermal?.limitC ?? Infinity;
  if (Number.parseFloat(text) < limitC) return text;
  throw new CameraError('hal/too-hot', `${text}, the limit is ${limitC} °C`);
}

function lookAtClock(clock: Clock): string {
  const { ms, source, uncertaintyMs } = clock.wallTime();
  if (source === 'unset') throw new CameraError('hal/clock-unset', 'nothing has set the clock');
  return `${formatUtc(ms)} from ${source}, within ${(uncertaintyMs / 1000).toFixed(1)} s`;
}
