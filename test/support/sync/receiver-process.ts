import { createSigner } from '../../../src/evidence/signer.js';
import { parseTrust } from '../../../src/evidence/trust.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import { createLogger } from '../../../src/log.js';
import { connectMqtt } from '../../../src/sync/mqtt-client.js';
import { EvidenceStore } from '../../../src/sync/receiver/evidence-store.js';
import { Receiver } from '../../../src/sync/receiver/receiver.js';

/** A receiver in a process of its own, to be killed. Says `ready` to its parent when it listens. */
const [url = '', store = '', seed = '', trust = ''] = process.argv.slice(2);
const clock = new SystemClock();
const logger = createLogger('silent', process.stderr);
const receiver = new Receiver(
  { rx: 'rx1', signer: createSigner(Buffer.from(seed, 'hex')) },
  parseTrust(trust),
  {
    store: new EvidenceStore(new NodeFileSystem(), store),
    connect: (will) => connectMqtt({ url, clientId: 'rx1', clock, logger, will }),
    clock,
    logger,
  },
);
await receiver.start();
process.send?.('ready');
