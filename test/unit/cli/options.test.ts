import path from 'node:path';
import test from 'ava';
import { findText, getLogLevel, getText, getTexts } from '../../../src/cli/options.js';
import {
  boardDirectory,
  dataPaths,
  footageDirectory,
  installRoot,
  receiverIdPath,
  receiverKeyPath,
} from '../../../src/cli/paths.js';
import { CameraError } from '../../../src/errors.js';

const usage = { instanceOf: CameraError, code: 'cli/usage' } as const;

test('an empty option counts as not given', (t) => {
  t.is(findText({ data: 'cam' }, 'data'), 'cam');
  t.is(findText({ data: '' }, 'data'), undefined);
  t.is(findText({ data: true }, 'data'), undefined);
  t.is(findText({}, 'data'), undefined);
  t.is(getText({ data: 'cam' }, 'data'), 'cam');
  t.throws(() => getText({ data: '' }, 'data'), { ...usage, message: /--data needs a value/ });
  t.deepEqual(getTexts({ recipient: ['a', 'b'] }, 'recipient'), ['a', 'b']);
  t.deepEqual(getTexts({}, 'recipient'), []);
});

test('a log level is one of five, info unless said otherwise', (t) => {
  t.is(getLogLevel({}), 'info');
  t.is(getLogLevel({ logLevel: 'silent' }), 'silent');
  t.throws(() => getLogLevel({ logLevel: 'loud' }), { ...usage, message: /debug, info, warn/ });
});

test('keys, configuration and boot number are never on the card', (t) => {
  const paths = dataPaths('cam');
  t.is(paths.root, path.resolve('cam'));
  const onCard = (file: string): boolean => file.startsWith(`${paths.card}${path.sep}`);
  for (const file of [paths.deviceKey, paths.config, paths.bootFile]) {
    t.false(onCard(file), file);
    t.is(path.dirname(file), path.join(paths.root, 'internal'));
  }
  t.is(paths.control, path.join(paths.root, 'control.sock'));
});

test('boards and footage are found from wherever the program is started', (t) => {
  t.is(installRoot(), process.cwd());
  t.is(boardDirectory(), path.resolve('board'));
  t.is(footageDirectory(), path.resolve('build/footage'));
  t.is(receiverKeyPath('store'), path.resolve('store/receiver.key'));
  t.is(receiverIdPath('store'), path.resolve('store/receiver.id'));
});
