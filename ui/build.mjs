// Bundles the dashboard, checks its size, and writes it as a C++ source for the binary.
//
//   node build.mjs OUTPUT.cc        node build.mjs --folder FOLDER      (the files as they are, to look at)

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const GZIP_BYTES_MAX = 80 * 1024;
const here = path.dirname(fileURLToPath(import.meta.url));
const types = { '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };

async function bundle() {
  const result = await build({
    absWorkingDir: here,
    entryPoints: { app: 'src/main.tsx', style: 'src/style.css' },
    outdir: 'assets',
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: ['chrome109', 'firefox115', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'warning',
  });
  const files = result.outputFiles.map((file) => ({
    path: `/assets/${path.basename(file.path)}`,
    type: types[path.extname(file.path)],
    bytes: Buffer.from(file.contents),
  }));
  files.push({ path: '/assets/icon.svg', type: types['.svg'], bytes: readFileSync(path.join(here, 'src/icon.svg')) });
  files.push({ path: '/', type: 'text/html; charset=utf-8', bytes: readFileSync(path.join(here, 'src/index.html')) });
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

// Three octal digits each: never longer than what follows could make them.
const literal = (bytes) =>
  bytes
    .toString('latin1')
    .match(/[\s\S]{1,60}/g)
    .map((line) => `"${[...line].map((c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`).join('')}"`)
    .join('\n    ');

function source(files) {
  const rows = files.map((file, i) => {
    const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: file.bytes.length } };
    const packed = brotliCompressSync(file.bytes, options);
    const tag = createHash('sha256').update(file.bytes).digest('hex').slice(0, 16);
    return {
      data: `constexpr char kFile${i}[] =\n    ${literal(packed)};`,
      row: `    {"${file.path}", "${file.type}", {kFile${i}, ${packed.length}}, ${file.bytes.length}, "${tag}"},`,
    };
  });
  return `// Made by ui/build.mjs from ui/src.
#include "admin/dashboard/dashboard_files.h"

namespace gatehouse::admin {
namespace {

${rows.map((one) => one.data).join('\n\n')}

constexpr DashboardFile kFiles[] = {
${rows.map((one) => one.row).join('\n')}
};

}  // namespace

std::span<const DashboardFile> dashboard_files() noexcept { return kFiles; }

}  // namespace gatehouse::admin
`;
}

const files = await bundle();
const gzipped = files.reduce((sum, file) => sum + gzipSync(file.bytes, { level: 9 }).length, 0);
if (gzipped > GZIP_BYTES_MAX) throw new Error(`the bundle has ${gzipped} bytes with gzip, ${GZIP_BYTES_MAX} are allowed`);
const [output, folder] = process.argv.slice(2);
if (output === '--folder') {
  for (const file of files) {
    const to = path.join(folder, file.path === '/' ? 'index.html' : file.path);
    mkdirSync(path.dirname(to), { recursive: true });
    writeFileSync(to, file.bytes);
  }
} else {
  writeFileSync(output, source(files));
}
console.log(`dashboard: ${gzipped} bytes with gzip`);
