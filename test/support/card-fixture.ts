import path from 'node:path';
import { openEntry } from '../../src/evidence/log-entry.js';
import type { LogEntry } from '../../src/evidence/log-entry.js';
import { toSpkiBase64 } from '../../src/evidence/public-key.js';
import { emptyTrust, withDevice } from '../../src/evidence/trust.js';
import type { Trust } from '../../src/evidence/trust.js';
import { verifySegment } from '../../src/evidence/verify-segment.js';
import type { SegmentVerdict } from '../../src/evidence/verify-segment.js';
import type { FileSystem } from '../../src/hal/ports/file-system.js';
import { readEntries } from '../../src/storage/device-log.js';
import { CardLayout, parseCounter, parseSegmentFile } from '../../src/storage/layout.js';
import type { SegmentFile } from '../../src/storage/layout.js';
import { RecordingStore } from '../../src/storage/recording-store.js';
import { Recovery } from '../../src/storage/recovery.js';
import type { RecoverySummary } from '../../src/storage/recovery.js';
import type { SegmentRef } from '../../src/units.js';
import { DEVICE, startBoot } from './boot-fixture.js';
import type { BootFixture, BootOptions, DeviceFixture } from './boot-fixture.js';

const FILE_MAX = 64 * 1024 * 1024;

export const storeOf = (boot: BootFixture): RecordingStore =>
  new RecordingStore(boot.ctx, boot.catalog, boot.entries, {
    reserveBytes: 0,
    onSealed: () => undefined,
  });

/** A new boot on a card and its recovery. */
export async function recoverCard(
  options: BootOptions,
): Promise<BootFixture & { readonly summary: RecoverySummary }> {
  const boot = await startBoot(options);
  const key = options.device.deviceKey.publicKey;
  const summary = await new Recovery(boot.ctx, boot.catalog, boot.entries, key).run();
  return { ...boot, summary };
}

/** What the log of a boot says, in order. Only entries of that boot: others are signed by another key. */
export const entriesOf = ({ ctx, db }: BootFixture): readonly LogEntry[] =>
  readEntries(db, 0, 10_000).flatMap(({ envelope }) => {
    const { signer } = ctx.identity;
    const isOurs = envelope.signatures[0]?.keyid === signer.keyId;
    return isOurs ? [openEntry(envelope, signer.publicKey)] : [];
  });

/** Every file below a directory and its content, by path below `root`. */
export async function filesBelow(fs: FileSystem, root: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const visit = async (directory: string): Promise<void> => {
    for (const { name, isDirectory } of await fs.list(directory)) {
      const location = path.join(directory, name);
      if (isDirectory) await visit(location);
      else files.set(path.relative(root, location), await fs.readFile(location, FILE_MAX));
    }
  };
  await visit(root);
  return files;
}

/** Which segments have files on the card, in order. */
export async function segmentsOn(fs: FileSystem, card: string): Promise<readonly SegmentRef[]> {
  const layout = new CardLayout(card);
  const refs: SegmentRef[] = [];
  const numbers = async (directory: string): Promise<readonly number[]> =>
    (await fs.list(directory))
      .flatMap(({ name }) => parseCounter(name) ?? [])
      .sort((a, b) => a - b);
  for (const boot of await numbers(layout.evidence)) {
    for (const rec of await numbers(layout.boot(boot))) {
      const seqs = new Set<number>();
      for (const { name } of await fs.list(layout.recording(boot, rec))) {
        const parsed = parseSegmentFile(name);
        if (parsed !== undefined) seqs.add(parsed.seq);
      }
      for (const seq of [...seqs].sort((a, b) => a - b)) refs.push({ boot, rec, seq });
    }
  }
  return refs;
}

/** Trusts this one camera. */
export const trustIn = ({ deviceKey }: DeviceFixture): Trust =>
  withDevice(emptyTrust(), DEVICE, toSpkiBase64(deviceKey.publicKey));

/** What an independent verifier says of one segment on the card. */
export async function judge(
  fs: FileSystem,
  card: string,
  device: DeviceFixture,
  ref: SegmentRef,
): Promise<SegmentVerdict> {
  const layout = new CardLayout(card);
  const read = async (file: string): Promise<Buffer | undefined> =>
    (await fs.exists(file)) ? fs.readFile(file, FILE_MAX) : undefined;
  const file = (end: SegmentFile): Promise<Buffer | undefined> => read(layout.segment(ref, end));
  const sessions = new Map<number, string>();
  for (const { name } of await fs.list(layout.evidence)) {
    const text = await read(layout.sessionCertificate(Number(name)));
    if (text !== undefined) sessions.set(Number(name), text.toString());
  }
  const age = await file('.age');
  return verifySegment(
    {
      ref,
      sessions,
      manifest: (await file('.dsse'))?.toString('latin1'),
      leaves: await file('.leaves'),
      heads: (await file('.heads'))?.toString('latin1'),
      meta: await file('.meta.age'),
      ciphertext: age && pieces(age),
    },
    trustIn(device),
  );
}

async function* pieces(bytes: Buffer): AsyncIterable<Buffer> {
  await Promise.resolve();
  yield bytes;
}
