import path from 'node:path';
import { openMachine } from '../hal/machine.js';
import type { Machine } from '../hal/machine.js';
import { createLogger } from '../log.js';
import type { Logger } from '../log.js';
import { KeyFile } from '../storage/keys.js';
import { connectMqtt } from '../sync/mqtt-client.js';
import { EvidenceStore } from '../sync/receiver/evidence-store.js';
import { Receiver } from '../sync/receiver/receiver.js';
import type { ReceiverListener } from '../sync/receiver/receiver.js';
import type { Trust } from '../evidence/trust.js';
import { readReceiver, readTrust } from './keys.js';
import { getLogLevel, getText } from './options.js';
import type { Options } from './options.js';
import { formatBytes, printJson, say } from './output.js';
import type { Output } from './output.js';
import { receiverKeyPath } from './paths.js';
import { untilSignal } from './signals.js';

/**
 * A receiver on a store that has a key. Rejects with `keys/missing`, or `sync/no-broker` from `start`. `close` the
 * receiver to end it.
 */
export async function openReceiver(
  { fs, clock }: Machine,
  logger: Logger,
  options: { store: string; trust: Trust; broker: string },
  listener: ReceiverListener = {},
): Promise<{ receiver: Receiver; rx: string }> {
  const { rx } = await readReceiver(fs, options.store);
  const signer = await new KeyFile(fs, receiverKeyPath(options.store)).load();
  const receiver = new Receiver(
    { rx, signer },
    options.trust,
    {
      store: new EvidenceStore(fs, path.resolve(options.store)),
      connect: (will) => connectMqtt({ url: options.broker, clientId: rx, clock, logger, will }),
      clock,
      logger,
    },
    listener,
  );
  return { receiver, rx };
}

export async function run(
  _args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const machine = openMachine();
  const logger = createLogger(getLogLevel(options), output.err);
  const store = getText(options, 'store');
  const broker = getText(options, 'broker');
  const trust = await readTrust(machine.fs, getText(options, 'trust'));
  const { receiver, rx } = await openReceiver(
    machine,
    logger,
    { store, trust, broker },
    {
      onStored: ({ device, segment, bytes }) => {
        if (output.isJson) printJson(output, { stored: segment, device, bytes });
        say(output, `stored ${device} ${segment}, ${formatBytes(bytes)}, receipt signed`);
      },
    },
  );
  await receiver.start();
  say(output, `receiver ${rx} takes evidence from ${broker} into ${store}; stop with Ctrl-C`);
  await untilSignal();
  await receiver.close();
  return 0;
}
