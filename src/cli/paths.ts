import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Where a camera on this machine keeps its things. */
export interface DataPaths {
  readonly root: string;
  /** The evidence card: on a device a mount of its own. */
  readonly card: string;
  readonly deviceKey: string;
  readonly config: string;
  /** Number of the newest boot; not on the card, which may be changed. */
  readonly bootFile: string;
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
    bootFile: path.join(internal, 'boot'),
    control: path.join(root, 'control.sock'),
  };
}

/** The checkout or installation this program runs from. */
export const installRoot = (): string => path.resolve(import.meta.dirname, '../../..');

/** The version of this program, from its package. */
export function programVersion(): string {
  const text = readFileSync(path.join(installRoot(), 'package.json'), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}

export const boardDirectory = (): string => path.join(installRoot(), 'board');

export const footageDirectory = (): string => path.join(installRoot(), 'build', 'footage');

/** Where a receiver keeps its signing key, inside its store but outside every device's folder. */
export const receiverKeyPath = (store: string): string =>
  path.join(path.resolve(store), 'receiver.key');

/** The id that belongs to that key. */
export const receiverIdPath = (store: string): string =>
  path.join(path.resolve(store), 'receiver.id');
