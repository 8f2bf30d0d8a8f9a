import net from 'node:net';
import { Aedes } from 'aedes';
import { CameraError, messageOf } from '../errors.js';

/** Ids may have 64 characters (see units.ts). */
const CLIENT_ID_LENGTH_MAX = 64;
/** Topics of the protocol have at most 6; the rest is room for what people try. */
const TOPIC_LEVELS_MAX = 16;

export interface EmbeddedBroker {
  /** `mqtt://host:port`. */
  readonly url: string;
  /** Ends every connection and frees the port. */
  close(): Promise<void>;
}

export interface EmbeddedBrokerOptions {
  /** 0 takes any free port. */
  readonly port?: number;
  readonly host?: string;
}

/**
 * A broker inside this process, for the demo, for tests and for a desk with one camera: MQTT 3.1.1 only, no TLS, no
 * access rules, so it listens on the loopback address unless told otherwise. Rejects with `sync/refused` when it
 * cannot listen.
 */
export async function startEmbeddedBroker(
  options: EmbeddedBrokerOptions = {},
): Promise<EmbeddedBroker> {
  const { port = 0, host = '127.0.0.1' } = options;
  const aedes = await Aedes.createBroker({
    maxClientsIdLength: CLIENT_ID_LENGTH_MAX,
    maxTopicLevels: TOPIC_LEVELS_MAX,
  });
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    aedes.handle(socket);
  });
  try {
    await listen(server, port, host);
  } catch (cause) {
    aedes.close();
    const message = `cannot listen on ${host}:${port}: ${messageOf(cause)}`;
    throw new CameraError('sync/refused', message, { cause });
  }
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) =>
      server.close(() => {
        resolve();
      }),
    );
    for (const socket of sockets) socket.destroy();
    await closed;
    await new Promise<void>((resolve) => {
      aedes.close(resolve);
    });
  };
  return { url: `mqtt://${host.includes(':') ? `[${host}]` : host}:${bound}`, close };
}

const listen = (server: net.Server, port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
