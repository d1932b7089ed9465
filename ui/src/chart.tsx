// Lines over time, by uPlot. The same figures stand in a table below: a canvas says nothing to a screen reader.

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { clock, count } from './text';

export interface Line {
  name: string;
  color: string; // a custom property of the style: --pass
  dash?: number[];
  values: number[];
}

const property = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function optionsFor(width: number, lines: Line[]): uPlot.Options {
  const ink = property('--faint');
  const grid = { stroke: property('--line'), width: 1 };
  return {
    width,
    height: 170,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (_u, _min, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      { stroke: ink, grid: { show: false }, ticks: grid, font: '11px system-ui', space: 90, values: (_u, marks) => marks.map((mark) => clock(mark * 1000).slice(-8)) },
      { stroke: ink, grid, ticks: { show: false }, font: '11px system-ui', size: 44, space: 28, values: (_u, marks) => marks.map((mark) => (Number.isInteger(mark) ? count(mark) : '')) },
    ],
    series: [{}, ...lines.map((line) => ({ label: line.name, stroke: property(line.color), width: 1.5, points: { show: false }, ...(line.dash && { dash: line.dash }) }))],
  };
}

export function Chart({ label, times, lines, unit }: { label: string; times: number[]; lines: Line[]; unit: string }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const data = [times, ...lines.map((line) => line.values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsFor(element.clientWidth, lines), latest.current, element);
    };
    make();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: 170 }));
    resized.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', make);
    return () => {
      resized.disconnect();
      scheme.removeEventListener('change', make);
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [times, lines]);
  const rows = times.map((time, i) => ({ time, values: lines.map((line) => line.values[i] ?? 0) })).slice(-60).reverse();
  return (
    <figure class="chart">
      <div role="img" aria-label={label} ref={place} />
      <figcaption>
        {lines.map((line) => (
          <span class="key" key={line.name}>
            <svg viewBox="0 0 20 6" aria-hidden="true"><line class={line.color.slice(2)} x1="0" x2="20" y1="3" y2="3" stroke-dasharray={line.dash?.join(' ')} /></svg>
            {line.name}
          </span>
        ))}
      </figcaption>
      <details>
        <summary>As a table</summary>
        <div class="scroll low" role="region" aria-label={`${label}, as a table`} tabIndex={0}>
          <table>
            <thead><tr><th scope="col">Time</th>{lines.map((line) => <th scope="col" class="number" key={line.name}>{line.name}, {unit}</th>)}</tr></thead>
            <tbody>{rows.map((row) => <tr key={row.time}><td class="time">{clock(row.time * 1000)}</td>{row.values.map((value, i) => <td class="number" key={i}>{count(value)}</td>)}</tr>)}</tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}
