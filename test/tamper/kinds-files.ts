import {
  formatEnvelopeFile,
  parseEnvelopeFile,
  pae,
  decodePayload,
} from '../../src/evidence/dsse.js';
import { readManifest } from '../../src/evidence/manifest.js';
import { fastSigner } from '../support/fast-signer.js';
import { RECEIVER, receiptFor } from './ground.js';
import type { Hit, TamperKind } from './kind.js';
import { stemOf } from './site.js';
import type { Site } from './site.js';
import type { Random } from './random.js';

const LEAF_BYTES = 65_552;

/** Turns one bit in a file of a random part. */
const flipOf =
  (end: string) =>
  async (site: Site, random: Random): Promise<Hit> => {
    const file = `${stemOf(random.pick(site.parts))}${end}`;
    await site.flip(file, random);
    return { file };
  };

const appendTo =
  (end: string) =>
  async (site: Site, random: Random): Promise<Hit> => {
    const file = `${stemOf(random.pick(site.parts))}${end}`;
    await site.edit(file, (bytes) =>
      Buffer.concat([bytes, Buffer.alloc(random.whole(1, 200), 10)]),
    );
    return { file };
  };

const removeOf =
  (end: string) =>
  async (site: Site, random: Random): Promise<Hit> => {
    const file = `${stemOf(random.pick(site.parts))}${end}`;
    await site.remove(file);
    return { file };
  };

/** Bytes of leaf 0, from the manifest beside it. */
async function headOf(site: Site, stem: string): Promise<number> {
  const text = (await site.read(`${stem}.dsse`)).toString('utf8');
  return readManifest(parseEnvelopeFile(text)).file.head;
}

/** The same signed bytes under a signature by another key that names the old one, or its own. */
async function resign(site: Site, file: string, random: Random): Promise<Hit> {
  const stranger = fastSigner();
  await site.edit(file, (bytes) => {
    const envelope = parseEnvelopeFile(bytes.toString('utf8'));
    const [old] = envelope.signatures;
    const sig = stranger.sign(pae(envelope.payloadType, decodePayload(envelope)));
    const keyid = random.fraction() < 0.5 ? stranger.keyId : (old?.keyid ?? '');
    return formatEnvelopeFile({
      ...envelope,
      signatures: [{ keyid, sig: sig.toString('base64') }],
    });
  });
  return { file };
}

/** Changes the body of a signed file and keeps its signature. */
async function rewrite(site: Site, file: string, change: (body: string) => string): Promise<Hit> {
  await site.edit(file, (bytes) => {
    const envelope = parseEnvelopeFile(bytes.toString('utf8'));
    const body = decodePayload(envelope).toString('utf8');
    const payload = Buffer.from(change(body)).toString('base64');
    return formatEnvelopeFile({ ...envelope, payload });
  });
  return { file };
}

const SIGNED = ['malformed', 'bad-signature', 'wrong-place', 'contradiction'] as const;

/** One bit or a few bytes of one file. */
const bytes: readonly TamperKind[] = [
  {
    name: 'a bit of the footage',
    on: 'card',
    state: 'not-ok',
    what: ['changed'],
    spoil: flipOf('.age'),
  },
  {
    name: 'a bit of the leaf list',
    on: 'card',
    state: 'not-ok',
    what: ['changed'],
    spoil: flipOf('.leaves'),
  },
  {
    name: 'a bit of the heads',
    on: 'card',
    state: 'not-ok',
    what: SIGNED,
    spoil: flipOf('.heads'),
  },
  {
    name: 'a bit of the metadata',
    on: 'card',
    state: 'not-ok',
    what: ['changed'],
    spoil: flipOf('.meta.age'),
  },
  {
    name: 'a bit of the manifest',
    on: 'card',
    state: 'not-ok',
    what: SIGNED,
    spoil: flipOf('.dsse'),
  },
  {
    name: 'a bit of a receipt',
    on: 'store',
    state: 'not-ok',
    what: SIGNED,
    spoil: flipOf('.receipt'),
  },
  {
    name: 'a bit of the session certificate',
    on: 'card',
    state: 'not-ok',
    what: SIGNED,
    spoil: async (site, random) => {
      const file = `${random.pick(site.parts).boot}/session.dsse`;
      await site.flip(file, random);
      return { file };
    },
  },
];

const lengths: readonly TamperKind[] = [
  {
    name: 'the footage cut',
    on: 'card',
    state: 'ok-with-missing',
    what: ['cut'],
    spoil: async (site, random) => {
      const file = `${stemOf(random.pick(site.parts))}.age`;
      await site.cut(file, random.whole(1, (await site.read(file)).length));
      return { file };
    },
  },
  {
    name: 'the leaf list cut',
    on: 'store',
    state: 'ok-with-missing',
    what: ['cut'],
    spoil: async (site, random) => {
      const file = `${stemOf(random.pick(site.parts))}.leaves`;
      await site.cut(file, random.whole(0, (await site.read(file)).length));
      return { file };
    },
  },
  {
    name: 'the heads cut inside a line',
    on: 'store',
    state: 'ok-with-missing',
    what: ['cut'],
    spoil: async (site, random) => {
      const file = `${stemOf(random.pick(site.parts))}.heads`;
      const text = (await site.read(file)).toString('utf8');
      const lineEnds = [...text.matchAll(/\n/g)].map(({ index }) => index + 1);
      const start = random.pick([0, ...lineEnds.slice(0, -1)]);
      await site.cut(file, start + random.whole(1, text.indexOf('\n', start) - start));
      return { file };
    },
  },
  {
    name: 'the footage extended',
    on: 'card',
    state: 'not-ok',
    what: ['extra'],
    spoil: appendTo('.age'),
  },
  {
    name: 'the leaf list extended',
    on: 'card',
    state: 'not-ok',
    what: ['extra'],
    spoil: appendTo('.leaves'),
  },
  {
    name: 'the manifest extended',
    on: 'card',
    state: 'not-ok',
    what: ['malformed'],
    spoil: appendTo('.dsse'),
  },
  {
    name: 'the metadata extended',
    on: 'store',
    state: 'not-ok',
    what: ['changed'],
    spoil: appendTo('.meta.age'),
  },
  {
    name: 'a receipt extended',
    on: 'store',
    state: 'not-ok',
    what: ['malformed'],
    spoil: appendTo('.receipt'),
  },
];

const removed: readonly TamperKind[] = [
  {
    name: 'the footage removed',
    on: 'card',
    state: 'not-feasible',
    what: ['missing'],
    spoil: removeOf('.age'),
  },
  {
    name: 'the leaf list removed',
    on: 'card',
    state: 'ok-with-missing',
    what: ['missing'],
    spoil: removeOf('.leaves'),
  },
  {
    name: 'the heads removed',
    on: 'card',
    state: 'ok-with-missing',
    what: ['missing'],
    spoil: removeOf('.heads'),
  },
  {
    name: 'the metadata removed',
    on: 'card',
    state: 'ok-with-missing',
    what: ['missing'],
    spoil: removeOf('.meta.age'),
  },
  {
    name: 'the manifest removed',
    on: 'store',
    state: 'ok-with-missing',
    what: ['unsealed'],
    spoil: removeOf('.dsse'),
  },
  {
    name: 'the session certificate removed',
    on: 'card',
    state: 'not-feasible',
    what: ['missing'],
    spoil: async (site, random) => {
      const file = `${random.pick(site.parts).boot}/session.dsse`;
      await site.remove(file);
      return { file };
    },
  },
];

/** Two full leaves of a part and where they lie. */
async function twoLeaves(
  site: Site,
  random: Random,
  stem: string,
): Promise<[number, number, number]> {
  const head = await headOf(site, stem);
  const full = Math.floor(((await site.read(`${stem}.age`)).length - head) / LEAF_BYTES);
  const [a, b] = random.pair(Array.from({ length: full }, (_, n) => n + 1));
  return [head, a, b];
}

function swapped(bytes: Buffer, a: number, b: number, length: number): Buffer {
  const copy = Buffer.from(bytes);
  bytes.copy(copy, a, b, b + length);
  bytes.copy(copy, b, a, a + length);
  return copy;
}

const moved: readonly TamperKind[] = [
  {
    name: 'two leaves of the footage swapped',
    on: 'card',
    state: 'not-ok',
    what: ['changed'],
    spoil: async (site, random) => {
      const stem = stemOf(random.pick(site.parts));
      const [head, a, b] = await twoLeaves(site, random, stem);
      const at = (leaf: number): number => head + (leaf - 1) * LEAF_BYTES;
      await site.edit(`${stem}.age`, (all) => swapped(all, at(a), at(b), LEAF_BYTES));
      return { file: `${stem}.age` };
    },
  },
  {
    name: 'two leaves swapped, and in the list too',
    on: 'store',
    state: 'not-ok',
    what: ['changed'],
    spoil: async (site, random) => {
      const stem = stemOf(random.pick(site.parts));
      const [head, a, b] = await twoLeaves(site, random, stem);
      const at = (leaf: number): number => head + (leaf - 1) * LEAF_BYTES;
      await site.edit(`${stem}.age`, (all) => swapped(all, at(a), at(b), LEAF_BYTES));
      await site.edit(`${stem}.leaves`, (all) => swapped(all, a * 32, b * 32, 32));
      return { file: `${stem}.age`, alsoFile: `${stem}.leaves` };
    },
  },
  {
    name: 'two segments swapped',
    on: 'card',
    state: 'not-ok',
    what: ['wrong-place'],
    spoil: async (site, random) => {
      const { boot, rec } = site.middle(random);
      const of = site.parts.filter((part) => part.boot === boot && part.rec === rec);
      const [a, b] = random.pair(of).map(stemOf) as [string, string];
      for (const end of ['.age', '.leaves', '.heads', '.meta.age', '.dsse']) {
        await site.swap(`${a}${end}`, `${b}${end}`);
      }
      return { file: `${a}.dsse`, alsoFile: `${b}.dsse` };
    },
  },
  {
    name: 'two recordings swapped',
    on: 'card',
    state: 'not-ok',
    what: ['wrong-place'],
    spoil: async (site, random) => {
      const all = [...new Set(site.parts.map(({ boot, rec }) => `${boot}/${rec}`))];
      const [a, b] = random.pair(all);
      await site.swap(a, b);
      return { file: `${a}/0.dsse`, alsoFile: `${b}/0.dsse` };
    },
  },
  {
    name: 'a segment of another recording in the place of one',
    on: 'store',
    state: 'not-ok',
    what: ['wrong-place'],
    spoil: async (site, random) => {
      const [a, b] = random.pair(site.parts).map(stemOf) as [string, string];
      for (const end of ['.age', '.leaves', '.heads', '.meta.age', '.dsse', '.receipt']) {
        await site.write(`${b}${end}`, await site.read(`${a}${end}`));
      }
      return { file: `${b}.dsse`, alsoFile: `${b}.receipt` };
    },
  },
];

const forged: readonly TamperKind[] = [
  {
    name: 'a manifest signed by another key',
    on: 'card',
    state: 'not-ok',
    what: ['bad-signature'],
    spoil: (site, random) => resign(site, `${stemOf(random.pick(site.parts))}.dsse`, random),
  },
  {
    name: 'a session certificate signed by another key',
    on: 'card',
    state: 'not-ok',
    what: ['bad-signature'],
    spoil: (site, random) => resign(site, `${random.pick(site.parts).boot}/session.dsse`, random),
  },
  {
    name: 'a receipt signed by another key',
    on: 'store',
    state: 'not-ok',
    what: ['bad-signature'],
    spoil: (site, random) => resign(site, `${stemOf(random.pick(site.parts))}.receipt`, random),
  },
  {
    name: 'a receipt forged',
    on: 'store',
    state: 'not-ok',
    what: ['bad-signature'],
    spoil: async (site, random) => {
      const part = random.pick(site.parts);
      const text = (await site.read(`${stemOf(part)}.dsse`)).toString('utf8');
      const forger = fastSigner();
      const receipt = receiptFor('cam-1', part, parseEnvelopeFile(text), forger);
      const file = `${stemOf(part)}.receipt`;
      await site.write(file, formatEnvelopeFile(receipt));
      return { file };
    },
  },
  {
    name: `a receipt of ${RECEIVER} for another segment`,
    on: 'store',
    state: 'not-ok',
    what: ['wrong-place'],
    spoil: async (site, random) => {
      const [a, b] = random.pair(site.parts).map(stemOf) as [string, string];
      await site.write(`${b}.receipt`, await site.read(`${a}.receipt`));
      return { file: `${b}.receipt` };
    },
  },
  {
    name: 'the quality of the wall time in a manifest',
    on: 'store',
    state: 'not-ok',
    what: ['bad-signature'],
    spoil: (site, random) =>
      rewrite(site, `${stemOf(random.pick(site.parts))}.dsse`, (body) =>
        body.replace(
          /"time":\{"source":"[a-z]+","uncertainty_ms":\d+\}/,
          () => `"time":{"source":"gnss","uncertainty_ms":${random.whole(0, 20)}}`,
        ),
      ),
  },
  {
    name: 'the last segment said to be the end',
    on: 'store',
    state: 'not-ok',
    what: ['bad-signature'],
    spoil: async (site, random) => {
      const middle = site.middle(random);
      for (const part of site.parts) {
        const isAfter =
          part.boot === middle.boot && part.rec === middle.rec && part.seq > middle.seq;
        if (isAfter) await site.removePart(part);
      }
      return rewrite(site, `${stemOf(middle)}.dsse`, (body) =>
        body.replace('"last":false', '"last":true'),
      );
    },
  },
  {
    name: 'a segment spliced in from another camera',
    on: 'card',
    state: 'not-ok',
    what: ['bad-signature', 'contradiction'],
    spoil: async (site, random) => {
      const stem = stemOf(random.pick(site.parts.filter(({ boot, seq }) => boot === 1 && seq < 2)));
      for (const end of ['.age', '.leaves', '.heads', '.meta.age', '.dsse']) {
        await site.bring(`other-card/ev/${stem}${end}`, `${stem}${end}`);
      }
      return { file: `${stem}.dsse` };
    },
  },
  {
    name: 'a whole boot spliced in from another camera',
    on: 'store',
    state: 'not-ok',
    what: ['contradiction'],
    spoil: async (site) => {
      await site.remove('1');
      await site.bring('other-store/cam-2/1', '1');
      return { file: '1/session.dsse' };
    },
  },
];

/** What is done to the files of segments. */
export const fileKinds: readonly TamperKind[] = [
  ...bytes,
  ...lengths,
  ...removed,
  ...moved,
  ...forged,
];
