import { copyFile, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseCheckpoint } from '../../../src/evidence/checkpoint.js';
import { parseEnvelope } from '../../../src/evidence/dsse.js';
import { entryLeaf } from '../../../src/evidence/log-entry.js';
import { openConsistency, openInclusion, parseInclusion } from '../../../src/evidence/log-proof.js';
import { HASH_BYTES, leafHash, rootOfLeaves } from '../../../src/evidence/merkle-tree.js';
import { toSpkiBase64 } from '../../../src/evidence/public-key.js';
import { decodeBundle, parseTilePath } from '../../../src/evidence/tiles.js';
import { emptyTrust, withDevice } from '../../../src/evidence/trust.js';
import { LogVerifier } from '../../../src/evidence/verify-log.js';
import { parseRecipient, recipientOf } from '../../../src/evidence/age-recipients.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { checkpoint, prove, show, tiles } from '../../../src/cli/log.js';
import type { Options } from '../../../src/cli/options.js';
import { openCard } from '../../../src/storage/card.js';
import type { Card } from '../../../src/storage/card.js';
import { DEVICE, newDevice, silent } from '../../support/boot-fixture.js';
import { memoryOutput } from '../../support/memory-output.js';
import { rejectsWith } from '../../support/reject-code.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

interface Bench {
  readonly root: string;
  readonly directory: string;
  readonly key: Buffer;
  readonly start: () => Promise<Card>;
}

async function bench(t: ExecutionContext): Promise<Bench> {
  const root = await temporaryDirectory(t);
  const directory = path.join(root, 'card');
  const device = newDevice();
  return {
    ...{ root, directory, key: device.deviceKey.publicKey },
    start: () =>
      openCard(
        { fs: new NodeFileSystem(), clock: new SimClock(5000), log: silent },
        {
          ...{ card: directory, device: DEVICE, deviceKey: device.deviceKey },
          recipients: [parseRecipient(recipientOf(device.identity))],
          ...{ configDigest: 'c0'.repeat(32), firmwareDigest: 'f0'.repeat(32) },
          ...{ reserveBytes: 1, onSealed: () => undefined },
        },
      ),
  };
}

/** Durable with the next checkpoint, or when the card is closed: the clock of these tests stands. */
function beats(card: Card, count: number): void {
  for (let beat = 1; beat <= count; beat += 1) {
    const fact = { type: 'heartbeat', beat, mode: 'buffering', isDocked: false } as const;
    void card.journal.record({ ...fact, freeBytes: 5 });
  }
}

async function text(
  verb: typeof show,
  args: readonly string[],
  options: Options = {},
): Promise<string> {
  const output = memoryOutput();
  await verb(args, options, output);
  return output.text();
}

async function json<T>(
  verb: typeof show,
  args: readonly string[],
  options: Options = {},
): Promise<T> {
  const output = memoryOutput({ isJson: true });
  await verb(args, options, output);
  return JSON.parse(output.text()) as T;
}

interface Shown {
  readonly size: number;
  readonly found: number;
  readonly entries: readonly {
    index: number;
    type: string;
    boot: number;
    wall_ms: number | null;
  }[];
}

test('log show prints an entry a line, the newest last, and what fits for programs', async (t) => {
  const { directory, start } = await bench(t);
  const card = await start();
  void card.journal.record({ type: 'fault', code: 'storage/io', detail: 'the card is slow' });
  await card.close('stopped');
  await (await start()).close('stopped');
  const lines = (await text(show, [directory])).trimEnd().split('\n');
  t.is(lines.length, 1 + 7 + 1);
  t.regex(lines[0] ?? '', /entry {2}boot {2}time of the camera/);
  t.regex(lines[1] ?? '', /^ {6}0 {5}1 {2}\d{4}-\d\d-\d\dT\S+Z {2}boot {13}fw=f0f0f0f0f0f0…/);
  t.regex(lines[3] ?? '', /fault +code=storage\/io detail="the card is slow"/);
  t.is(lines.at(-1), '7 of 7 entries fit');
  const all = await json<Shown>(show, [directory]);
  t.is(all.size, 7);
  t.deepEqual(
    all.entries.map(({ index, type, boot }) => `${index} ${type} ${boot}`),
    [
      '0 boot 1',
      '1 session-key 1',
      '2 fault 1',
      '3 end 1',
      '4 boot 2',
      '5 session-key 2',
      '6 end 2',
    ],
  );
  const ends = await json<Shown>(show, [directory], { type: ['end', 'fault'], boot: '1' });
  t.deepEqual(
    ends.entries.map(({ type }) => type),
    ['fault', 'end'],
  );
  const last = await json<Shown>(show, [directory], { limit: '2' });
  t.deepEqual([last.found, last.entries.length, last.entries[0]?.index], [7, 2, 5]);
  t.regex(await text(show, [directory], { limit: '2' }), /5 earlier ones are not shown/);
  const early = await json<Shown>(show, [directory], { until: '1999-01-01T00:00Z' });
  t.is(early.found, 0);
});

test('log checkpoint prints the signed note, also while the camera writes, and writes nothing to the card', async (t) => {
  const { directory, key, start } = await bench(t);
  const card = await start();
  beats(card, 3);
  const before = await readdir(directory);
  const first = await text(checkpoint, [directory]);
  t.is(parseCheckpoint(first).size, 2, 'made when the card was opened');
  const made = await card.checkpoint();
  t.is(await text(checkpoint, [directory]), made);
  t.is(parseCheckpoint(made).size, 5);
  const found = await json<{ checkpoint: { size: number; note: string }; entriesSince: number }>(
    ...([checkpoint, [directory], { size: '4' }] as const),
  );
  t.deepEqual([found.checkpoint.size, found.entriesSince, found.checkpoint.note], [2, 3, first]);
  t.deepEqual(await readdir(directory), before);
  await card.close();
  t.truthy(key);
});

test('log prove: an entry and the growth of the log are proven to whoever has the device key only', async (t) => {
  const { root, directory, key, start } = await bench(t);
  const card = await start();
  beats(card, 10);
  const kept = path.join(root, 'kept');
  await writeFile(kept, await card.checkpoint());
  beats(card, 300);
  await card.close('stopped');
  const proof = await text(prove, [directory], { entry: '7' });
  const { extra } = parseInclusion(proof);
  const leaf = entryLeaf(parseEnvelope((extra ?? Buffer.alloc(0)).toString()));
  t.is(openInclusion(proof, leaf, DEVICE, [key]).index, 7);
  const grown = await text(prove, [directory], { since: kept });
  const old = parseCheckpoint(await readFile(kept, 'utf8'));
  t.is(openConsistency(grown, old, DEVICE, [key]).size, 313);
  const facts = await json<{ kind: string; proof: string[]; text: string }>(prove, [directory], {
    since: kept,
  });
  t.deepEqual([facts.kind, facts.text], ['consistency', grown]);
  t.true(facts.proof.every((hash) => /^[0-9a-f]{64}$/.test(hash)));
  const output = memoryOutput();
  await rejectsWith(t, 'cli/usage', () => prove([directory], { entry: '313' }, output));
  await rejectsWith(t, 'cli/usage', () => prove([directory], {}, output));
  await rejectsWith(t, 'cli/usage', () => prove([directory], { entry: '1', since: kept }, output));
  await rejectsWith(t, 'storage/not-found', () => prove([directory], { segment: '1/1/0' }, output));
});

test('log prove: a card that was put back to an older state does not continue a checkpoint of the newer one', async (t) => {
  const { root, directory, start } = await bench(t);
  await (await start()).close('stopped');
  const image = path.join(root, 'image');
  await mkdir(image);
  await copyFile(path.join(directory, 'lapel.db'), path.join(image, 'lapel.db'));
  const card = await start();
  beats(card, 5);
  const kept = path.join(root, 'kept');
  await writeFile(kept, await card.checkpoint());
  await card.close('stopped');
  const output = memoryOutput();
  const error = await rejectsWith(t, 'evidence/not-proven', () =>
    prove([image], { since: kept }, output),
  );
  t.regex(error.message, /it was rolled back/);
  t.is(
    parseCheckpoint(
      await text(prove, [directory], { since: kept }).then((it) =>
        it.slice(it.indexOf('\n\n') + 2),
      ),
    ).size,
    11,
  );
});

test('log tiles: whoever reads only the layout of C2SP comes to the root of the checkpoint, and to every envelope', async (t) => {
  const { root, directory, key, start } = await bench(t);
  const card = await start();
  beats(card, 300);
  await card.close('stopped');
  const out = path.join(root, 'tiles');
  await tiles([directory], { out }, memoryOutput());
  const note = await readFile(path.join(out, 'checkpoint'), 'utf8');
  const head = parseCheckpoint(note);
  t.is(head.size, 303);
  const read = (name: string): Promise<Buffer> => readFile(path.join(out, name));
  const leaves = Buffer.concat([await read('tile/0/000'), await read('tile/0/001.p/47')]);
  t.is(leaves.length, 303 * HASH_BYTES);
  t.deepEqual(rootOfLeaves(leaves), head.root);
  t.deepEqual(await read('tile/1/000.p/1'), rootOfLeaves(await read('tile/0/000')));
  const bundled = [await read('tile/entries/000'), await read('tile/entries/001.p/47')].flatMap(
    decodeBundle,
  );
  t.deepEqual(Buffer.concat(bundled.map((entry) => leafHash(entry))), leaves);
  const names = await readdir(out, { recursive: true });
  for (const name of names.filter(
    (it) => /^tile\/.*\/(?:\d{3}|\d+)$/.test(it) && !it.endsWith('.p'),
  )) {
    if (/\/x?\d{3}(?:\.p\/\d+)?$/.test(name)) t.truthy(parseTilePath(name), name);
  }
  const verifier = new LogVerifier({
    trust: withDevice(emptyTrust(), DEVICE, toSpkiBase64(key)),
    sessions: new Map([[1, await readFile(path.join(out, '1/session.dsse'), 'utf8')]]),
    checkpoints: [{ name: 'checkpoint', note }],
  });
  const lines = (await readFile(path.join(out, 'entries.ndjson'), 'utf8')).trimEnd().split('\n');
  for (const line of lines) verifier.push(line);
  t.is(verifier.end().state, 'ok');
  await rejectsWith(t, 'cli/usage', () => tiles([directory], { out }, memoryOutput()));
});

test('a directory without a log, and an option that is no number or time, are told', async (t) => {
  const { root, directory, start } = await bench(t);
  await (await start()).close();
  const output = memoryOutput();
  await rejectsWith(t, 'storage/not-found', () => show([root], {}, output));
  await rejectsWith(t, 'cli/usage', () => show([directory], { limit: 'x' }, output));
  await rejectsWith(t, 'cli/usage', () => show([directory], { since: 'x' }, output));
});
