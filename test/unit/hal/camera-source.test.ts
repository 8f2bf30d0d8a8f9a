import test from 'ava';
import { resolveSource } from '../../../src/hal/camera-source.js';

const present = { exists: () => Promise.resolve(true) };

test('a source without footage stays as it is, and no file is looked for', async (t) => {
  const files = { exists: () => Promise.reject(new Error('looked for a file')) };
  const source = 'videotestsrc is-live=true pattern="ball"';
  t.is(await resolveSource(source, '/footage', files), source);
});

test('footage becomes a quoted path up to the next blank or separator', async (t) => {
  t.is(
    await resolveSource('filesrc location=${footage}/a.raw loop=true ! x', '/my clips', present),
    'filesrc location="/my clips/a.raw" loop=true ! x',
  );
  t.is(
    await resolveSource('filesrc location=${footage}/a!x location=${footage}/b', '/f', present),
    'filesrc location="/f/a"!x location="/f/b"',
  );
});

test('quotes and backslashes of a directory do not end the value', async (t) => {
  t.is(
    await resolveSource('filesrc location=${footage}/a', '/we"ird\\dir', present),
    'filesrc location="/we\\"ird\\\\dir/a"',
  );
});

test('footage that is missing is named', async (t) => {
  const files = { exists: (path: string) => Promise.resolve(path !== '/f/b.raw') };
  const source = 'filesrc location=${footage}/a.raw ! mix filesrc location=${footage}/b.raw ! mix';
  await t.throwsAsync(resolveSource(source, '/f', files), {
    code: 'hal/no-footage',
    message: '/f/b.raw is missing',
  });
});
