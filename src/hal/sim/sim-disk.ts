import path from 'node:path';

/** The smallest step that a disk can be between; what a step is to a FileSystem is what an operation is to a person. */
export type DiskStep =
  | { readonly kind: 'make-directory'; readonly path: string }
  /** A new empty file; takes the name over when there was one. `file` names it from then on, whatever its path. */
  | {
      readonly kind: 'create';
      readonly path: string;
      readonly file: number;
      readonly mode: number;
    }
  | {
      readonly kind: 'write';
      readonly path: string;
      readonly file: number;
      readonly offset: number;
      readonly bytes: Buffer;
    }
  | { readonly kind: 'sync'; readonly path: string; readonly file: number }
  /** A sync that fails: what it should have made durable is forgotten, as Linux does (pages are marked clean). */
  | { readonly kind: 'fail-sync'; readonly path: string; readonly file: number }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  /** Takes the name away; what is open stays readable. */
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'sync-directory'; readonly path: string };

/**
 * Which writes and names that nobody had synced are found after a power cut. `none`: the card had written nothing
 * back. `all`: it had written everything (what killing the process alone leaves). `random`: in any order, each name or
 * not, each write as a whole, not at all, or some of its sectors; one lost before one that was kept reads as zeros.
 * `torn`: everything, but the very last write stops inside.
 */
export type CutMode =
  { readonly keeps: 'none' | 'all' } | { readonly keeps: 'random' | 'torn'; readonly seed: number };

/** What a card writes as a whole or not at all. */
const SECTOR_BYTES = 512;

/** Bytes that grow. Gaps read as zeros. */
class Content {
  #bytes = Buffer.alloc(0);
  #length = 0;

  write(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    if (end > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(end, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, offset);
    this.#length = Math.max(this.#length, end);
  }

  /** A view, valid until the next write. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}

interface UnsyncedWrite {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** A file as the running system sees it, as the medium holds it, and what lies between the two. */
export class SimFile {
  readonly kind = 'file';
  readonly id: number;
  readonly mode: number;
  readonly cached = new Content();
  readonly durable = new Content();
  unsynced: UnsyncedWrite[] = [];

  constructor(id: number, mode: number) {
    this.id = id;
    this.mode = mode;
  }
}

export class SimDirectory {
  readonly kind = 'directory';
  readonly cached = new Map<string, SimFile | SimDirectory>();
  durable = new Map<string, SimFile | SimDirectory>();
}

export type SimNode = SimFile | SimDirectory;

/** One change of names, whole or not at all on the medium: a rename is two edits that belong together. */
interface NameChange {
  edits: readonly {
    readonly directory: SimDirectory;
    readonly name: string;
    readonly node: SimNode | undefined;
  }[];
}

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A disk with a volatile cache, in memory.
 *
 * INVARIANTS
 * 1. What `sync` or `sync-directory` has covered is durable and survives every cut; nothing else is promised to.
 * 2. The same steps give the same disk, and the same cut of it the same remains: a failing case can be replayed.
 */
export class SimDisk {
  readonly root = new SimDirectory();
  readonly #files = new Map<number, SimFile>();
  readonly #unlinked = new Set<SimNode>();
  /** In order of time. */
  #names: NameChange[] = [];
  #lastWrite: { readonly file: SimFile; readonly write: UnsyncedWrite } | undefined;

  /** The disk after these steps. */
  static replay(steps: Iterable<DiskStep>): SimDisk {
    const disk = new SimDisk();
    for (const step of steps) disk.apply(step);
    return disk;
  }

  /** The file or directory of an absolute path, as the running system sees it. */
  find(location: string): SimNode | undefined {
    let node: SimNode | undefined = this.root;
    for (const name of path.posix.resolve('/', location).split('/')) {
      if (name === '') continue;
      node = node?.kind === 'directory' ? node.cached.get(name) : undefined;
    }
    return node;
  }

  /** The directory that holds a path, when there is one. */
  parent(location: string): SimDirectory | undefined {
    const node = this.find(path.posix.dirname(path.posix.resolve('/', location)));
    return node?.kind === 'directory' ? node : undefined;
  }

  /** Bytes in all files, those that were replaced included: their space is free only after a start. */
  get usedBytes(): number {
    let sum = 0;
    for (const file of this.#files.values()) {
      if (!this.#unlinked.has(file)) sum += file.cached.view().length;
    }
    return sum;
  }

  /** Number of the newest file that a `create` step has made; 0 when there is none. */
  get newestFile(): number {
    return Math.max(0, ...this.#files.keys());
  }

  /** Throws Error for a step that does not fit the disk: the file system above has to check first. */
  apply(step: DiskStep): void {
    switch (step.kind) {
      case 'make-directory':
        this.#change([this.#edit(step.path, new SimDirectory())]);
        return;
      case 'create': {
        const file = new SimFile(step.file, step.mode);
        this.#files.set(step.file, file);
        this.#change([this.#edit(step.path, file)]);
        return;
      }
      case 'rename': {
        const node = this.find(step.path);
        if (node === undefined) throw new Error(`no ${step.path} to rename`);
        this.#change([this.#edit(step.to, node), this.#edit(step.path, undefined)]);
        return;
      }
      case 'unlink':
        this.#unlink(step.path);
        return;
      case 'sync-directory':
        this.#syncDirectory(step.path);
        return;
      case 'write': {
        const file = this.#file(step.file);
        const write = { offset: step.offset, bytes: step.bytes };
        file.cached.write(write.bytes, write.offset);
        file.unsynced.push(write);
        this.#lastWrite = { file, write };
        return;
      }
      case 'sync': {
        const file = this.#file(step.file);
        for (const { bytes, offset } of file.unsynced) file.durable.write(bytes, offset);
        file.unsynced = [];
        return;
      }
      case 'fail-sync':
        this.#file(step.file).unsynced = [];
    }
  }

  /** What a start after a power cut finds. This disk is left as it is. */
  cut(mode: CutMode): SimDisk {
    const random = randomFrom('seed' in mode ? mode.seed : 0);
    const names = new Map<SimDirectory, Map<string, SimNode>>();
    const namesOf = (directory: SimDirectory): Map<string, SimNode> => {
      const known = names.get(directory) ?? new Map(directory.durable);
      names.set(directory, known);
      return known;
    };
    for (const { edits } of this.#names) {
      if (mode.keeps === 'none' || (mode.keeps === 'random' && random() < 0.5)) continue;
      for (const { directory, name, node } of edits) {
        if (node === undefined) namesOf(directory).delete(name);
        else namesOf(directory).set(name, node);
      }
    }
    const after = new SimDisk();
    const copies = new Map<SimNode, SimNode>([[this.root, after.root]]);
    const copyInto = (from: SimDirectory, to: SimDirectory): void => {
      for (const [name, node] of namesOf(from)) {
        const known = copies.get(node);
        const copy = known ?? (node.kind === 'file' ? this.#left(node, mode, random) : undefined);
        const made = copy ?? new SimDirectory();
        copies.set(node, made);
        to.cached.set(name, made);
        to.durable.set(name, made);
        if (made.kind === 'file') after.#files.set(made.id, made);
        else if (known === undefined && node.kind === 'directory') copyInto(node, made);
      }
    };
    copyInto(this.root, after.root);
    return after;
  }

  /** What is left of one file. */
  #left(file: SimFile, mode: CutMode, random: () => number): SimFile {
    const left = new SimFile(file.id, file.mode);
    left.durable.write(file.durable.view(), 0);
    for (const write of file.unsynced) {
      const isLast = this.#lastWrite?.write === write;
      for (const { bytes, offset } of survivorsOf(write, isLast, mode, random)) {
        left.durable.write(bytes, offset);
      }
    }
    left.cached.write(left.durable.view(), 0);
    return left;
  }

  #unlink(location: string): void {
    const node = this.find(location);
    if (node?.kind !== 'file') throw new Error(`no file ${location} to unlink`);
    this.#unlinked.add(node);
    this.#change([this.#edit(location, undefined)]);
  }

  #edit(location: string, node: SimNode | undefined): NameChange['edits'][number] {
    const directory = this.parent(location);
    if (directory === undefined) throw new Error(`no directory for ${location}`);
    return { directory, name: path.posix.basename(location), node };
  }

  #change(edits: NameChange['edits']): void {
    for (const { directory, name, node } of edits) {
      if (node === undefined) directory.cached.delete(name);
      else directory.cached.set(name, node);
    }
    this.#names.push({ edits });
  }

  /** A directory is synced as a whole; of a rename to or from another directory the other half stays open. */
  #syncDirectory(location: string): void {
    const directory = this.find(location);
    if (directory?.kind !== 'directory') throw new Error(`no directory ${location}`);
    directory.durable = new Map(directory.cached);
    for (const change of this.#names) {
      change.edits = change.edits.filter((edit) => edit.directory !== directory);
    }
    this.#names = this.#names.filter(({ edits }) => edits.length > 0);
  }

  #file(id: number): SimFile {
    const file = this.#files.get(id);
    if (file === undefined) throw new Error(`no file ${id}`);
    return file;
  }
}

/** What a cut leaves of one write that nobody had synced. */
function* survivorsOf(
  write: UnsyncedWrite,
  isLast: boolean,
  mode: CutMode,
  random: () => number,
): Iterable<UnsyncedWrite> {
  const { bytes, offset } = write;
  if (mode.keeps === 'none') return;
  if (mode.keeps === 'torn' && isLast) {
    yield { bytes: bytes.subarray(0, Math.floor(random() * bytes.length)), offset };
    return;
  }
  if (mode.keeps !== 'random') {
    yield write;
    return;
  }
  const fate = random();
  if (fate < 1 / 3) return;
  for (let at = 0; at < bytes.length;) {
    const take = Math.min(bytes.length - at, SECTOR_BYTES - ((offset + at) % SECTOR_BYTES));
    if (fate < 2 / 3 || random() < 0.5) {
      yield { bytes: bytes.subarray(at, at + take), offset: offset + at };
    }
    at += take;
  }
}
