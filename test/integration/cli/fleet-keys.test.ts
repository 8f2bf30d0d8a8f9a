import { stat } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { enrol, init, show } from '../../../src/cli/keys.js';
import { readTrust } from '../../../src/cli/keys.js';
import type { Options } from '../../../src/cli/options.js';
import { findFleetKey, withFleetKey } from '../../../src/evidence/trust.js';
import { toSpkiBase64 } from '../../../src/evidence/public-key.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { memoryOutput } from '../../support/memory-output.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

async function json(verb: typeof init, options: Options): Promise<Record<string, unknown>> {
  const output = memoryOutput({ isJson: true });
  await verb([], options, output);
  return JSON.parse(output.text()) as Record<string, unknown>;
}

test('a fleet manager gets a key of its own, and a camera knows it after its enrolment, by its roles', async (t) => {
  const dir = await temporaryDirectory(t);
  const at = (name: string): string => path.join(dir, name);
  const [data, trust, key] = [at('cam'), at('trust.json'), at('fleet.key')];
  await json(init, { data, device: 'cam-1' });
  const { spki } = await json(init, { fleet: 'fleet-1', key });
  t.is((await stat(key)).mode & 0o777, 0o600);
  await t.throwsAsync(json(init, { fleet: 'fleet-1', key }), { code: 'keys/exists' });
  await t.throwsAsync(json(init, { fleet: 'a b', key: at('x') }), { code: 'cli/usage' });
  const enrolment = { data, trust, fleet: 'fleet-1', key };
  t.like(await json(enrol, enrolment), { ok: true, device: 'cam-1', fleet: 'fleet-1' });
  const { fleet } = await json(show, { data });
  t.deepEqual(fleet, [{ id: 'fleet-1', spki, roles: ['command'] }]);
  await json(enrol, { ...enrolment, role: ['command', 'config'] });
  t.deepEqual((await json(show, { data }))['fleet'], [
    { id: 'fleet-1', spki, roles: ['command', 'config'] },
  ]);
  const found = findFleetKey(await readTrust(new NodeFileSystem(), trust), 'fleet-1');
  t.is<unknown, unknown>(found && toSpkiBase64(found.publicKey), spki);
  t.deepEqual(found?.roles, ['command', 'config']);
  await t.throwsAsync(json(enrol, { ...enrolment, role: ['stop'] }), { code: 'cli/usage' });
});

test('a camera gets the keys of other cameras from the trust file, and of no others', async (t) => {
  const dir = await temporaryDirectory(t);
  const trust = path.join(dir, 'trust.json');
  const spkis: unknown[] = [];
  for (const device of ['cam-1', 'cam-2', 'cam-3']) {
    const data = path.join(dir, device);
    spkis.push((await json(init, { data, device }))['spki']);
    await json(enrol, { data, trust });
  }
  const data = path.join(dir, 'cam-1');
  await json(enrol, { data, trust, peer: ['cam-2'] });
  await json(enrol, { data, trust, peer: ['cam-3', 'cam-2'] });
  t.deepEqual((await json(show, { data }))['peers'], [
    { device: 'cam-3', spki: spkis[2] },
    { device: 'cam-2', spki: spkis[1] },
  ]);
  for (const [peer, message] of [
    ['cam-9', '--peer cam-9 is not in the trust file'],
    ['cam-1', '--peer cam-1 is this camera'],
  ] as const) {
    await t.throwsAsync(json(enrol, { data, trust, peer: [peer] }), { code: 'cli/usage', message });
  }
  const output = memoryOutput();
  await show([], { data }, output);
  t.regex(output.text(), /other camera cam-2: MCow/);
});

test('a fleet key without a role, or with one unknown or doubled, is malformed', (t) => {
  const spki = toSpkiBase64(Buffer.alloc(32, 7));
  const trust = withFleetKey({ v: 1, devices: [], receivers: [] }, 'f', spki, ['command']);
  t.is(findFleetKey(trust, 'g'), undefined);
  t.is(withFleetKey(trust, 'f', spki, ['config']).fleet?.length, 1);
  for (const roles of [[], ['stop'], ['command', 'command']]) {
    t.throws(() => withFleetKey(trust, 'f', spki, roles), { code: 'evidence/malformed' });
  }
});
