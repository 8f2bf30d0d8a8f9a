import { ID_PATTERN } from '../units.js';
import type { Qos } from './ports.js';

const PREFIX = 'lapel/v1';
/** Under this level are the receivers. No device can have the name: an id never starts with an underscore. */
const RECEIVERS = '_rx';

const upMessages = ['birth', 'state', 'offer', 'leaves', 'meta'] as const;
const downMessages = ['want', 'ack', 'receipt'] as const;

/** What a device says. */
export type UpMessage = (typeof upMessages)[number];
/** What a receiver says to one device. */
export type DownMessage = (typeof downMessages)[number];

/** Every topic of the protocol. An ACL can be written on the levels alone: who may say it, to whom. */
export type Topic =
  | { readonly kind: 'up'; readonly device: string; readonly message: UpMessage }
  | { readonly kind: 'down'; readonly device: string; readonly message: DownMessage }
  /** Where one receiver takes the chunks of one device. */
  | { readonly kind: 'inbox'; readonly receiver: string; readonly device: string }
  | { readonly kind: 'receiver-state'; readonly receiver: string }
  /** What a fleet manager tells a device, what that says to it, and what a device tells the devices around it. */
  | { readonly kind: 'command' | 'command-state' | 'peer'; readonly device: string };

/** The text of a topic: at most 8 levels and 256 bytes, which every broker takes. */
export function formatTopic(topic: Topic): string {
  switch (topic.kind) {
    case 'up':
      return `${PREFIX}/${topic.device}/up/${topic.message}`;
    case 'down':
      return `${PREFIX}/${topic.device}/dn/${topic.message}`;
    case 'inbox':
      return `${PREFIX}/${RECEIVERS}/${topic.receiver}/in/${topic.device}`;
    case 'receiver-state':
      return `${PREFIX}/${RECEIVERS}/${topic.receiver}/state`;
    case 'command':
      return `${PREFIX}/${topic.device}/dn/cmd`;
    case 'command-state':
      return `${PREFIX}/${topic.device}/up/cmd`;
    case 'peer':
      return `${PREFIX}/${topic.device}/up/peer`;
  }
}

export const upTopic = (device: string, message: UpMessage): string =>
  formatTopic({ kind: 'up', device, message });
export const downTopic = (device: string, message: DownMessage): string =>
  formatTopic({ kind: 'down', device, message });
export const inboxTopic = (receiver: string, device: string): string =>
  formatTopic({ kind: 'inbox', receiver, device });
export const receiverStateTopic = (receiver: string): string =>
  formatTopic({ kind: 'receiver-state', receiver });

export const commandTopic = (device: string): string => formatTopic({ kind: 'command', device });
export const commandStateTopic = (device: string): string =>
  formatTopic({ kind: 'command-state', device });
export const peerTopic = (device: string): string => formatTopic({ kind: 'peer', device });

const isId = (text: string | undefined): text is string =>
  text !== undefined && ID_PATTERN.test(text);

/** What a topic means; undefined for anything that `formatTopic` does not write. */
export function parseTopic(text: string): Topic | undefined {
  const [lapel, version, who, ...rest] = text.split('/');
  if (`${lapel ?? ''}/${version ?? ''}` !== PREFIX) return undefined;
  return who === RECEIVERS ? parseReceiverTopic(rest) : parseDeviceTopic(who, rest);
}

function parseReceiverTopic(levels: readonly string[]): Topic | undefined {
  const [receiver, what, device] = levels;
  if (!isId(receiver)) return undefined;
  if (what === 'state' && levels.length === 2) return { kind: 'receiver-state', receiver };
  if (what === 'in' && levels.length === 3 && isId(device)) {
    return { kind: 'inbox', receiver, device };
  }
  return undefined;
}

function parseDeviceTopic(
  device: string | undefined,
  levels: readonly string[],
): Topic | undefined {
  const [direction, what] = levels;
  if (!isId(device) || levels.length !== 2) return undefined;
  if (direction === 'up') {
    if (what === 'cmd') return { kind: 'command-state', device };
    if (what === 'peer') return { kind: 'peer', device };
    const message = upMessages.find((candidate) => candidate === what);
    return message && { kind: 'up', device, message };
  }
  if (direction === 'dn') {
    if (what === 'cmd') return { kind: 'command', device };
    const message = downMessages.find((candidate) => candidate === what);
    return message && { kind: 'down', device, message };
  }
  return undefined;
}

/** Acks come at QoS 0: the next one replaces a lost one. */
const downQos = { want: 1, ack: 0, receipt: 1 } as const satisfies Record<DownMessage, Qos>;

/** What a device listens to: its own messages by exact name, and which receivers are there. */
export const deviceFilters = (device: string): Readonly<Record<string, Qos>> => ({
  ...Object.fromEntries(downMessages.map((name) => [downTopic(device, name), downQos[name]])),
  [`${PREFIX}/${RECEIVERS}/+/state`]: 1,
});

/** What a receiver listens to: everything that devices say, and the chunks meant for it. */
export const receiverFilters = (receiver: string): Readonly<Record<string, Qos>> => ({
  [`${PREFIX}/+/up/#`]: 1,
  [`${PREFIX}/${RECEIVERS}/${receiver}/in/+`]: 0,
});

/** What a device listens to for triggers: commands to it, and the notices of its peers, all by exact name. */
export const triggerFilters = (
  device: string,
  peers: readonly string[],
): Readonly<Record<string, Qos>> => ({
  [commandTopic(device)]: 1,
  ...Object.fromEntries(peers.map((peer) => [peerTopic(peer), 1 as const])),
});
