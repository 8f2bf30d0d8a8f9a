import { decodePayload, formatEnvelope, parseEnvelope, pae } from '../../src/evidence/dsse.js';
import type { Database } from '../../src/storage/database.js';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fastSigner } from '../support/fast-signer.js';
import { receiptFor } from './ground.js';
import type { TamperKind } from './kind.js';
import { stemOf } from './site.js';
import type { Part, Site } from './site.js';
import type { Random } from './random.js';

const DATABASE = 'lapel.db';
const HOUR_MS = 3_600_000;

interface Entry {
  readonly id: number;
  readonly type: string;
  readonly envelope: string;
  readonly leaf: Buffer;
}

const entriesOf = (db: Database): readonly Entry[] =>
  db.all('SELECT id, type, envelope, leaf FROM entries ORDER BY id') as unknown as Entry[];

const bodyOf = ({ envelope }: Entry): Record<string, unknown> =>
  JSON.parse(decodePayload(parseEnvelope(envelope)).toString('utf8')) as Record<string, unknown>;

/** Whoever drops entries drops what the card itself keeps of the log's state, too. */
function dropFrom(db: Database, id: number): void {
  db.run('DELETE FROM entries WHERE id >= ?', id);
  db.run('DELETE FROM checkpoints WHERE size >= ?', id);
  db.run('DELETE FROM log_nodes');
}

/** The number of the first entry of the newest hour. */
function newestHour(db: Database): number {
  const entries = entriesOf(db);
  const newest = entries.at(-1);
  if (newest === undefined) throw new Error('the log is empty');
  const { boot, mono } = bodyOf(newest) as { boot: number; mono: number };
  const first = entries.find((entry) => {
    const body = bodyOf(entry) as { boot: number; mono: number };
    return body.boot === boot && body.mono > mono - HOUR_MS;
  });
  return first?.id ?? newest.id;
}

const whereOf = ({ boot, rec, seq }: Part): readonly number[] => [boot, rec, seq];
const ROW = 'boot = ? AND rec = ? AND seq = ?';

const catalogChange = (
  name: string,
  what: TamperKind['what'],
  change: (db: Database, part: Part, site: Site, random: Random) => void,
  state: TamperKind['state'] = 'not-ok',
): TamperKind => ({
  name,
  on: 'card',
  state,
  what,
  spoil: (site, random) => {
    const part = random.pick(site.parts);
    site.database((db) => {
      change(db, part, site, random);
    });
    return Promise.resolve({ file: DATABASE });
  },
});

const logChange = (
  name: string,
  what: TamperKind['what'],
  change: (db: Database, random: Random) => void,
  more: Partial<Pick<TamperKind, 'state' | 'hasEntry' | 'hasWitness'>> & { file?: string } = {},
): TamperKind => {
  const { file = 'log', ...rest } = more;
  return {
    ...{ name, on: 'card', state: 'not-ok', what, ...rest },
    spoil: (site, random) => {
      site.database((db) => {
        change(db, random);
      });
      return Promise.resolve({ file });
    },
  };
};

const checkpointsOf = (db: Database): readonly { size: number; note: string }[] =>
  db.all('SELECT size, note FROM checkpoints') as unknown as { size: number; note: string }[];

const replaceDatabase = async (site: Site, from: string): Promise<void> => {
  const bytes = await readFile(path.join(site.ground.root, from, DATABASE));
  await writeFile(path.join(site.root, DATABASE), bytes);
};

function flipText(text: string, random: Random): string {
  const bytes = Buffer.from(text, 'latin1');
  const at = random.whole(0, bytes.length);
  // Of the seven lower bits: a text with other bytes is no text of SQLite any more, which shows by itself.
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.whole(0, 7));
  return bytes.toString('latin1');
}

function setEnvelope(db: Database, id: number, envelope: string): void {
  db.run('UPDATE entries SET envelope = ? WHERE id = ?', envelope, id);
}

const missing: readonly TamperKind[] = [
  {
    name: 'a segment dropped',
    on: 'card',
    state: 'ok-with-missing',
    what: ['missing'],
    spoil: async (site, random) => {
      const part = site.middle(random);
      await site.removePart(part);
      return { file: `${stemOf(part)}.dsse` };
    },
  },
  {
    name: 'the last segment dropped',
    on: 'card',
    state: 'ok-with-missing',
    what: ['missing'],
    hasEntry: true,
    spoil: async (site, random) => {
      const part = random.pick(site.parts.filter(({ isLast }) => isLast));
      await site.removePart(part);
      return { file: `${stemOf(part)}.dsse` };
    },
  },
  {
    name: 'the last segment dropped, in the store',
    on: 'store',
    state: 'ok-with-missing',
    what: ['missing'],
    spoil: async (site, random) => {
      const part = random.pick(site.parts.filter(({ isLast, seq }) => isLast && seq > 0));
      await site.removePart(part);
      return { file: `${stemOf({ ...part, seq: part.seq - 1 })}.dsse` };
    },
  },
  {
    name: 'a recording dropped, and from the catalog',
    on: 'card',
    state: 'ok-with-missing',
    what: ['missing'],
    hasEntry: true,
    spoil: async (site, random) => {
      const { boot, rec } = random.pick(site.parts);
      await site.remove(`${boot}/${rec}`);
      site.database((db) => {
        db.run('DELETE FROM segments WHERE boot = ? AND rec = ?', boot, rec);
      });
      return { file: `${boot}/${rec}/0.dsse` };
    },
  },
  {
    name: 'everything dropped but the database',
    on: 'card',
    state: 'ok-with-missing',
    what: ['missing'],
    hasEntry: true,
    spoil: async (site) => {
      for (const { boot, rec } of site.parts.filter(({ seq }) => seq === 0)) {
        await site.remove(`${boot}/${rec}`);
      }
      return { file: '1/1/0.dsse', alsoFile: '2/2/1.dsse' };
    },
  },
];

const LOG = 'log';

const entries: readonly TamperKind[] = [
  logChange(
    'a bit of a log entry',
    ['malformed', 'bad-signature'],
    (db, random) => {
      const { id, envelope } = random.pick(entriesOf(db));
      setEnvelope(db, id, flipText(envelope, random));
    },
    { hasEntry: true },
  ),
  logChange(
    'a bit of a leaf of the log',
    ['changed'],
    (db, random) => {
      const { id, leaf } = random.pick(entriesOf(db));
      const at = random.whole(0, leaf.length);
      leaf[at] = (leaf[at] ?? 0) ^ (1 << random.whole(0, 8));
      db.run('UPDATE entries SET leaf = ? WHERE id = ?', leaf, id);
    },
    { file: DATABASE, hasEntry: true },
  ),
  logChange(
    'an entry signed by another key',
    ['bad-signature'],
    (db, random) => {
      const { id, envelope: text } = random.pick(entriesOf(db));
      const envelope = parseEnvelope(text);
      const stranger = fastSigner();
      const sig = stranger.sign(pae(envelope.payloadType, decodePayload(envelope)));
      const signatures = [{ keyid: stranger.keyId, sig: sig.toString('base64') }];
      setEnvelope(db, id, formatEnvelope({ ...envelope, signatures }));
    },
    { hasEntry: true },
  ),
  logChange(
    'the wall time of a start in the log',
    ['bad-signature'],
    (db, random) => {
      const boot = random.pick(entriesOf(db).filter(({ type }) => type === 'boot'));
      const envelope = parseEnvelope(boot.envelope);
      const later = (ms: string): number => Number(ms) + random.whole(1, 9) * HOUR_MS;
      const body = decodePayload(envelope)
        .toString('utf8')
        .replace(/"wall_ms":(\d+)/, (_, ms: string) => `"wall_ms":${later(ms)}`);
      const payload = Buffer.from(body).toString('base64');
      setEnvelope(db, boot.id, formatEnvelope({ ...envelope, payload }));
    },
    { hasEntry: true },
  ),
  logChange(
    'a bit of a checkpoint',
    ['malformed', 'bad-signature', 'unknown-device'],
    (db, random) => {
      const { size, note } = random.pick(checkpointsOf(db));
      // Of the text that is signed and of the signature behind the name of the key: a changed name is another's signature.
      const start = random.pick([0, note.lastIndexOf(' ') + 8]);
      const end = start === 0 ? note.indexOf('\n\n') : note.length - 4;
      const changed = flipText(note.slice(start, end), random);
      const spoilt = note.slice(0, start) + changed + note.slice(end);
      db.run('UPDATE checkpoints SET note = ? WHERE size = ?', spoilt, size);
    },
    { file: 'checkpoint' },
  ),
];

const order: readonly TamperKind[] = [
  logChange(
    'an entry dropped from the middle of the log',
    ['missing'],
    (db, random) => {
      db.run('DELETE FROM entries WHERE id = ?', random.whole(2, entriesOf(db).length - 1));
    },
    { file: DATABASE, hasEntry: true },
  ),
  logChange('an entry dropped, the later ones numbered anew', ['forked'], (db, random) => {
    const all = entriesOf(db);
    const dropped = random.whole(2, all.length - 1);
    db.run('DELETE FROM entries WHERE id = ?', dropped);
    for (const { id } of all.filter((entry) => entry.id > dropped)) {
      db.run('UPDATE entries SET id = ? WHERE id = ?', id - 1, id);
    }
  }),
  logChange('two entries of the log swapped', ['forked'], (db, random) => {
    const [a, b] = random.pair(entriesOf(db));
    for (const [id, { type, envelope, leaf }] of [
      [a.id, b],
      [b.id, a],
    ] as const) {
      db.run(
        'UPDATE entries SET type = ?, envelope = ?, leaf = ? WHERE id = ?',
        ...[type, envelope, leaf, id],
      );
    }
  }),
  logChange(
    'an old entry of the log said again',
    ['broken-chain', 'contradiction'],
    (db, random) => {
      const { type, envelope, leaf } = random.pick(entriesOf(db));
      db.run('INSERT INTO entries (type, envelope, leaf) VALUES (?, ?, ?)', type, envelope, leaf);
    },
    { hasEntry: true },
  ),
];

/** Drops the newest hour, and with it what the card itself has signed over it, or not. */
const newestHourOf = (name: string, isThorough: boolean): TamperKind =>
  logChange(
    name,
    ['rolled-back'],
    (db) => {
      const first = newestHour(db);
      if (isThorough) dropFrom(db, first);
      else db.run('DELETE FROM entries WHERE id >= ?', first);
    },
    { hasEntry: true, hasWitness: isThorough },
  );

const rollbacks: readonly TamperKind[] = [
  newestHourOf('the newest hour of the log dropped', false),
  newestHourOf('the newest hour dropped with its checkpoints, against one kept elsewhere', true),
  logChange(
    'the log of the newest start dropped',
    ['missing'],
    (db) => {
      const first = entriesOf(db).find((entry) => bodyOf(entry)['boot'] === 2);
      dropFrom(db, first?.id ?? 1);
    },
    { state: 'ok-with-missing' },
  ),
  {
    name: 'the log rolled back to an older one, the footage kept',
    on: 'card',
    state: 'ok-with-missing',
    what: ['missing'],
    spoil: async (site) => {
      await replaceDatabase(site, 'old-card');
      return { file: LOG };
    },
  },
  {
    name: 'an old image of the card replayed, against a checkpoint kept elsewhere',
    on: 'card',
    state: 'not-ok',
    what: ['rolled-back'],
    hasWitness: true,
    spoil: async (site) => {
      await site.remove('2');
      await replaceDatabase(site, 'old-card');
      return { file: LOG };
    },
  },
  {
    name: 'the log of another camera',
    on: 'card',
    state: 'not-ok',
    what: ['wrong-place', 'bad-signature'],
    spoil: async (site) => {
      await replaceDatabase(site, 'other-card');
      return { file: LOG };
    },
  },
];

const catalog: readonly TamperKind[] = [
  catalogChange(
    'the size of a segment in the catalog',
    ['contradiction'],
    (db, part, _site, random) => {
      db.run(
        `UPDATE segments SET bytes = bytes - ? WHERE ${ROW}`,
        random.whole(1, 1000),
        ...whereOf(part),
      );
    },
  ),
  catalogChange('the ending of a segment in the catalog', ['contradiction'], (db, part) => {
    db.run(`UPDATE segments SET ending = 'stall' WHERE ${ROW}`, ...whereOf(part));
  }),
  catalogChange('the digest of a segment in the catalog', ['contradiction'], (db, part) => {
    db.run(`UPDATE segments SET digest = ? WHERE ${ROW}`, 'ab'.repeat(32), ...whereOf(part));
  }),
  catalogChange(
    'the manifest of another segment in the catalog',
    ['contradiction'],
    (db, part, site, random) => {
      const other = random.pick(site.parts.filter((candidate) => candidate !== part));
      const row = db.get(`SELECT manifest FROM segments WHERE ${ROW}`, ...whereOf(other));
      const manifest = row?.['manifest'] ?? '';
      db.run(`UPDATE segments SET manifest = ? WHERE ${ROW}`, manifest, ...whereOf(part));
    },
  ),
  catalogChange(
    'a bit of a manifest in the catalog',
    ['contradiction'],
    (db, part, _site, random) => {
      const row = db.get(`SELECT manifest FROM segments WHERE ${ROW}`, ...whereOf(part));
      const manifest = flipText(String(row?.['manifest']), random);
      db.run(`UPDATE segments SET manifest = ? WHERE ${ROW}`, manifest, ...whereOf(part));
    },
  ),
  catalogChange(
    'a row of the catalog dropped',
    ['missing'],
    (db, part) => {
      db.run(`DELETE FROM segments WHERE ${ROW}`, ...whereOf(part));
    },
    'ok-with-missing',
  ),
  {
    name: 'a receipt forged into the catalog',
    on: 'card',
    state: 'not-ok',
    what: ['bad-signature'],
    spoil: (site, random) => {
      const part = random.pick(site.parts);
      site.database((db) => {
        const row = db.get(`SELECT manifest FROM segments WHERE ${ROW}`, ...whereOf(part));
        const manifest = parseEnvelope(String(row?.['manifest']));
        const receipt = formatEnvelope(receiptFor('cam-1', part, manifest, fastSigner()));
        db.run(`UPDATE segments SET receipt = ? WHERE ${ROW}`, receipt, ...whereOf(part));
      });
      return Promise.resolve({ file: DATABASE });
    },
  },
];

/** What is done to the card's records: log and catalog, and what is missing by their word. */
export const recordKinds: readonly TamperKind[] = [
  ...missing,
  ...entries,
  ...order,
  ...rollbacks,
  ...catalog,
];
