import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseRecipient, recipientOf } from '../../../src/evidence/age-recipients.js';
import { hasErrorCode, isCameraError } from '../../../src/errors.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { openCard } from '../../../src/storage/card.js';
import type { Card } from '../../../src/storage/card.js';
import { openDatabase } from '../../../src/storage/database.js';
import type { SealedSegment } from '../../../src/storage/segment-facts.js';
import {
  CONFIG_DIGEST,
  DEVICE,
  FIRMWARE_DIGEST,
  newDevice,
  silent,
} from '../../support/boot-fixture.js';
import type { DeviceFixture } from '../../support/boot-fixture.js';
import { judge } from '../../support/card-fixture.js';
import { fakeEnding, fakeFacts, fakePiece } from '../../support/fake-media.js';
import { logOf } from '../../support/shelf.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

/**
 * The same on cards of the kernel: a tmpfs that is full to the last byte, and an ext4 on a loop device that the kernel
 * itself makes read-only after an error. Mounting needs root; elsewhere these are skipped by name.
 */

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const rootTest = isRoot && existsSync('/dev/loop-control') ? test.serial : test.serial.skip;
const EDGE = { button: 'record', isPressed: true, at: 1 } as const;

/** Mounts and takes it off again when the test is over. False when this machine does not let us. */
async function mounted(
  t: ExecutionContext,
  target: string,
  words: readonly string[],
): Promise<boolean> {
  await mkdir(target, { recursive: true });
  try {
    await run('mount', [...words, target]);
  } catch (error) {
    t.log(`cannot mount here: ${String(error)}`);
    return false;
  }
  t.teardown(() => run('umount', [target]).catch(() => undefined));
  return true;
}

const open = (card: string, device: DeviceFixture, sealed: SealedSegment[]): Promise<Card> =>
  openCard(
    { fs: new NodeFileSystem(), clock: new SimClock(5000), log: silent },
    {
      ...{ card, device: DEVICE, deviceKey: device.deviceKey, reserveBytes: 0 },
      recipients: [parseRecipient(recipientOf(device.identity))],
      ...{ configDigest: CONFIG_DIGEST, firmwareDigest: FIRMWARE_DIGEST },
      onSealed: (segment) => void sealed.push(segment),
    },
  );

/** Records segments of `pieces` megabytes until the card takes no more; returns the reason. */
async function recordUntilItFails(card: Card, most: number): Promise<unknown> {
  const rec = await card.recordings.beginRecording();
  try {
    for (let seq = 0; seq < most; seq += 1) {
      const segment = await card.recordings.openSegment(fakeFacts({ rec, seq }));
      for (let n = 0; n < 3; n += 1) await segment.append(fakePiece(n, 1_000_000));
      await segment.seal(fakeEnding({ isLast: false }));
    }
  } catch (error) {
    return error;
  }
  return undefined;
}

async function allVerify(
  t: ExecutionContext,
  card: string,
  device: DeviceFixture,
  sealed: readonly SealedSegment[],
): Promise<void> {
  for (const { ref } of sealed) {
    t.is((await judge(new NodeFileSystem(), card, device, ref)).state, 'ok', `segment ${ref.seq}`);
  }
}

const lateOn = (card: string): readonly string[] => {
  const db = openDatabase(path.join(card, 'lapel.db'), { readOnly: true });
  try {
    return logOf(db).flatMap(({ type, late }) => (late === undefined ? [] : [type]));
  } finally {
    db.close();
  }
};

rootTest(
  'a tmpfs that is full to the last byte: what was sealed verifies, and the log has the press once there is room',
  async (t) => {
    const card = path.join(await temporaryDirectory(t), 'card');
    if (!(await mounted(t, card, ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs']))) return;
    const device = newDevice();
    const sealed: SealedSegment[] = [];
    const opened = await open(card, device, sealed);
    const error = await recordUntilItFails(opened, 20);
    t.true(hasErrorCode(error, 'storage/disk-full'), String(error));
    t.true(sealed.length >= 4);
    // Whatever a segment left: not one page is free for the log.
    const filler = path.join(card, 'filler');
    for (const bytes of [1 << 16, 1 << 12]) {
      for (;;) {
        const isTaken = await appendFile(filler, Buffer.alloc(bytes)).then(
          () => true,
          () => false,
        );
        if (!isTaken) break;
      }
    }
    const refused = await opened.journal.pressed(EDGE).catch((cause: unknown) => cause);
    for (let n = 0; n < 200 && opened.secondTry.fault === undefined; n += 1) {
      // The write-ahead log has some pages of its own to fill first.
      await opened.journal.pressed(EDGE).catch(() => undefined);
    }
    t.is(opened.secondTry.fault?.code, 'storage/disk-full', String(refused));
    await allVerify(t, card, device, sealed);
    await run('mount', ['-o', 'remount,size=64m', card]);
    await opened.secondTry.retry();
    t.is(opened.secondTry.fault, undefined);
    await opened.probe();
    await opened.close();
    t.deepEqual([...new Set(lateOn(card))], ['fault', 'press']);
    await allVerify(t, card, device, sealed);
    const next = await open(card, device, sealed);
    const { failed, missing } = await next.recovered;
    t.deepEqual([failed, missing], [[], []]);
    await next.close();
  },
);

rootTest(
  'an ext4 that the kernel makes read-only after an error: what was sealed verifies, before and after its repair',
  async (t) => {
    const directory = await temporaryDirectory(t);
    const [card, image] = [path.join(directory, 'card'), path.join(directory, 'image')];
    await writeFile(image, '');
    await truncate(image, 64 * 2 ** 20);
    await run('mkfs.ext4', ['-q', '-F', image]);
    if (!(await mounted(t, card, ['-o', 'loop,errors=remount-ro', image]))) return;
    const { stdout } = await run('losetup', ['-n', '-O', 'NAME', '-j', image]);
    const switchFile = `/sys/fs/ext4/${path.basename(stdout.trim())}/trigger_fs_error`;
    if (!existsSync(switchFile)) {
      t.log('this kernel has no ext4 with a switch for errors');
      t.pass();
      return;
    }
    const device = newDevice();
    const sealed: SealedSegment[] = [];
    const opened = await open(card, device, sealed);
    t.is(await recordUntilItFails(opened, 3), undefined);
    const segment = await opened.recordings.openSegment(fakeFacts({ rec: 1, seq: 3 }));
    await segment.append(fakePiece(0, 500_000));
    await writeFile(switchFile, 'lapel');
    const failed = await segment.append(fakePiece(1, 500_000)).catch((error: unknown) => error);
    t.true(isCameraError(failed), String(failed));
    t.log(`a write after it: ${isCameraError(failed) ? failed.line : ''}`);
    const press = await opened.journal.pressed(EDGE).catch((error: unknown) => error);
    t.true(isCameraError(press), 'the press is refused');
    t.log(`the log after it: ${isCameraError(press) ? press.line : ''}`);
    t.true(opened.secondTry.backlog.waiting >= 2, 'and kept');
    await t.throwsAsync(opened.probe());
    await allVerify(t, card, device, sealed);
    await opened.close();
    await run('umount', [card]);
    // Exit code 1: errors were corrected.
    await run('e2fsck', ['-p', '-f', image]).catch((error: unknown) => {
      t.is((error as { code?: number }).code, 1);
    });
    await run('mount', ['-o', 'loop', image, card]);
    const next = await open(card, device, sealed);
    const { recovered, missing, failed: left } = await next.recovered;
    t.deepEqual([missing, left], [[], []]);
    t.log(`recovered: ${JSON.stringify(recovered)}`);
    await next.close();
    await allVerify(t, card, device, sealed);
  },
);
