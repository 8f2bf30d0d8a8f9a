/**
 * Records on a card until it is killed: `node kill-writer.js <card> <device seed in hex> <age recipient>`. Says on its
 * standard output, a JSON line each, what it was told to be durable; a line is written after the fact, never before.
 */
import { writeSync } from 'node:fs';
import { parseRecipient } from '../../src/evidence/age-recipients.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { SystemClock } from '../../src/hal/linux/system-clock.js';
import { openCard } from '../../src/storage/card.js';
import { CONFIG_DIGEST, DEVICE, FIRMWARE_DIGEST, silent } from './boot-fixture.js';
import { fakeEnding, fakeFacts, fakePiece } from './fake-media.js';
import { fastSigner } from './fast-signer.js';

/** One fact of a process that may be dead by now. */
export type Said =
  | { readonly said: 'open'; readonly boot: number }
  | {
      readonly said: 'durable';
      readonly boot: number;
      readonly rec: number;
      readonly seq: number;
      readonly bytes: number;
    }
  | { readonly said: 'sealed'; readonly digest: string };

const FRAGMENTS = 4;
const SEGMENTS = 3;
/** So many recordings would take minutes: whoever started this process has forgotten it. */
const RECORDINGS_MAX = 1000;
const STDOUT = 1;

const say = (fact: Said): void => {
  writeSync(STDOUT, `${JSON.stringify(fact)}\n`);
};

async function run(card: string, seed: string, recipient: string): Promise<void> {
  const services = { fs: new NodeFileSystem(), clock: new SystemClock(), log: silent };
  const { boot, recordings } = await openCard(services, {
    card,
    device: DEVICE,
    deviceKey: fastSigner(Buffer.from(seed, 'hex')),
    recipients: [parseRecipient(recipient)],
    configDigest: CONFIG_DIGEST,
    firmwareDigest: FIRMWARE_DIGEST,
    reserveBytes: 0,
    onSealed: ({ digest }) => {
      say({ said: 'sealed', digest });
    },
  });
  say({ said: 'open', boot });
  for (let n = 0; n < RECORDINGS_MAX; n += 1) {
    const rec = await recordings.beginRecording();
    let sealing: Promise<void> = Promise.resolve();
    for (let seq = 0; seq < SEGMENTS; seq += 1) {
      const facts = fakeFacts({ rec, seq });
      const segment = await recordings.openSegment(facts);
      let bytes = facts.init.length;
      for (let piece = 0; piece < FRAGMENTS; piece += 1) {
        const size = 20_000 + ((piece * 7919 * (seq + 1)) % 120_000);
        await segment.append(fakePiece(piece, size));
        bytes += size;
        say({ said: 'durable', boot, rec, seq, bytes });
      }
      await sealing;
      sealing = segment.seal(fakeEnding({ isLast: seq === SEGMENTS - 1 }));
    }
    await sealing;
  }
}

const [card, seed, recipient] = process.argv.slice(2);
if (card !== undefined && seed !== undefined && recipient !== undefined) {
  await run(card, seed, recipient);
}
