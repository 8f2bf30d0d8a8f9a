import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Recorder } from '../../src/capture/recorder.js';
import type { Clock } from '../../src/clock.js';
import { parseRecipient, recipientOf } from '../../src/evidence/age-recipients.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { openCard, type Card } from '../../src/storage/card.js';
import { CONFIG_DIGEST, DEVICE, FIRMWARE_DIGEST, silent } from './boot-fixture.js';
import type { DeviceFixture } from './boot-fixture.js';
import { RIG_SETTINGS } from './recorder-rig.js';
import type { SharedVideo } from './shared-video.js';

/** What the hand knows of a press that starts; what the camera says of it is on the card. */
export interface HandPress {
  readonly at: number;
  /** Pictures that the recorder had had by then. */
  readonly frames: number;
  /** Number of the newest picture of the encoder, see `SharedVideo.pictures`. */
  readonly newest: number;
}

export interface WornSettings {
  readonly preEventMs: number;
  readonly segmentMs: number;
}

interface WornPorts {
  readonly clock: Clock;
  readonly video: SharedVideo;
  readonly device: DeviceFixture;
}

/** More than the 3 s of a stop. */
const HOLD_MS = 3050;
const CLOSE_MS_MAX = 20_000;

/** A recorder with a card of its own and a hand at its button, on pictures that other recorders have as well. */
export class WornRecorder {
  readonly settings: WornSettings;
  readonly directory: string;
  /** Presses that start, in order: the n-th begins recording n. */
  readonly presses: HandPress[] = [];
  readonly faults: string[] = [];
  readonly #ports: WornPorts;
  readonly #card: Card;
  #recorder: Recorder | undefined;

  private constructor(directory: string, ports: WornPorts, card: Card, settings: WornSettings) {
    this.directory = directory;
    this.#ports = ports;
    this.#card = card;
    this.settings = settings;
  }

  /** Its card is the new directory `name` in `root`. There is no recorder before `startAnew`. */
  static async open(
    root: string,
    name: string,
    ports: WornPorts,
    settings: WornSettings,
  ): Promise<WornRecorder> {
    const directory = path.join(root, name);
    await mkdir(directory);
    const { clock, device } = ports;
    const card = await openCard(
      { fs: new NodeFileSystem(), clock, log: silent },
      {
        card: directory,
        device: DEVICE,
        deviceKey: device.deviceKey,
        recipients: [parseRecipient(recipientOf(device.identity))],
        configDigest: CONFIG_DIGEST,
        firmwareDigest: FIRMWARE_DIGEST,
        reserveBytes: 0,
        onSealed: () => undefined,
      },
    );
    return new WornRecorder(directory, ports, card, settings);
  }

  get boot(): number {
    return this.#card.boot;
  }

  /** A recorder whose memory is empty, as after a start of the camera, in place of the one before. */
  async startAnew(): Promise<void> {
    await this.#end();
    const { clock, video } = this.#ports;
    const recorder = new Recorder(
      {
        clock,
        video,
        sink: this.#card.recordings,
        journal: this.#card.journal,
        indicator: { show: () => undefined, signal: () => undefined },
        log: silent,
      },
      { ...RIG_SETTINGS, ...this.settings },
    );
    recorder.on({ faulted: ({ code, detail }) => this.faults.push(`${code}: ${detail}`) });
    this.#recorder = recorder;
    recorder.start();
  }

  /** Presses and lets go after `heldMs`. */
  async press(heldMs: number): Promise<void> {
    const frames = this.#recorder?.status().frames ?? 0;
    const newest = this.#ports.video.pictures.length - 1;
    this.presses.push({ at: this.#edge(true), frames, newest });
    await this.#ports.clock.sleep(heldMs);
    this.#edge(false);
  }

  /** The hold that stops. */
  async hold(): Promise<void> {
    this.#edge(true);
    await this.#ports.clock.sleep(HOLD_MS);
    this.#edge(false);
  }

  /** Everything that was recorded is sealed when it resolves. */
  async close(): Promise<void> {
    await this.#end();
    await this.#card.close();
  }

  #edge(isPressed: boolean): number {
    const at = this.#ports.clock.monotonicMs();
    this.#recorder?.edge({ button: 'record', isPressed, at });
    return at;
  }

  async #end(): Promise<void> {
    const isClean = await (this.#recorder?.stopAndClose(CLOSE_MS_MAX) ?? true);
    if (!isClean) this.faults.push('the recorder did not end in time');
    this.#recorder = undefined;
  }
}
