import { availableParallelism } from 'node:os';
import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { openMachine } from '../hal/machine.js';
import type { Trust } from '../evidence/trust.js';
import type { VerdictState } from '../evidence/verdict.js';
import { exporterName, openExportKey } from './export-key.js';
import type { ExportKey } from './export-key.js';
import { checkOutputs, exportPackage } from './export-package.js';
import type { ExportedPackage, Step } from './export-package.js';
import { checkFfmpeg } from './export-pictures.js';
import { findRecording } from './export.js';
import { readIdentity } from './identity-file.js';
import { readTrust } from './keys.js';
import { findText, getText } from './options.js';
import type { Options } from './options.js';
import { programVersion } from './paths.js';
import { Progress, formatSeconds, printJson, say } from './output.js';
import type { Output } from './output.js';
import { VERDICT_EXIT, verifyPaths } from './verify.js';
import type { VerifyReport } from './verify.js';

export async function run(
  args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const { fs } = openMachine();
  const [recording = ''] = args;
  const identityFile = getText(options, 'identity');
  const out = getText(options, 'out');
  const isPartial = options['partial'] === true;
  const exporter = exporterName(findText(options, 'exporter'));
  const identity = await readIdentity(fs, identityFile);
  const segments = await findRecording(fs, recording);
  await checkOutputs(fs, out);
  await checkFfmpeg();
  const trustFile = findText(options, 'trust');
  const trust = trustFile === undefined ? undefined : await readTrust(fs, trustFile);
  const verified = trust && (await verifyFirst(fs, recording, { trust, isPartial, output }));
  const key = await openExportKey(fs, identityFile, findText(options, 'signingKey'));
  const bars = new StepBars(output);
  try {
    const exported = await exportPackage(fs, segments, {
      ...{ identity, out, exporter, isPartial, trust, verified, signer: key.signer },
      ...{ version: programVersion(), createdMs: Date.now() },
      onStep: (step, done, total) => {
        bars.update(step, done, total);
      },
    });
    tell(output, exported, { ...key, exporter }, verified?.state);
    return exitOf(exported, verified?.state);
  } catch (error) {
    return await bars.fail(error);
  } finally {
    key.signer.destroy();
  }
}

/** A bar for each step, drawn when the step begins. */
class StepBars {
  readonly #output: Output;
  readonly #bars = new Map<Step, Progress>();

  constructor(output: Output) {
    this.#output = output;
  }

  update(step: Step, done: number, total: number): void {
    const bar = this.#bars.get(step) ?? this.#make(step);
    if (done === total) bar.finish(total);
    else bar.update(done, total);
  }

  #make(step: Step): Progress {
    const bar =
      step === 'pictures'
        ? new Progress(this.#output, step, (value) => value.toFixed(0))
        : new Progress(this.#output, step);
    this.#bars.set(step, bar);
    return bar;
  }

  /** Rejects with the error, on a line of its own. */
  fail(error: unknown): Promise<never> {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it came
    const failed = Promise.reject(error);
    return [...this.#bars.values()].at(-1)?.guard(failed) ?? failed;
  }
}

/** As `verify` ends; without a trust file, what is missing is known all the same. */
function exitOf({ report }: ExportedPackage, state: VerdictState | undefined): number {
  if (state !== undefined) return VERDICT_EXIT[state];
  const isWhole = report.missing.length === 0 && report.leftOut.length === 0;
  return VERDICT_EXIT[isWhole ? 'ok' : 'ok-with-missing'];
}

function tell(
  output: Output,
  exported: ExportedPackage,
  key: ExportKey & { readonly exporter: string },
  state: VerdictState | undefined,
): void {
  const { report } = exported;
  if (output.isJson) {
    printJson(output, {
      ok: exitOf(exported, state) === VERDICT_EXIT.ok,
      verified: state ?? null,
      ...report,
      ...{ html: exported.html, bundle: exported.bundle, files: exported.files },
      signatures: exported.signatures,
      ...{ exporter: key.exporter, key: key.signer.keyId, signingKey: key.file },
    });
    return;
  }
  const cut = report.cut > 0 ? `, ${report.cut} of them not to their end` : '';
  say(
    output,
    `${report.out}: ${report.frames} frames, ${formatSeconds(report.seconds)}, from ${report.segments} segments${cut}`,
  );
  say(output, `verified: ${state ?? 'not at all; give --trust to verify before the export'}`);
  if (report.sidecars.length > 0) say(output, `beside it: ${report.sidecars.join(', ')}`);
  say(output, `report: ${exported.html}`);
  say(output, `evidence: ${exported.bundle}, ${exported.files} files in all`);
  say(output, `signed by ${key.exporter} with ${key.file}: ${exported.signatures.join(', ')}`);
  if (key.isNew) {
    say(output, `that key is new: ${key.file}; whoever has it signs as ${key.exporter}`);
  }
  for (const segment of report.withoutMetadata) say(output, `without metadata: segment ${segment}`);
  for (const segment of report.missing) say(output, `missing: segment ${segment}`);
  for (const segment of report.leftOut) {
    say(output, `left out: nothing of segment ${segment} can be decrypted`);
  }
}

/** The verdict on a recording. What is not-ok or not-feasible is refused unless a partial export is asked for. */
async function verifyFirst(
  fs: FileSystem,
  recording: string,
  { trust, isPartial, output }: { trust: Trust; isPartial: boolean; output: Output },
): Promise<VerifyReport> {
  const progress = new Progress(output, 'verify');
  const verified = verifyPaths(fs, [recording], trust, {
    threads: availableParallelism(),
    onBytes: (done, total) => {
      progress.update(done, total);
    },
  });
  const report = await progress.guard(
    verified.then((answer) => {
      if (!isPartial) refuseUnsound(recording, answer);
      return answer;
    }),
  );
  progress.finish(report.bytes);
  return report;
}

function refuseUnsound(recording: string, { state }: VerifyReport): void {
  if (state === 'not-ok') {
    const message = `${recording} is not-ok; lapel verify says what was changed, --partial exports what is left`;
    throw new CameraError('evidence/bad-signature', message);
  }
  if (state === 'not-feasible') {
    const message = `${recording} could not be verified; lapel verify says what is missing, --partial exports it all the same`;
    throw new CameraError('evidence/not-feasible', message);
  }
}
