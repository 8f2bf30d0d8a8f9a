import path from 'node:path';

/** Where a camera on this machine keeps its things. */
export interface DataPaths {
  readonly root: string;
  /** The evidence card: on a device a mount of its own. */
  readonly card: string;
  readonly deviceKey: string;
  readonly config: string;
  /** Number of the newest boot; not on the card, which may be changed. */
  readonly boot: string;
  /** Unix socket of the running camera. */
  readonly control: string;
}

export const DATA_DEFAULT = 'lapel-data';

export function dataPaths(data: string): DataPaths {
  const root = path.resolve(data);
  const internal = path.join(root, 'internal');
  return {
    root,
    card: path.join(root, 'card'),
    deviceKey: path.join(internal, 'device.key'),
    config: path.join(internal, 'config.json'),
    boot: path.join(internal, 'boot'),
    control: path.join(root, 'control.sock'),
  };
}

/** The checkout or installation this program runs from. */
export const installRoot = (): string => path.resolve(import.meta.dirname, '../../..');

export const boardDirectory = (): string => path.join(installRoot(), 'board');

export const footageDirectory = (): string => path.join(installRoot(), 'build', 'footage');

/** Where a receiver keeps its signing key, inside its store but outside every device's folder. */
export const receiverKeyPath = (store: string): string =>
  path.join(path.resolve(store), 'receiver.key');

/** The id that belongs to that key. */
export const receiverIdPath = (store: string): string =>
  path.join(path.resolve(store), 'receiver.id');
