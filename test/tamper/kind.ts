import type { Problem, VerdictState } from '../../src/evidence/verdict.js';
import type { Random } from './random.js';
import type { Site } from './site.js';

/** What must be found. */
export interface Hit {
  /** The file that must be named, as problems name files. */
  readonly file: string;
  /** A second one that must be named too. */
  readonly alsoFile?: string;
}

/** One way to spoil evidence, and the name that the verifier must give it. */
export interface TamperKind {
  readonly name: string;
  readonly on: 'card' | 'store';
  /** The answer as a whole. */
  readonly state: Exclude<VerdictState, 'ok'>;
  /** The right words for it: one of these must stand at the file. */
  readonly what: readonly Problem['what'][];
  /** True when the entry of the log that says so must be named. */
  readonly hasEntry?: boolean;
  /** True when somebody outside has kept a checkpoint of the log, and the verifier is given it. */
  readonly hasWitness?: boolean;
  spoil(site: Site, random: Random): Promise<Hit>;
}
