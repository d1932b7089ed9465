// Writes a picture with at most 256 colours, which is what a page of text has, in a quarter of the bytes (PNG, ISO 15948).

import { crc32 as checksum, deflateSync } from 'node:zlib';

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(checksum(body), body.length + 4);
  return out;
}

// Colours to 32 steps a channel, then the 256 most frequent; a rare one becomes the nearest of them.
function paletteOf(data) {
  const key = (i) => ((data[i] >> 3) << 10) | ((data[i + 1] >> 3) << 5) | (data[i + 2] >> 3);
  const seen = new Map();
  for (let i = 0; i < data.length; i += 4) {
    const one = seen.get(key(i)) ?? { times: 0, colour: [data[i], data[i + 1], data[i + 2]] };
    one.times += 1;
    seen.set(key(i), one);
  }
  const ranked = [...seen].sort((a, b) => b[1].times - a[1].times);
  const colours = ranked.slice(0, 256).map(([, one]) => one.colour);
  const index = new Map();
  for (const [k, { colour }] of ranked) {
    const distance = (c) => Math.abs(c[0] - colour[0]) + Math.abs(c[1] - colour[1]) + Math.abs(c[2] - colour[2]);
    let best = 0;
    for (let i = 1; i < colours.length; i += 1) if (distance(colours[i]) < distance(colours[best])) best = i;
    index.set(k, best);
  }
  return { colours, at: (i) => index.get(key(i)) };
}

export function indexed({ width, height, data }) {
  const { colours, at } = paletteOf(data);
  const rows = Buffer.alloc((width + 1) * height); // each begins with its filter, 0: none
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) rows[y * (width + 1) + x + 1] = at((y * width + x) * 4);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8); // eight bits of an index into PLTE
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('PLTE', Buffer.from(colours.flat())),
    chunk('IDAT', deflateSync(rows, { level: 9, memLevel: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
