import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { Camera } from '../../../src/camera.js';
import { parseConfig } from '../../../src/config/config.js';
import { generateIdentity } from '../../../src/evidence/age-recipients.js';
import { decodePayload } from '../../../src/evidence/dsse.js';
import type { LogEntry } from '../../../src/evidence/log-entry.js';
import { readManifest } from '../../../src/evidence/manifest.js';
import { toSpkiBase64 } from '../../../src/evidence/public-key.js';
import type { Signer } from '../../../src/evidence/signer.js';
import { openBoard } from '../../../src/hal/board.js';
import { parseBoard } from '../../../src/hal/board-file.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import { createLogger } from '../../../src/log.js';
import { openDatabase } from '../../../src/storage/database.js';
import { readEntries } from '../../../src/storage/device-log.js';
import { boardDocument, withValue } from '../board-document.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { makeSigner } from './sealed-segment.js';
import { waitUntil } from './wait-until.js';

type TriggerEntry = Extract<LogEntry, { type: 'trigger' }>;

export interface FieldCameraOptions {
  readonly device: string;
  readonly data: string;
  readonly deviceKey?: Signer;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A whole camera on a simulated board in real time: only the pictures are made up, and nobody is at its broker but us. */
export class FieldCamera {
  readonly camera: Camera;
  readonly deviceKey: Signer;
  /** When each recording began, on the clock of this process, and by what. */
  readonly started: { readonly at: number; readonly trigger: string }[] = [];
  readonly outcomes: string[] = [];
  /** `kind code`, of each message that was judged. */
  readonly judged: string[] = [];
  readonly #card: string;
  readonly #close: () => Promise<void>;
  readonly #run: (words: readonly string[]) => Promise<unknown>;
  #isClosed = false;

  private constructor(
    camera: Camera,
    deviceKey: Signer,
    card: string,
    run: (words: readonly string[]) => Promise<unknown>,
    close: () => Promise<void>,
  ) {
    this.camera = camera;
    this.deviceKey = deviceKey;
    this.#card = card;
    this.#run = run;
    this.#close = close;
    camera.recorder.on({
      recordingStarted: ({ trigger }) => this.started.push({ at: performance.now(), trigger }),
      pressDecided: (outcome, origin) => this.outcomes.push(`${origin} ${outcome}`),
    });
  }

  /** Open, buffering, and connected to its broker where it has one. Closed with the test. */
  static async open(t: ExecutionContext, options: FieldCameraOptions): Promise<FieldCamera> {
    const clock = new SystemClock();
    const log = createLogger('silent', { write: () => undefined });
    const document = withValue(boardDocument(), 'camera.width', 320);
    const board = await openBoard(parseBoard(JSON.stringify(document), 'test.json'), {
      ...{ clock, log, footageDirectory: '/footage' },
      files: { exists: () => Promise.resolve(true) },
    });
    // The timers of the clock keep no process alive, and a camera without a broker has nothing else.
    const alive = setInterval(() => undefined, 1_000);
    t.teardown(() => {
      clearInterval(alive);
    });
    const { device, data, deviceKey = makeSigner() } = options;
    const card = path.join(data, 'card');
    await mkdir(data, { recursive: true });
    const judged: string[] = [];
    const camera = await Camera.open(
      board,
      new NodeFileSystem(),
      log,
      {
        config: parseConfig({
          deviceId: device,
          recipients: [generateIdentity().recipient],
          preEventMs: 5_000,
          reserveBytes: 268_435_456,
          reservePercent: 0,
          ...options.config,
        }),
        ...{ card, deviceKey, bootFile: path.join(data, 'boot') },
        configDigest: '0'.repeat(64),
        firmwareDigest: '0'.repeat(64),
      },
      { onTrigger: ({ kind }, code) => judged.push(`${kind} ${code ?? 'taken'}`) },
    );
    const { control } = board;
    const field = new FieldCamera(
      camera,
      deviceKey,
      card,
      (words) => control?.run(words) ?? Promise.reject(new Error('no hands')),
      async () => {
        await camera.close();
        await board.close();
      },
    );
    Object.assign(field, { judged });
    t.teardown(() => field.close());
    camera.start();
    await waitUntil(`${device} buffers`, () => camera.recorder.status().bufferedMs > 0);
    return field;
  }

  /** Resolves when the connection for triggers is up. */
  async connected(): Promise<void> {
    await waitUntil(
      'the camera is connected',
      async () => (await this.camera.status()).triggers?.isConnected === true,
    );
  }

  get spki(): string {
    return toSpkiBase64(this.deviceKey.publicKey);
  }

  get mode(): string {
    return this.camera.recorder.status().mode;
  }

  /** What a person does with it, in the words of `lapel sim`. */
  async hands(words: string): Promise<void> {
    await this.#run(words.split(' '));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#close();
  }

  /** What the device log says of triggers. Only after `close`. */
  triggers(): readonly TriggerEntry[] {
    return this.#read().filter((entry) => entry.type === 'trigger');
  }

  /** The edges of the log that were decided, as `button outcome`. Only after `close`. */
  presses(): readonly string[] {
    return this.#read().flatMap((entry) =>
      entry.type === 'press' && entry.pressed && entry.outcome !== null
        ? [`${entry.button} ${entry.outcome}`]
        : [],
    );
  }

  /** What each recording on the card began with, by its manifests. */
  async recordedBy(): Promise<readonly (string | undefined)[]> {
    const pending = await this.camera.card.outgoing.pending(64);
    return pending
      .map(({ manifest }) => readManifest(manifest))
      .filter(({ seq }) => seq === 0)
      .map(({ trigger }) => trigger);
  }

  #read(): readonly LogEntry[] {
    const db = openDatabase(path.join(this.#card, 'lapel.db'), { readOnly: true });
    try {
      return readEntries(db, 0, 10_000).map(
        ({ envelope }) => JSON.parse(decodePayload(envelope).toString()) as LogEntry,
      );
    } finally {
      db.close();
    }
  }
}

/** Cameras that know the keys of all the others, each with its `peerStart`, connected to one broker. */
export async function team(
  t: ExecutionContext,
  url: string,
  policies: Readonly<Record<string, string>>,
): Promise<Record<string, FieldCamera>> {
  const dir = await temporaryDirectory(t);
  const keys = Object.keys(policies).map((device) => ({ device, key: makeSigner() }));
  const cameras: Record<string, FieldCamera> = {};
  for (const { device, key } of keys) {
    const peers = keys
      .filter((other) => other.device !== device)
      .map((other) => ({ device: other.device, spki: toSpkiBase64(other.key.publicKey) }));
    cameras[device] = await FieldCamera.open(t, {
      device,
      data: path.join(dir, device),
      deviceKey: key,
      config: { localBrokerUrl: url, peerStart: policies[device], peers },
    });
    await cameras[device].connected();
  }
  return cameras;
}
