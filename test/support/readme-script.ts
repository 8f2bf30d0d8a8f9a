import { readFile } from 'node:fs/promises';

/** The shell lines that stand in README.md between the markers of this name. Throws when there are none. */
export async function readmeScript(name: string): Promise<string> {
  const readme = await readFile('README.md', 'utf8');
  const block = new RegExp(
    `<!-- ${name}:begin -->\\s+\`\`\`sh\\n([\\s\\S]*?)\`\`\`\\s+<!-- ${name}:end -->`,
  );
  const script = block.exec(readme)?.[1];
  if (script === undefined) throw new Error(`README.md has no lines ${name}`);
  return script;
}
