import { setTimeout as pause } from 'node:timers/promises';
import type { RunningLapel } from '../support/process.js';
import type { Sensors } from './sensors.js';
import type { VirtualCamera } from './virtual-camera.js';

/** A fall is over within seconds; a camera that has not told of it by then has missed it. */
const FALL_MS_MAX = 20_000;
const FALLS_MAX = 4;

/**
 * Falls until the camera has told an event that `isAnswer`, and returns how often; the wearer stands again then. A fall is
 * void, and played again, only when the camera itself said that its motion sensor did not answer meanwhile, as happens in
 * a guest on a machine with other work. Rejects when a fall is missed.
 */
export async function fallUntil(
  camera: VirtualCamera,
  lapel: RunningLapel,
  sensors: Sensors,
  isAnswer: (event: Record<string, unknown>) => boolean,
): Promise<number> {
  const before = lapel.events.length;
  for (let falls = 1; ; falls += 1) {
    const from = new Date().toISOString();
    await sensors.fall();
    const fallenAt = performance.now();
    const isAnswered = (): boolean => lapel.events.slice(before).some(isAnswer);
    while (!isAnswered() && performance.now() - fallenAt < FALL_MS_MAX) await pause(100);
    sensors.standUp();
    if (isAnswered()) return falls;
    const isVoid = lapel.stderr
      .split('\n')
      .some((line) => line.includes('imu: a transfer to') && timeOf(line) >= from);
    if (!isVoid || falls === FALLS_MAX) throw new Error(`fall ${falls} is missed: ${lapel.stderr}`);
    await camera.until('the motion sensor works', ({ parts }) => parts.length === 0);
    await pause(FALL_MS_MAX / 4);
  }
}

const timeOf = (line: string): string => /"time":"([^"]+)/.exec(line)?.[1] ?? '';
