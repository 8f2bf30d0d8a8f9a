import { createHash } from 'node:crypto';
import path from 'node:path';
import { formatTrust } from '../evidence/trust.js';
import type { Trust } from '../evidence/trust.js';
import type { FileSystem, WritableFile } from '../hal/ports/file-system.js';
import type { FoundSegment } from './evidence-files.js';

/** Large enough that system calls do not count. */
const PIECE_BYTES = 1024 * 1024;
/** `<device>/log/tile/entries/x001/234` is six below; nothing of a log is deeper than this. */
const LOG_DEPTH_MAX = 8;

/** A file of an export. */
export interface ExportedFile {
  /** From the directory of the MP4 on, with `/`. */
  readonly name: string;
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface Digests {
  readonly size: number;
  readonly sha256: Buffer;
  readonly sha512: Buffer;
  readonly blake2b512: Buffer;
}

/** All digests that an export needs of a file, read once. */
export async function digestFile(
  fs: FileSystem,
  file: string,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<Digests> {
  const hashes = ['sha256', 'sha512', 'blake2b512'].map((name) => createHash(name));
  const size = await readPieces(fs, file, (piece) => {
    for (const hash of hashes) hash.update(piece);
    onBytes(piece.length);
    return Promise.resolve();
  });
  const [sha256, sha512, blake2b512] = hashes.map((hash) => hash.digest());
  const none = Buffer.alloc(0);
  return { size, sha256: sha256 ?? none, sha512: sha512 ?? none, blake2b512: blake2b512 ?? none };
}

/** Hands over a file piece by piece, each good until `take` has resolved. Resolves with how many bytes there were. */
export async function readPieces(
  fs: FileSystem,
  file: string,
  take: (piece: Buffer) => Promise<void>,
): Promise<number> {
  const readable = await fs.openReadable(file);
  try {
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    for (let at = 0; ;) {
      const length = await readable.readInto(piece, 0, PIECE_BYTES, at);
      if (length === 0) return at;
      await take(piece.subarray(0, length));
      at += length;
    }
  } finally {
    await readable.close();
  }
}

/** Copies a file that is not there yet, byte for byte, makes it durable and digests what was written. */
async function copyFile(
  fs: FileSystem,
  from: string,
  to: string,
  onBytes: (bytes: number) => void,
): Promise<{ readonly size: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  const target: WritableFile = await fs.create(to);
  try {
    const size = await readPieces(fs, from, async (piece) => {
      hash.update(piece);
      await target.append([piece]);
      onBytes(piece.length);
    });
    await target.sync();
    return { size, sha256: hash.digest('hex') };
  } finally {
    await target.close();
  }
}

/** What goes into a bundle. */
export interface BundleContent {
  readonly segments: readonly FoundSegment[];
  /** Name of the folder; undefined when no manifest names the device. */
  readonly device: string | undefined;
  /** Boots whose certificates are needed. */
  readonly boots: readonly number[];
  readonly trust: Trust | undefined;
}

/** Where a file comes from, and its name in the bundle. */
interface Source {
  readonly from: string;
  readonly name: string;
}

/** Bytes of the ciphertext that a bundle will hold: nearly all of it. */
export const bundleBytes = (segments: readonly FoundSegment[]): number =>
  segments.reduce((sum, { files }) => sum + (files.get('.age')?.bytes ?? 0), 0);

/**
 * Copies what proves a recording into `<directory>/<bundle>`, laid out as `src/evidence/README.md` says, and returns the
 * files with their names from `directory` on. Rejects as the file system does.
 */
export async function writeBundle(
  fs: FileSystem,
  directory: string,
  bundle: string,
  content: BundleContent,
  onBytes: (bytes: number) => void,
): Promise<readonly ExportedFile[]> {
  const written: ExportedFile[] = [];
  const made = new Set<string>();
  for (const { from, name } of await sourcesOf(fs, content)) {
    const to = path.join(directory, bundle, ...name.split('/'));
    const parent = path.dirname(to);
    if (!made.has(parent)) await fs.makeDirectory(parent);
    made.add(parent);
    written.push({ name: `${bundle}/${name}`, ...(await copyFile(fs, from, to, onBytes)) });
  }
  const { trust } = content;
  if (trust !== undefined) {
    const bytes = Buffer.from(formatTrust(believedOf(trust, content.device)));
    const name = `${bundle}/trust.json`;
    await fs.writeAtomic(path.join(directory, name), bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    written.push({ name, size: bytes.length, sha256 });
  }
  return written;
}

async function sourcesOf(
  fs: FileSystem,
  { segments, device = 'unknown', boots }: BundleContent,
): Promise<readonly Source[]> {
  const sources: Source[] = [];
  const [first] = segments;
  if (first === undefined) return sources;
  for (const boot of boots) {
    const from = path.join(first.root, `${boot}`, 'session.dsse');
    if (await fs.exists(from)) sources.push({ from, name: `${device}/${boot}/session.dsse` });
  }
  for (const { ref, files } of segments) {
    const stem = `${device}/${ref.boot}/${ref.rec}/${ref.seq}`;
    for (const [end, { path: from }] of files) sources.push({ from, name: `${stem}${end}` });
    const folder = path.dirname([...files.values()][0]?.path ?? '');
    const receipt = { from: path.join(folder, `${ref.seq}.receipt`), name: `${stem}.receipt` };
    const isKnown = sources.some(({ name }) => name === receipt.name);
    if (!isKnown && (await fs.exists(receipt.from))) sources.push(receipt);
  }
  await addLog(fs, path.join(first.root, 'log'), `${device}/log`, sources);
  return sources;
}

async function addLog(
  fs: FileSystem,
  folder: string,
  name: string,
  into: Source[],
  depth = 0,
): Promise<void> {
  if (depth > LOG_DEPTH_MAX) return;
  for (const entry of await fs.list(folder)) {
    const from = path.join(folder, entry.name);
    const below = `${name}/${entry.name}`;
    if (entry.isDirectory) await addLog(fs, from, below, into, depth + 1);
    else into.push({ from, name: below });
  }
}

/** Of a trust file, what concerns this device: the others are nobody's business. */
const believedOf = ({ v, devices, receivers }: Trust, device: string | undefined): Trust => ({
  v,
  devices: devices.filter((entry) => entry.device === device),
  receivers,
});
