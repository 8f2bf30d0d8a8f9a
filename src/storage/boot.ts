import type { Clock } from '../clock.js';
import type { AgeRecipient } from '../evidence/age-recipients.js';
import type { Signer } from '../evidence/signer.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import type { Logger } from '../log.js';
import type { CardLayout } from './layout.js';
import type { MetadataSource } from './segment-facts.js';

/** Who writes: constant from the start of the process to its end. */
export interface BootIdentity {
  readonly device: string;
  readonly boot: number;
  /** The session key of this boot, certified by the device key in `<boot>/session.dsse`. */
  readonly signer: Signer;
  readonly recipients: readonly AgeRecipient[];
  /** Hex SHA-256 of the configuration in force and of the program that runs. */
  readonly configDigest: string;
  readonly firmwareDigest: string;
}

/** What every part of storage works with. */
export interface BootContext {
  readonly identity: BootIdentity;
  readonly fs: FileSystem;
  readonly layout: CardLayout;
  readonly clock: Clock;
  readonly log: Logger;
  /** What is sealed beside the pictures and marks; nothing without it. */
  readonly metadata?: MetadataSource;
}
