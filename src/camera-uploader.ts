import type { Config } from './config/config.js';
import { fromSpkiBase64 } from './evidence/public-key.js';
import type { Board } from './hal/board.js';
import type { Logger } from './log.js';
import type { Card } from './storage/card.js';
import type { DockPhase } from './sync/device/dock-session.js';
import type { DockProgress } from './sync/device/progress.js';
import { Uploader } from './sync/device/uploader.js';
import { connectMqtt } from './sync/mqtt-client.js';
import type { Will } from './sync/ports.js';

/** Hears how an upload goes. */
export interface UploaderListener {
  onProgress?(progress: DockProgress): void;
  onPhase?(phase: DockPhase): void;
}

/** Whose receipts count. */
export const receiversOf = ({
  receivers,
}: Config): readonly { readonly rx: string; readonly publicKey: Buffer }[] =>
  receivers.map(({ rx, spki }) => ({ rx, publicKey: fromSpkiBase64(spki) }));

/** The side of the dock that the card is offered from; its broker, key and receivers are those of the configuration. */
export async function makeUploader(
  { clock }: Board,
  card: Card,
  log: Logger,
  config: Config,
  listener: UploaderListener,
): Promise<Uploader> {
  const logger = log.child({ part: 'sync' });
  const identity = {
    device: config.deviceId,
    boot: card.boot,
    certificate: await card.outgoing.certificate(card.boot),
    receivers: receiversOf(config),
  };
  const ports = {
    segments: card.outgoing,
    connect: (will: Will) =>
      connectMqtt({ url: config.brokerUrl, clientId: config.deviceId, clock, logger, will }),
    clock,
    logger,
    freeBytes: () => card.freeBytes(),
  };
  return new Uploader(identity, ports, {
    onProgress: (progress) => listener.onProgress?.(progress),
    onPhase: (phase) => listener.onPhase?.(phase),
  });
}
