import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Clock } from '../../../src/clock.js';
import { toSpkiBase64 } from '../../../src/evidence/public-key.js';
import { emptyTrust, withDevice } from '../../../src/evidence/trust.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import type { FileSystem } from '../../../src/hal/ports/file-system.js';
import type { Signer } from '../../../src/evidence/signer.js';
import { createLogger } from '../../../src/log.js';
import type { Logger } from '../../../src/log.js';
import type { PinnedReceiver } from '../../../src/sync/device/receipt-check.js';
import { Uploader } from '../../../src/sync/device/uploader.js';
import type { UploaderListener } from '../../../src/sync/device/uploader.js';
import { connectMqtt } from '../../../src/sync/mqtt-client.js';
import type { MqttVersion } from '../../../src/sync/mqtt-client.js';
import type { MqttConnection, Will } from '../../../src/sync/ports.js';
import { EvidenceStore } from '../../../src/sync/receiver/evidence-store.js';
import { Receiver } from '../../../src/sync/receiver/receiver.js';
import type { ReceiverListener } from '../../../src/sync/receiver/receiver.js';
import { formatSegmentRef } from '../../../src/units.js';
import type { CardSegments } from './card-segments.js';
import { FastClock } from './fast-clock.js';
import { makeSigner } from './sealed-segment.js';
import type { TestDevice, TestSegment } from './sealed-segment.js';

export const quiet: Logger = createLogger('silent', { write: () => undefined });

export type Wrap = (connection: MqttConnection) => MqttConnection;

/** One broker's worth of receivers and cameras, with a store directory that lives as long as the test. */
export class Station {
  readonly rx = 'rx1';
  readonly receiverKey = makeSigner();
  readonly clock: Clock;
  readonly store: string;
  readonly #url: string;
  readonly #version: MqttVersion;

  private constructor(url: string, version: MqttVersion, clock: Clock, store: string) {
    this.#url = url;
    this.#version = version;
    this.clock = clock;
    this.store = store;
  }

  static async open(
    url: string,
    { version = 4, speed = 10 }: { version?: MqttVersion; speed?: number } = {},
  ): Promise<Station> {
    const store = await mkdtemp(path.join(os.tmpdir(), 'lapel-store-'));
    return new Station(url, version, new FastClock(speed), store);
  }

  async remove(): Promise<void> {
    await rm(this.store, { recursive: true, force: true });
  }

  connect(
    clientId: string,
    will: Will,
    wrap: Wrap = (connection) => connection,
  ): Promise<MqttConnection> {
    const options = {
      url: this.#url,
      clientId,
      will,
      clock: this.clock,
      logger: quiet,
      protocolVersion: this.#version,
    };
    return connectMqtt(options).then(wrap);
  }

  receiver(
    devices: readonly TestDevice[],
    {
      wrap,
      files = new NodeFileSystem(),
      receiverKey = this.receiverKey,
      ...listener
    }: ReceiverListener & {
      readonly wrap?: Wrap;
      readonly files?: FileSystem;
      readonly receiverKey?: Signer;
    } = {},
  ): Receiver {
    const trust = devices.reduce(
      (sum, { device, deviceKey }) => withDevice(sum, device, toSpkiBase64(deviceKey.publicKey)),
      emptyTrust(),
    );
    const ports = {
      store: new EvidenceStore(files, this.store),
      connect: (will: Will) => this.connect(this.rx, will, wrap),
      clock: this.clock,
      logger: quiet,
    };
    return new Receiver({ rx: this.rx, signer: receiverKey }, trust, ports, listener);
  }

  uploader(
    owner: TestDevice,
    segments: CardSegments,
    {
      wrap,
      receivers = [{ rx: this.rx, publicKey: this.receiverKey.publicKey }],
      ...listener
    }: UploaderListener & {
      readonly wrap?: Wrap;
      readonly receivers?: readonly PinnedReceiver[];
    } = {},
  ): Uploader {
    const identity = {
      device: owner.device,
      boot: owner.boot,
      certificate: owner.certificate,
      receivers,
    };
    const ports = {
      segments,
      connect: (will: Will) => this.connect(owner.device, will, wrap),
      clock: this.clock,
      logger: quiet,
    };
    return new Uploader(identity, ports, listener);
  }

  /** Path of a stored file, by the end of its name. */
  file(device: string, { ref }: TestSegment, end: string): string {
    return path.join(this.store, device, `${formatSegmentRef(ref)}${end}`);
  }

  read(device: string, segment: TestSegment, end: string): Promise<Buffer> {
    return readFile(this.file(device, segment, end));
  }
}
