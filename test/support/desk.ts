import path from 'node:path';
import { readFile, writeFile } from 'node:fs/promises';
import { RunningLapel, runLapel } from './process.js';

/** A camera, a receiver's store and their trust on one desk, made with the commands a user would type. */
export interface Desk {
  readonly data: string;
  readonly store: string;
  readonly trust: string;
  readonly identity: string;
}

/** Makes keys and configuration; `settings` go over the configuration. */
export async function setUpDesk(
  dir: string,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Desk> {
  const at = (name: string): string => path.join(dir, name);
  const desk = {
    data: at('cam'),
    store: at('store'),
    trust: at('trust.json'),
    identity: at('identity.txt'),
  };
  const { data, store, trust, identity } = desk;
  for (const words of [
    ['keys', 'init', '--data', data, '--device', 'lapel-test', '--identity', identity],
    ['keys', 'init', '--receiver', 'rx1', '--store', store],
    ['keys', 'enrol', '--data', data, '--store', store, '--trust', trust],
  ]) {
    const { status, stderr } = await runLapel(...words);
    if (status !== 0) throw new Error(`lapel ${words.join(' ')}: ${stderr}`);
  }
  const file = path.join(data, 'internal', 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  const defaults = {
    preEventMs: 2000,
    segmentMs: 5000,
    reserveBytes: 256 * 1024 * 1024,
    reservePercent: 0,
  };
  await writeFile(file, JSON.stringify({ ...config, ...defaults, ...settings }));
  return desk;
}

/** `lapel run --board sim`, once it is ready to record. */
export const startCamera = (desk: Desk, ...more: readonly string[]): Promise<RunningLapel> =>
  startCameraUntil(desk, 'buffering', more);

/** The same, once it is in that mode. */
export async function startCameraUntil(
  desk: Desk,
  wanted: string,
  more: readonly string[],
): Promise<RunningLapel> {
  const words = ['run', '--board', 'sim', '--data', desk.data, '--log-level', 'warn', ...more];
  const camera = new RunningLapel(...words);
  await camera.event(({ event, mode }) => event === 'mode' && mode === wanted);
  return camera;
}

/** `lapel sim …` on that camera. Throws when it is refused. */
export async function sim(desk: Desk, ...words: readonly string[]): Promise<void> {
  const { status, stderr } = await runLapel('sim', '--data', desk.data, ...words);
  if (status !== 0) throw new Error(`lapel sim ${words.join(' ')}: ${stderr}`);
}
