import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { decryptWhole } from '../../src/evidence/age-container.js';
import { parseEnvelopeFile } from '../../src/evidence/dsse.js';
import { openEntry, type LogEntry } from '../../src/evidence/log-entry.js';
import { openManifest, type Manifest } from '../../src/evidence/manifest.js';
import { readMetadata, type MetadataLine } from '../../src/evidence/metadata.js';
import { openSessionKey } from '../../src/evidence/session-key.js';
import { findEvidence, type FoundSegment } from '../../src/cli/evidence-files.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { openDatabase } from '../../src/storage/database.js';
import { readEntries } from '../../src/storage/device-log.js';
import { CardLayout, type SegmentFile } from '../../src/storage/layout.js';
import type { DeviceFixture } from './boot-fixture.js';
import { probeSamples } from './ffmpeg.js';

// What an auditor learns from a card alone: files, manifests, sealed metadata and the log, every signature checked.

/** A picture in a file, where ffprobe says that it is. */
export interface FilePicture {
  /** From the start of its segment. */
  readonly at90k: number;
  readonly data: Buffer;
}

export interface ReadSegment {
  readonly manifest: Manifest;
  readonly metadata: readonly MetadataLine[];
  readonly pictures: readonly FilePicture[];
}

const SEGMENT_BYTES_MAX = 256 * 2 ** 20;
const ENTRIES_MAX = 100_000;
const fs = new NodeFileSystem();

/** Reads cards of one device; MP4s are decrypted into `scratch`, one at a time. */
export class CardReader {
  readonly #card: string;
  readonly #device: DeviceFixture;
  readonly #scratch: string;

  constructor(card: string, device: DeviceFixture, scratch: string) {
    this.#card = card;
    this.#device = device;
    this.#scratch = scratch;
  }

  /** The segments on the card by the number of their recording, in order. */
  async recordings(): Promise<ReadonlyMap<number, readonly FoundSegment[]>> {
    const { segments } = await findEvidence(fs, [this.#card]);
    const byRecording = new Map<number, FoundSegment[]>();
    for (const segment of segments) {
      const { rec } = segment.ref;
      byRecording.set(rec, [...(byRecording.get(rec) ?? []), segment]);
    }
    return byRecording;
  }

  async segment({ ref, files }: FoundSegment): Promise<ReadSegment> {
    const read = (end: SegmentFile): Promise<Buffer> =>
      fs.readFile(files.get(end)?.path ?? end, SEGMENT_BYTES_MAX);
    const key = await this.#sessionKey(ref.boot);
    const manifest = openManifest(parseEnvelopeFile((await read('.dsse')).toString()), key);
    const { identity } = this.#device;
    const metadata = readMetadata(decryptWhole(await read('.meta.age'), identity).plain);
    const mp4 = decryptWhole(await read('.age'), identity).plain;
    const file = path.join(this.#scratch, 'segment.mp4');
    await writeFile(file, mp4);
    const pictures = (await probeSamples(file)).map(({ at90k, start, bytes }) => {
      return { at90k, data: mp4.subarray(start, start + bytes) };
    });
    return { manifest, metadata, pictures };
  }

  /** Every entry of the log of a boot, in order. */
  async entries(boot: number): Promise<readonly LogEntry[]> {
    const key = await this.#sessionKey(boot);
    const db = openDatabase(new CardLayout(this.#card).database, { readOnly: true });
    try {
      return readEntries(db, 0, ENTRIES_MAX).map(({ envelope }) => openEntry(envelope, key));
    } finally {
      db.close();
    }
  }

  async #sessionKey(boot: number): Promise<Buffer> {
    const file = new CardLayout(this.#card).sessionCertificate(boot);
    const text = (await fs.readFile(file, SEGMENT_BYTES_MAX)).toString();
    const { publicKey } = this.#device.deviceKey;
    return openSessionKey(parseEnvelopeFile(text), publicKey).publicKey;
  }
}
