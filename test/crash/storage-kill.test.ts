import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test from 'ava';
import { generateIdentity, parseRecipient } from '../../src/evidence/age-recipients.js';
import { CHUNK_BYTES } from '../../src/evidence/age-container.js';
import { verifyRecording } from '../../src/evidence/verify-recording.js';
import type { SegmentVerdict } from '../../src/evidence/verify-segment.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { SystemClock } from '../../src/hal/linux/system-clock.js';
import { openCard } from '../../src/storage/card.js';
import { openDatabase } from '../../src/storage/database.js';
import { readEntries } from '../../src/storage/device-log.js';
import { formatSegmentRef } from '../../src/units.js';
import { CONFIG_DIGEST, DEVICE, FIRMWARE_DIGEST, silent } from '../support/boot-fixture.js';
import { filesBelow, judge, segmentsOn } from '../support/card-fixture.js';
import { fastSigner } from '../support/fast-signer.js';
import type { Said } from '../support/kill-writer.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const KILLS = 10;
/** From the first durable fragment on; a recording of the child takes about a tenth of it. */
const KILL_AFTER_MS_MAX = 300;
const WRITER = path.join(import.meta.dirname, '../support/kill-writer.js');

/** Lets a process record, kills it at a random moment, and returns what it had said until then. */
async function recordUntilKilled(args: readonly string[]): Promise<readonly Said[]> {
  const child = spawn(process.execPath, [WRITER, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const said: Said[] = [];
  let timer: NodeJS.Timeout | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    // Lines are written whole: what the kill cut short was never said.
    const fact = JSON.parse(line) as Said;
    said.push(fact);
    if (fact.said !== 'durable') continue;
    timer ??= setTimeout(() => child.kill('SIGKILL'), randomInt(KILL_AFTER_MS_MAX));
  }
  const [, signal] = (await exited) as [number | null, NodeJS.Signals | null];
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${String(signal)}`);
  return said;
}

test('killed ten times while recording and recovering: all that was durable is there, and verifies', async (t) => {
  t.timeout(120_000);
  const card = path.join(await temporaryDirectory(t), 'card');
  const seed = randomBytes(32);
  const { identity, recipient } = generateIdentity();
  const device = { deviceKey: fastSigner(seed), identity };
  const said: Said[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    said.push(...(await recordUntilKilled([card, seed.toString('hex'), recipient])));
  }
  const fs = new NodeFileSystem();
  const open = () =>
    openCard(
      { fs, clock: new SystemClock(), log: silent },
      {
        card,
        device: DEVICE,
        deviceKey: device.deviceKey,
        recipients: [parseRecipient(recipient)],
        configDigest: CONFIG_DIGEST,
        firmwareDigest: FIRMWARE_DIGEST,
        reserveBytes: 0,
        onSealed: () => undefined,
      },
    );
  const before = await filesBelow(fs, path.join(card, 'ev'));
  const first = await open();
  t.deepEqual((await first.recovered).failed, []);
  const pending = (await first.outgoing.pending(100_000)).map(({ ref }) => formatSegmentRef(ref));
  await first.close();

  const boots = said.flatMap((fact) => (fact.said === 'open' ? [fact.boot] : []));
  t.deepEqual(
    boots,
    [...new Set(boots)].sort((a, b) => a - b),
    'no boot number twice',
  );
  t.is(boots.length, KILLS);

  const after = await filesBelow(fs, card);
  for (const [name, content] of before) {
    if (!name.endsWith('.age') && !name.endsWith('.dsse')) continue;
    const places = [...after].filter(([other]) => other.includes(name));
    t.true(
      places.some(([, bytes]) => bytes.equals(content)),
      `${name} has vanished or was changed`,
    );
  }

  const verdicts = new Map<string, SegmentVerdict>();
  for (const ref of await segmentsOn(fs, card)) {
    const verdict = await judge(fs, card, device, ref);
    const all = verdict.problems.map(({ message }) => message).join('; ');
    t.true(['ok', 'ok-with-missing'].includes(verdict.state), all);
    t.truthy(verdict.manifest, formatSegmentRef(ref));
    verdicts.set(formatSegmentRef(ref), verdict);
  }
  t.deepEqual([...pending].sort(), [...verdicts.keys()].sort(), 'every segment is offered');

  const digests = new Map(
    [...verdicts.values()].map((verdict) => [verdict.manifestDigest, verdict]),
  );
  for (const fact of said) {
    if (fact.said === 'sealed') t.is(digests.get(fact.digest)?.state, 'ok', fact.digest);
    if (fact.said !== 'durable') continue;
    // Of what was durable, age holds back the newest 64 KiB or less; less than one chunk is not played.
    const leaves = 1 + Math.floor((fact.bytes - 1) / CHUNK_BYTES);
    const { manifest } = verdicts.get(formatSegmentRef(fact)) ?? {};
    // Killed before its first head, a segment has nothing that vouches for it: its bytes are in quarantine, see above.
    const hasHead = before.get(`${formatSegmentRef(fact)}.heads`)?.includes('\n') === true;
    if (leaves > 1 && hasHead) t.true((manifest?.file.n ?? 0) >= leaves, formatSegmentRef(fact));
  }
  const recordings = new Map<string, SegmentVerdict[]>();
  for (const verdict of verdicts.values()) {
    const name = `${verdict.ref.boot}/${verdict.ref.rec}`;
    recordings.set(name, [...(recordings.get(name) ?? []), verdict]);
  }
  for (const segments of recordings.values()) t.not(verifyRecording(segments).state, 'not-ok');

  const second = await open();
  const idle = { recovered: [], indexed: 0, quarantined: [], failed: [], missing: [] };
  t.deepEqual(await second.recovered, idle);
  await second.close();
  const db = openDatabase(path.join(card, 'lapel.db'), { readOnly: true });
  const entered = readEntries(db, 0, 100_000).filter(
    ({ type }) => type === 'segment' || type === 'recovered',
  );
  db.close();
  t.is(entered.length, verdicts.size, 'every segment is in the log once');
  const cut = [...verdicts.values()].filter(({ manifest }) => manifest?.recovered !== null).length;
  t.log(`${verdicts.size} segments, ${cut} of them cut`);
});
