import { existsSync } from 'node:fs';
import type { LineSpec } from '../../src/hal/ports/gpio.js';

/** What the lines of the rig are for; the boards that are tested on it say the same. */
export type Role =
  'record' | 'function' | 'dock' | 'ledRecord' | 'ledStatus' | 'ledFault' | 'vibration';

/** The chip, as it is called on a Raspberry Pi up to the 3, and its lines, named GPIO0 to GPIO53. */
export const RIG_CHIP = 'pinctrl-bcm2835';

const line = (offset: number, activeLow: boolean): LineSpec & { readonly line: number } => ({
  chip: RIG_CHIP,
  line: offset,
  activeLow,
});

/** Buttons and dock contact pull their lines to ground, lights and motor are driven high. */
export const RIG_LINES: Readonly<Record<Role, LineSpec & { readonly line: number }>> = {
  record: line(17, true),
  function: line(22, true),
  dock: line(23, true),
  ledRecord: line(27, false),
  ledStatus: line(24, false),
  ledFault: line(25, false),
  vibration: line(18, false),
};

/** Lines that have no role: for tests that want one to themselves. */
export const SPARE_LINES = [5, 6] as const;

/** An electrical level, and how long to wait before it is put on. */
export interface LevelStep {
  readonly afterMs: number;
  readonly isHigh: boolean;
}

/**
 * The hands on the other end of the hardware. Everything is electrical: levels, registers, bytes. Whatever a test does to
 * the hardware goes through here, so that the same tests run on every level of the rig.
 */
export interface Rig {
  /** Which level of the rig this is, for titles. */
  readonly level: 'L1' | 'L2';
  /** Holds a button for `ms`, without bounce. */
  press(role: 'record' | 'function', ms: number): Promise<void>;
  /** Puts a level on an input line. */
  drive(offset: number, isHigh: boolean): Promise<void>;
  /** The level of a line, whoever drives it. */
  isHigh(offset: number): Promise<boolean>;
  /** The file that holds the level of a line, `0` or `1`, whoever drives it. */
  levelFile(offset: number): Promise<string>;
  /**
   * Puts levels on an input line from a thread of its own, so that nothing this thread does delays them. Resolves with
   * the time of each, milliseconds of CLOCK_MONOTONIC, when all are done.
   */
  play(offset: number, steps: readonly LevelStep[]): Promise<readonly number[]>;
  readonly gpio: {
    /** Unloads the chip, as a loose expander or a driver that is removed does. */
    vanish(): Promise<void>;
    return(): Promise<void>;
  };
  readonly imu: {
    readonly bus: number;
    readonly address: number;
    /** An address of the same bus where nothing is. */
    readonly emptyAddress: number;
    poke(register: number, bytes: readonly number[]): Promise<void>;
    peek(register: number): Promise<number>;
    unplug(): Promise<void>;
    plug(): Promise<void>;
  };
  readonly gnss: {
    /** The device file of the receiver; there while it is plugged. */
    readonly path: string;
    /** Sends bytes to whoever reads the device. */
    write(bytes: string | Buffer): Promise<void>;
    /** What was written to the device since it was plugged. */
    written(): Buffer;
    unplug(): Promise<void>;
    plug(): Promise<void>;
  };
  /** Unplugs everything; the lines stay as they are. */
  close(): Promise<void>;
}

/** The rig of this machine: a guest with the kernel's own simulators, else the host layer. */
export async function openRig(): Promise<Rig> {
  if (existsSync('/sys/kernel/config/gpio-sim')) {
    const { GuestRig } = await import('./guest-rig.js');
    return GuestRig.open();
  }
  const { HostRig } = await import('./host-rig.js');
  return HostRig.open();
}
