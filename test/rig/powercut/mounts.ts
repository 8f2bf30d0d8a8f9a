import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** How `board/README.md` tells people to mount a card of its own. */
export const CARD_MOUNT_OPTIONS = 'noatime,nodev,nosuid,noexec,errors=remount-ro';

const TRIES = 100;
const TRY_AFTER_MS = 20;

function run(name: string, args: readonly string[]) {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
  return spawnSync(name, args, { encoding: 'utf8', env, timeout: 60_000 });
}

/** Runs a tool to its end; throws what it says when it fails. */
export function tool(name: string, ...args: readonly string[]): void {
  const { status, stderr } = run(name, args);
  if (status !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${status}: ${stderr}`);
}

/** Blocks of a group: as small as the card, so that the superblock has a copy as on a large one, in the second group. */
const GROUP_BLOCKS = '2048';

/** An empty file system as on a card: blocks of 4 KiB and a journal, everything written out. */
export function makeFileSystem(image: string, mebibytes: number): void {
  tool('truncate', '-s', `${mebibytes}M`, image);
  const settled = 'lazy_itable_init=0,lazy_journal_init=0';
  const blocks = ['-b', '4096', '-g', GROUP_BLOCKS, '-J', 'size=4', '-m', '0'];
  tool('mke2fs', '-q', '-t', 'ext4', ...blocks, '-E', settled, image);
}

/**
 * Repairs a file system that the kernel does not take, as the boot does with `fsck.repair=yes`. On a card of ordinary size
 * e2fsck finds the copy of the superblock by itself; here it is told. Throws when there is something that it cannot repair.
 */
export function repair(image: string): void {
  const args = ['-y', '-b', GROUP_BLOCKS, '-B', '4096', image];
  const { status, stdout } = run('e2fsck', args);
  if (status !== 1) throw new Error(`e2fsck ended with ${status}: ${stdout}`);
}

/** The kernel does not take a file system as it is. */
export class NotMountable extends Error {}

function mount(image: string, place: string, options: string): void {
  const { status, stderr } = run('mount', ['-t', 'ext4', '-o', `loop,${options}`, image, place]);
  if (status !== 0) throw new NotMountable(`mount ended with ${status}: ${stderr}`);
}

/** Runs `work` on a mounted image; the kernel replays its journal first. */
export async function withMounted<T>(
  image: string,
  place: string,
  options: string,
  work: () => Promise<T>,
): Promise<T> {
  mkdirSync(place, { recursive: true });
  mount(image, place, options);
  try {
    return await work();
  } finally {
    await unmount(place);
  }
}

async function unmount(place: string): Promise<void> {
  for (let n = 1; ; n += 1) {
    try {
      tool('umount', place);
      return;
    } catch (error) {
      // A loop device lets go of its file a moment after the file system on it is gone.
      if (n === TRIES) throw error;
      await sleep(TRY_AFTER_MS);
    }
  }
}

/** A disk whose requests are logged, for the length of `work`. */
export async function withLoggedDisk<T>(
  image: string,
  log: string,
  place: string,
  work: (disk: { image: string; mark: string }) => Promise<T>,
): Promise<T> {
  mkdirSync(place, { recursive: true });
  const logdisk = path.resolve('build/rig/logdisk');
  const child = spawn(logdisk, [image, log, place], { stdio: ['ignore', 'ignore', 'ignore'] });
  try {
    const disk = { image: path.join(place, 'disk'), mark: path.join(place, 'mark') };
    for (let n = 0; !existsSync(disk.image); n += 1) {
      if (n === TRIES) throw new Error('logdisk does not mount');
      await sleep(TRY_AFTER_MS);
    }
    return await work(disk);
  } finally {
    await unmount(place).catch(() => undefined);
    await gone(child);
  }
}

async function gone(child: ChildProcess): Promise<void> {
  for (let n = 0; child.exitCode === null && child.signalCode === null; n += 1) {
    if (n === TRIES) child.kill('SIGKILL');
    await sleep(TRY_AFTER_MS);
  }
}
