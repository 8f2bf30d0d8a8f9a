import { cp, readFile, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openDatabase } from '../../src/storage/database.js';
import type { Database } from '../../src/storage/database.js';
import type { Ground } from './ground.js';
import type { Random } from './random.js';

/** One part of the evidence: where its files stand. */
export interface Part {
  readonly boot: number;
  readonly rec: number;
  readonly seq: number;
  /** True for the last of its recording. */
  readonly isLast: boolean;
}

/** The path of a part's files below the evidence, without their endings. */
export const stemOf = ({ boot, rec, seq }: Part): string => `${boot}/${rec}/${seq}`;

/** A copy of a card or of a store that a try may spoil, and the few things that spoil it. */
export class Site {
  readonly ground: Ground;
  /** The card or the device's folder of the store. */
  readonly root: string;
  /** Directory that holds the boots. */
  readonly evidence: string;
  readonly parts: readonly Part[];

  private constructor(ground: Ground, root: string, evidence: string, parts: readonly Part[]) {
    this.ground = ground;
    this.root = root;
    this.evidence = evidence;
    this.parts = parts;
  }

  static async make(ground: Ground, kind: 'card' | 'store', to: string): Promise<Site> {
    const root = kind === 'card' ? to : path.join(to, 'cam-1');
    const from = kind === 'card' ? 'card' : 'store/cam-1';
    await cp(path.join(ground.root, from), root, { recursive: true });
    const evidence = kind === 'card' ? path.join(root, 'ev') : root;
    return new Site(ground, root, evidence, await partsOf(evidence));
  }

  file(name: string): string {
    return path.join(this.evidence, name);
  }

  read(name: string): Promise<Buffer> {
    return readFile(this.file(name));
  }

  write(name: string, bytes: Buffer | string): Promise<void> {
    return writeFile(this.file(name), bytes);
  }

  async edit(name: string, change: (bytes: Buffer) => Buffer | string): Promise<void> {
    await this.write(name, change(await this.read(name)));
  }

  /** Turns one random bit. */
  flip(name: string, random: Random): Promise<void> {
    return this.edit(name, (bytes) => {
      const at = random.whole(0, bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.whole(0, 8));
      return bytes;
    });
  }

  cut(name: string, bytes: number): Promise<void> {
    return truncate(this.file(name), bytes);
  }

  async swap(a: string, b: string): Promise<void> {
    const aside = this.file('aside');
    await rename(this.file(a), aside);
    await rename(this.file(b), this.file(a));
    await rename(aside, this.file(b));
  }

  remove(name: string): Promise<void> {
    return rm(this.file(name), { recursive: true });
  }

  /** Removes every file of a part. */
  async removePart(part: Part): Promise<void> {
    const directory = path.dirname(stemOf(part));
    for (const name of await readdir(this.file(directory))) {
      if (name.startsWith(`${part.seq}.`)) await this.remove(path.join(directory, name));
    }
  }

  /** Puts a file of the other camera, or of the older card, in the place of one of these. */
  async bring(from: string, name: string): Promise<void> {
    await cp(path.join(this.ground.root, from), this.file(name), { recursive: true });
  }

  /** Changes the card's database as whoever holds the card can. */
  database(change: (db: Database) => void): void {
    const db = openDatabase(path.join(this.root, 'lapel.db'));
    try {
      change(db);
    } finally {
      db.close();
    }
  }

  /** Turns a random bit somewhere in a text that stands in the raw bytes of the database. */
  async flipInDatabase(text: string, random: Random): Promise<void> {
    const file = path.join(this.root, 'lapel.db');
    const bytes = await readFile(file);
    // SQLite keeps a long text in parts on several pages: the first bytes of it lie together.
    const start = bytes.indexOf(text.slice(0, 64), 0, 'latin1');
    if (start < 0) throw new Error('the text is not in the database');
    const at = start + random.whole(0, 64);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.whole(0, 8));
    await writeFile(file, bytes);
  }

  /** A part that is not the only one of its recording and not the last. */
  middle(random: Random): Part {
    return random.pick(this.parts.filter(({ isLast }) => !isLast));
  }
}

async function partsOf(evidence: string): Promise<readonly Part[]> {
  const names = await readdir(evidence, { recursive: true });
  const found = names
    .flatMap((name) => {
      const [, boot, rec, seq] = /^(\d+)\/(\d+)\/(\d+)\.dsse$/.exec(name) ?? [];
      return seq === undefined ? [] : [{ boot: Number(boot), rec: Number(rec), seq: Number(seq) }];
    })
    .sort((a, b) => a.boot - b.boot || a.rec - b.rec || a.seq - b.seq);
  return found.map((part) => ({
    ...part,
    isLast: !found.some(
      (next) => next.boot === part.boot && next.rec === part.rec && next.seq > part.seq,
    ),
  }));
}
