import { useEffect, useRef, useState } from 'preact/hooks';
import type { DecisionRecord } from '../api';
import { get } from '../api';
import { LAYERS } from '../layers';
import { link, watch } from '../live';
import { Nothing, Page, Problem, RecordRows, Table, recordHead } from '../parts';
import { count, plural } from '../text';

const SHOWN = 100;
const WAITING_MAX = 1000; // while it is paused
// In a flood nobody reads 300 rows a second, and drawing them would make every press wait.
const CALM_MS = 500;
const ROWS_AT_ONCE = 25;

// What is shown of many: what was stopped first, in their order.
function choose(records: DecisionRecord[]): DecisionRecord[] {
  if (records.length <= ROWS_AT_ONCE) return records;
  const ranked = [...records].sort((a, b) => Number(a.verdict === 'pass') - Number(b.verdict === 'pass'));
  const chosen = new Set(ranked.slice(0, ROWS_AT_ONCE));
  return records.filter((record) => chosen.has(record));
}

interface Filter {
  verdict: string;
  layer: string;
  client: string;
  text: string;
}

const VERDICTS = ['pass', 'deny', 'delay', 'answer'];

function readFilter(query: URLSearchParams): Filter {
  const of = (name: string) => query.get(name) ?? '';
  return {
    verdict: VERDICTS.includes(of('verdict')) ? of('verdict') : '',
    layer: LAYERS.some((layer) => layer.name === of('layer')) ? of('layer') : '',
    client: of('client'),
    text: of('text'),
  };
}

function queryOf(filter: Filter, names: (keyof Filter)[]): string {
  const query = new URLSearchParams();
  for (const name of names) if (filter[name] !== '') query.set(name, filter[name]);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

function holds(record: DecisionRecord, text: string): boolean {
  if (text === '') return true;
  const wanted = text.toLowerCase();
  return [record.path, record.host, record.user, record.route, record.service, record.reason, record.method, record.request_id, String(record.status)].some((one) => one.toLowerCase().includes(wanted));
}

export function Live({ query }: { query: URLSearchParams }) {
  const filter = readFilter(query);
  const asked = queryOf(filter, ['verdict', 'layer', 'client']);
  const [records, setRecords] = useState<DecisionRecord[]>();
  const [waiting, setWaiting] = useState<DecisionRecord[]>([]);
  const [skipped, setSkipped] = useState(0);
  const [paused, setPaused] = useState(false);
  const [error, setError] = useState<string>();
  const isPaused = useRef(false);
  isPaused.current = paused;

  useEffect(() => {
    let over = false;
    let stop = () => {};
    setRecords(undefined);
    setWaiting([]);
    setSkipped(0);
    setError(undefined);
    get<{ requests: DecisionRecord[] }>(`/v1/requests${asked}${asked ? '&' : '?'}limit=${SHOWN}`).then(
      (answer) => {
        if (over) return;
        setRecords(answer.requests);
        let fresh: DecisionRecord[] = [];
        let missed = 0;
        let timer = 0;
        const draw = () => {
          timer = 0;
          const some = choose(fresh);
          missed += fresh.length - some.length;
          fresh = [];
          const left = missed;
          missed = 0;
          if (left > 0) setSkipped((n) => n + left);
          if (isPaused.current) setWaiting((before) => [...some, ...before].slice(0, WAITING_MAX));
          else if (some.length > 0) setRecords((before) => [...some, ...(before ?? [])].slice(0, 4 * SHOWN));
        };
        const unwatch = watch(asked, (batch) => {
          fresh = [...batch.records, ...fresh];
          missed += batch.skipped;
          if (fresh.length <= ROWS_AT_ONCE && missed === 0 && timer === 0) draw();
          else if (timer === 0) timer = window.setTimeout(draw, CALM_MS);
        });
        stop = () => {
          window.clearTimeout(timer);
          unwatch();
        };
      },
      (problem: Error) => !over && setError(problem.message),
    );
    return () => {
      over = true;
      stop();
    };
  }, [asked]);

  const resume = () => {
    setRecords((before) => [...waiting, ...(before ?? [])].slice(0, 4 * SHOWN));
    setWaiting([]);
    setPaused(false);
  };
  const toggle = () => (paused ? resume() : setPaused(true));
  const latestToggle = useRef(toggle);
  latestToggle.current = toggle;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const at = event.target as HTMLElement;
      if (event.key !== 'p' || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName)) return;
      latestToggle.current();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);

  const change = (name: keyof Filter) => (event: Event) => {
    const value = (event.target as HTMLInputElement).value.trim();
    history.replaceState(null, '', `#/live${queryOf({ ...filter, [name]: value }, ['verdict', 'layer', 'client', 'text'])}`);
    dispatchEvent(new HashChangeEvent('hashchange'));
  };
  const shown = records?.filter((record) => holds(record, filter.text)).slice(0, SHOWN);
  return (
    <Page title="Live feed" tools={<button type="button" onClick={toggle} aria-pressed={paused} aria-keyshortcuts="p">{paused ? `Go on${waiting.length > 0 ? ` (${count(waiting.length)} new)` : ''}` : 'Pause'}</button>}>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>Verdict
          <select value={filter.verdict} onChange={change('verdict')}>
            <option value="">all</option>
            <option value="pass">passed</option>
            <option value="deny">denied</option>
            <option value="delay">delayed</option>
            <option value="answer">answered</option>
          </select>
        </label>
        <label>Layer
          <select value={filter.layer} onChange={change('layer')}>
            <option value="">all</option>
            {LAYERS.map((layer) => <option key={layer.name} value={layer.name}>{layer.title}</option>)}
          </select>
        </label>
        <label>Client
          <input value={filter.client} onChange={change('client')} placeholder="192.0.2.0/24" spellcheck={false} autocomplete="off" />
        </label>
        <label class="wide">Contains
          <input value={filter.text} onInput={change('text')} placeholder="path, host, user, route, reason, id" spellcheck={false} autocomplete="off" />
        </label>
      </form>
      <Problem text={error} />
      <p class="state" role="status">
        {paused ? '❚❚ Paused.' : link.value === 'live' ? '● Live.' : link.value === 'lost' ? '○ The connection is lost; trying again.' : '○ Connecting.'}
        {skipped > 0 && ` ${plural(skipped, 'request')} came too fast to be shown one by one; the figures of the overview count them.`}
      </p>
      {shown && (shown.length === 0 ? <Nothing>No request that matches is held.</Nothing> : <Table label="Requests, the newest first" kind="records" head={recordHead}><RecordRows records={shown} /></Table>)}
    </Page>
  );
}
