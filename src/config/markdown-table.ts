import { settings, type Effect, type Setting } from './table.js';

const effectWords: Readonly<Record<Effect, string>> = {
  live: 'at once',
  'next-recording': 'next recording',
  restart: 'restart',
};

const header = ['setting', 'default', 'unit', 'allowed', 'floor', 'takes effect', 'what it does'];

/** The table of all settings as Markdown, ending in a newline; columns padded the way Prettier pads them. */
export function configMarkdownTable(): string {
  const rows = Object.entries(settings).map(([key, setting]) => cells(key, setting));
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = line(widths.map((width) => '-'.repeat(width)));
  return `${[line(header), rule, ...rows.map(line)].join('\n')}\n`;
}

function cells(key: string, setting: Setting): string[] {
  const { bounds, doc, effect, floor, schema, unit } = setting;
  const { data, success } = schema.safeParse(undefined);
  return [
    `\`${key}\``,
    success ? `\`${JSON.stringify(data)}\`` : 'must be given',
    unit,
    bounds,
    floor === undefined ? '' : String(floor),
    effectWords[effect],
    doc,
  ];
}
