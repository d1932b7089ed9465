import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { DecisionRecord, TrafficSecond } from '../api';
import { get, useResource } from '../api';
import { Chart } from '../chart';
import { LAYERS } from '../layers';
import { traffic, watch } from '../live';
import { Bar, Figure, Nothing, Page, RecordRows, Section, Table, recordHead } from '../parts';
import { count, percent, plural, span } from '../text';

interface Status {
  version: string;
  uptime_seconds: number;
  generation: number;
  state: string;
  requests: number;
  requests_active: number;
  endpoints: number;
  endpoints_healthy: number;
  bans: number;
  log_lines_dropped: number;
}

const WINDOWS = [60, 300, 900];
const window_ = signal(300);
const LATEST = 8;

const sum = (seconds: TrafficSecond[], of: (second: TrafficSecond) => number) => seconds.reduce((total, second) => total + of(second), 0);

// Points of a line: never more than 150, each the mean of a second.
function lines(seconds: TrafficSecond[]) {
  const step = Math.max(1, Math.ceil(seconds.length / 150));
  const times: number[] = [];
  const passed: number[] = [];
  const stopped: number[] = [];
  const errors: number[] = [];
  const whole = Math.floor(seconds.length / step) * step;
  for (let i = seconds.length - whole; i < seconds.length; i += step) {
    const some = seconds.slice(i, i + step);
    times.push(Date.parse(some[0]!.time) / 1000);
    const mean = (of: (second: TrafficSecond) => number) => Math.round((sum(some, of) / step) * 10) / 10;
    passed.push(mean((s) => s.verdicts.pass ?? 0));
    stopped.push(mean((s) => (s.verdicts.deny ?? 0) + (s.verdicts.answer ?? 0) + (s.verdicts.delay ?? 0)));
    errors.push(mean((s) => s.status['5xx'] ?? 0));
  }
  return {
    times,
    lines: [
      { name: 'passed', color: '--pass', values: passed },
      { name: 'stopped', color: '--deny', dash: [6, 3], values: stopped },
      { name: '5xx', color: '--delay', dash: [2, 3], values: errors },
    ],
  };
}

// What came to each layer, and what it kept: from the outside, which everything meets, to the service.
export function stack(seconds: TrafficSecond[]) {
  let left = sum(seconds, (s) => s.requests);
  const all = left;
  return LAYERS.map((layer) => {
    const of = (verdict: 'deny' | 'delay' | 'answer') => sum(seconds, (s) => s.layers[layer.name]?.[verdict] ?? 0);
    const denied = of('deny');
    const answered = of('answer');
    const delayed = of('delay');
    const came = left;
    left -= denied + answered;
    return { ...layer, came, denied, answered, delayed, share: all === 0 ? 0 : (denied + answered) / all };
  });
}

function Stack({ seconds }: { seconds: TrafficSecond[] }) {
  const rows = stack(seconds).filter((row) => row.name !== 'cache' || row.answered > 0);
  return (
    <Table label="Layers from outside to inside" head={['Layer', { name: 'What it does', class: 'more' }, { name: 'Came in', class: 'number' }, { name: 'Denied', class: 'number' }, { name: 'Answered', class: 'number more' }, { name: 'Delayed', class: 'number more' }, 'Share stopped']}>
      {rows.map((row) => (
        <tr key={row.name}>
          <th scope="row">{row.denied > 0 ? <a href={`#/live?verdict=deny&layer=${row.name}`}>{row.title}</a> : row.title}</th>
          <td class="more faint">{row.does}</td>
          <td class="number">{count(row.came)}</td>
          <td class={row.denied > 0 ? 'number strong' : 'number faint'}>{count(row.denied)}</td>
          <td class={row.answered > 0 ? 'number more' : 'number more faint'}>{count(row.answered)}</td>
          <td class={row.delayed > 0 ? 'number more' : 'number more faint'}>{count(row.delayed)}</td>
          <td class="share"><Bar share={row.share} kind="deny" /><span>{percent(row.share)}</span></td>
        </tr>
      ))}
    </Table>
  );
}

export function Overview() {
  const status = useResource<Status>('/v1/status', 5).data;
  const [latest, setLatest] = useState<DecisionRecord[]>();
  useEffect(() => {
    const add = (records: DecisionRecord[]) => setLatest((before) => [...records, ...(before ?? [])].slice(0, LATEST));
    let stop = () => {};
    let over = false;
    get<{ requests: DecisionRecord[] }>(`/v1/requests?verdict=deny&limit=${LATEST}`).then(
      (answer) => {
        if (over) return;
        setLatest(answer.requests);
        stop = watch('?verdict=deny', (batch) => add(batch.records));
      },
      () => setLatest([]),
    );
    return () => {
      over = true;
      stop();
    };
  }, []);
  const seconds = traffic.value.slice(-window_.value);
  const all = sum(seconds, (s) => s.requests);
  const stopped = sum(seconds, (s) => (s.verdicts.deny ?? 0) + (s.verdicts.answer ?? 0));
  const failed = sum(seconds, (s) => s.status['5xx'] ?? 0);
  const rate = sum(traffic.value.slice(-10), (s) => s.requests) / Math.max(1, Math.min(10, traffic.value.length));
  const drawn = lines(seconds);
  const choose = (
    <div class="choice" role="group" aria-label="Time">
      {WINDOWS.map((one) => (
        <button type="button" key={one} aria-pressed={window_.value === one} onClick={() => { window_.value = one; }}>{one / 60} min</button>
      ))}
    </div>
  );
  return (
    <Page title="Overview" tools={choose}>
      <div class="figures">
        <Figure name="Requests a second" value={rate >= 10 ? count(Math.round(rate)) : rate.toFixed(1)} note="mean of 10 s" />
        <Figure name="Requests" value={count(all)} note={`in ${window_.value / 60} min`} />
        <Figure name="Stopped" value={count(stopped)} note={all === 0 ? 'of none' : `${percent(stopped / all)} of them`} />
        <Figure name="Failed (5xx)" value={count(failed)} note={all === 0 ? 'of none' : percent(failed / all)} />
        <Figure name="Endpoints" value={status ? `${status.endpoints_healthy} of ${status.endpoints}` : '–'} note="healthy" />
        <Figure name="Bans" value={status ? count(status.bans) : '–'} note={status ? `up ${span(status.uptime_seconds)}` : ''} />
      </div>
      <Section title="Traffic" note="requests a second">
        <Chart label={`Requests a second in the last ${window_.value / 60} minutes: ${count(all)} in all, ${count(stopped)} stopped`} times={drawn.times} lines={drawn.lines} unit="a second" />
      </Section>
      <Section title="Layers" note={`from outside to inside, ${plural(all, 'request')} in ${window_.value / 60} min`}>
        <Stack seconds={seconds} />
      </Section>
      <Section title="Denied last" note={<a href="#/live?verdict=deny">all of them</a>}>
        {latest === undefined || latest.length === 0 ? <Nothing>{latest ? 'Nothing was denied since the start.' : 'Loading.'}</Nothing> : <Table label="Denied last" kind="records" head={recordHead}><RecordRows records={latest} /></Table>}
      </Section>
    </Page>
  );
}
