import { createHash } from 'node:crypto';
import { parseRecipient, recipientOf } from '../../../src/evidence/age-recipients.js';
import { payloadDigest } from '../../../src/evidence/dsse.js';
import type { Envelope } from '../../../src/evidence/dsse.js';
import { readManifest } from '../../../src/evidence/manifest.js';
import { sealReceipt } from '../../../src/evidence/receipt.js';
import { muxGop } from '../../../src/capture/mp4.js';
import type { MuxedGop } from '../../../src/capture/mp4.js';
import { placeMoof } from '../../../src/capture/mp4-boxes.js';
import { NodeFileRemover } from '../../../src/hal/linux/node-file-remover.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import type { WritableFile } from '../../../src/hal/ports/file-system.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { openCard } from '../../../src/storage/card.js';
import type { Card } from '../../../src/storage/card.js';
import type { OutgoingSegment } from '../../../src/storage/outgoing.js';
import { formatSegmentRef } from '../../../src/units.js';
import { CONFIG_DIGEST, DEVICE, FIRMWARE_DIGEST, silent } from '../../support/boot-fixture.js';
import type { DeviceFixture } from '../../support/boot-fixture.js';
import { SECOND_90K, fakeEnding, fakeFacts } from '../../support/fake-media.js';
import { fastSigner } from '../../support/fast-signer.js';
import { FORMAT, accessUnits } from '../../support/synthetic-video.js';
import type { Said } from './said.js';

export const FRAMES_PER_FRAGMENT = 30;
/** 1.2 Mbit/s: the 64 KiB that age holds back are 0.4 s. */
const BYTES_PER_FRAME = 5000;
const SECOND_MS = 1000;
/** A head follows its fragment within milliseconds; a disk that takes longer hangs. */
const HEAD_MS_MAX = 30_000;

/** What a scenario plays on: an evidence card, whose it is, and where it says what it was promised. */
export interface Stage {
  readonly card: string;
  readonly device: DeviceFixture;
  readonly say: (fact: Said) => void;
  /** Whoever has a receipt goes at once. */
  readonly isDeleting?: boolean;
}

/** Whose receipts count. */
export const RECEIVER = fastSigner(Buffer.alloc(32, 7));
export const RECEIVER_ID = 'rx1';

/** The receipt of the receiver of this stage. */
export function receiptFor({ ref, manifest }: OutgoingSegment): Envelope {
  const { file } = readManifest(manifest);
  return sealReceipt(
    {
      device: DEVICE,
      seg: formatSegmentRef(ref),
      man: payloadDigest(manifest),
      ...{ root: file.root, size: file.size, log: null },
      stores: [{ id: 'store', kind: 'fs', durable: true }],
      ...{ rx: RECEIVER_ID, ts: 1_793_600_000_000 },
      nonce: createHash('md5').update(formatSegmentRef(ref)).digest('hex'),
    },
    RECEIVER,
  );
}

/** A file system that tells when a head is durable. */
class WatchedFileSystem extends NodeFileSystem {
  onHead: () => void = () => undefined;

  override async createTogether(paths: readonly string[]): Promise<readonly WritableFile[]> {
    const files = await super.createTogether(paths);
    return files.map((file, n) => (paths[n]?.endsWith('.heads') ? this.#watched(file) : file));
  }

  #watched(file: WritableFile): WritableFile {
    return {
      append: (parts) => file.append(parts),
      writeAt: (bytes, offset) => file.writeAt(bytes, offset),
      sync: async () => {
        await file.sync();
        this.onHead();
      },
      close: () => file.close(),
    };
  }
}

/** The card of the next boot, as the camera opens it. */
export async function openStageCard(
  { card, device, say, isDeleting = false }: Stage,
  fs: NodeFileSystem,
  clock: SimClock,
): Promise<Card> {
  const opened = await openCard(
    { fs, clock, log: silent },
    {
      ...{ card, device: DEVICE, deviceKey: device.deviceKey },
      recipients: [parseRecipient(recipientOf(device.identity))],
      ...{ configDigest: CONFIG_DIGEST, firmwareDigest: FIRMWARE_DIGEST, reserveBytes: 0 },
      onSealed: ({ ref, digest }) => {
        say({ said: 'sealed', seg: formatSegmentRef(ref), digest });
      },
      removal: isDeleting ? new NodeFileRemover() : undefined,
      receivers: [{ rx: RECEIVER_ID, publicKey: RECEIVER.publicKey }],
      retainMs: 0,
    },
  );
  say({ said: 'boot', boot: opened.boot });
  return opened;
}

/** A camera as far as storage goes: the real card, pictures that can be counted, and time that is stepped. */
export class StageCamera {
  readonly card: Card;
  readonly clock: SimClock;
  readonly #stage: Stage;
  readonly #fs: WatchedFileSystem;
  readonly #gop: MuxedGop;

  private constructor(
    stage: Stage,
    card: Card,
    clock: SimClock,
    fs: WatchedFileSystem,
    gop: MuxedGop,
  ) {
    this.#stage = stage;
    this.card = card;
    this.clock = clock;
    this.#fs = fs;
    this.#gop = gop;
  }

  static async open(stage: Stage): Promise<StageCamera> {
    const fs = new WatchedFileSystem();
    const clock = new SimClock(SECOND_MS);
    const card = await openStageCard(stage, fs, clock);
    const units = accessUnits(FRAMES_PER_FRAGMENT, { bytes: BYTES_PER_FRAME });
    return new StageCamera(stage, card, clock, fs, await muxGop(units, FORMAT));
  }

  /**
   * A recording of segments with so many fragments each, one a second. `leavesOpen`: the last one is not sealed.
   * While a segment is being sealed the next one takes fragments already.
   */
  async record(
    segments: readonly number[],
    options: { leavesOpen?: boolean; marks?: number } = {},
  ): Promise<void> {
    const { boot, recordings } = this.card;
    const rec = await recordings.beginRecording();
    this.#stage.say({ said: 'recording', boot, rec });
    let sealing: Promise<void> = Promise.resolve();
    let second = 0;
    for (const [seq, fragments] of segments.entries()) {
      const facts = { rec, seq, format: FORMAT, init: this.#gop.init };
      const segment = await recordings.openSegment(
        fakeFacts({ ...facts, start90k: second * SECOND_90K }),
      );
      for (let n = 0; n < fragments; n += 1) {
        second += 1;
        const frames = second * FRAMES_PER_FRAGMENT;
        this.#stage.say({ said: 'handed', boot, rec, frames });
        const head = this.#nextHead();
        await segment.append(this.#piece(n));
        await head;
        this.#stage.say({ said: 'head', boot, rec, frames });
        await this.clock.advance(SECOND_MS);
      }
      await sealing;
      const isLast = seq === segments.length - 1;
      if (isLast && options.leavesOpen === true) return;
      const marks = Array.from({ length: options.marks ?? 0 }, (_, at) => ({ at, mediaMs: at }));
      sealing = segment.seal(fakeEnding({ isLast, marks }));
    }
    await sealing;
  }

  #piece(n: number) {
    const { moof, mdat } = this.#gop;
    return {
      parts: [placeMoof(moof, n * SECOND_90K, n + 1), mdat],
      offset90k: n * SECOND_90K,
      duration90k: SECOND_90K,
      frames: FRAMES_PER_FRAGMENT,
    };
  }

  async #nextHead(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#fs.onHead = resolve;
      timer = setTimeout(() => {
        reject(new Error('no head was written'));
      }, HEAD_MS_MAX);
    });
    clearTimeout(timer);
  }
}
