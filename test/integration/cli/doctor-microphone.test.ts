import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { run as doctor } from '../../../src/cli/doctor.js';
import { memoryOutput } from '../../support/memory-output.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

interface Findings {
  readonly findings: readonly { part: string; ok: boolean; detail: string }[];
}

for (const [what, source, says] of [
  ['is not there', 'filesrc location=/nonexistent/microphone.wav ! wavparse', /nonexistent/],
  [
    'ends after half a second',
    'audiotestsrc is-live=true num-buffers=25',
    /^capture\/audio-lost: /,
  ],
  ['needs an element that is missing', 'nosuchsrc', /^hal\/no-element: .*nosuchsrc/],
] as const) {
  test.serial(`doctor tells of a microphone that ${what}`, async (t) => {
    const dir = await temporaryDirectory(t);
    const board = path.join(dir, 'board.json');
    const file = JSON.parse(await readFile('board/sim.json', 'utf8')) as {
      microphone: { source: string };
    };
    file.microphone.source = source;
    await writeFile(board, JSON.stringify(file));
    const output = memoryOutput({ isJson: true });
    const options = { board, data: path.join(dir, 'cam'), only: 'microphone' };
    t.is(await doctor([], options, output), 1);
    const { findings } = JSON.parse(output.text()) as Findings;
    t.deepEqual(
      findings.map(({ part, ok }) => ({ part, ok })),
      [{ part: 'microphone', ok: false }],
    );
    t.regex(findings[0]?.detail ?? '', says);
  });
}
