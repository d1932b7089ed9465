import { useEffect, useState } from 'preact/hooks';
import type { DecisionRecord } from '../api';
import { get, may } from '../api';
import { LAYERS } from '../layers';
import { Nothing, Page, Problem, Raw, RecordRows, Table, recordHead } from '../parts';
import { clock, plural } from '../text';

interface Act {
  time: string;
  actor: string;
  action: string;
  target: string;
  outcome: string;
}
interface Found {
  events: ({ kind: 'request'; event: DecisionRecord } | { kind: 'act'; event: Act })[];
  next: string | null;
  searched_to: string | null;
  unreadable_blocks: number;
}

const PAGE = 100;
const TIMES = [['15m', '15 minutes'], ['1h', 'an hour'], ['24h', 'a day'], ['7d', 'a week'], ['30d', '30 days'], ['', 'all that is kept']] as const;
const FIELDS = ['from', 'kind', 'verdict', 'layer', 'client', 'user', 'route', 'rule', 'text'] as const;

const queryOf = (form: FormData) => {
  const query = new URLSearchParams();
  for (const name of FIELDS) {
    const value = String(form.get(name) ?? '').trim();
    if (value !== '') query.set(name, value);
  }
  return query;
};

export function Search({ query, kept }: { query: URLSearchParams; kept: boolean | undefined }) {
  const [found, setFound] = useState<Found>();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const asked = new URLSearchParams(FIELDS.flatMap((name) => (query.get(name) ? [[name, query.get(name) ?? '']] : [])));
  if (!query.has('from') && !query.has('all')) asked.set('from', '24h');
  const text = asked.toString();
  const allowed = kept === true && may('operator');

  const ask = async (after: string | null) => {
    setBusy(true);
    setError(undefined);
    try {
      const more = await get<Found>(`/v1/events?${text}${text ? '&' : ''}limit=${PAGE}${after ? `&${new URLSearchParams({ after })}` : ''}`);
      setFound((before) => (after && before ? { ...more, events: [...before.events, ...more.events] } : more));
    } catch (problem) {
      setError((problem as Error).message);
    }
    setBusy(false);
  };
  useEffect(() => {
    setFound(undefined);
    if (allowed) void ask(null);
  }, [text, allowed]);

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const wanted = queryOf(new FormData(event.target as HTMLFormElement));
    if (!wanted.has('from')) wanted.set('all', '1');
    location.hash = `#/search?${wanted}`;
  };
  const of = (name: string) => asked.get(name) ?? '';
  const requests = found?.events.flatMap((one) => (one.kind === 'request' ? [one.event] : [])) ?? [];
  const acts = found?.events.flatMap((one) => (one.kind === 'act' ? [one.event] : [])) ?? [];
  return (
    <Page title="Search" lead="What was kept: what was denied, slowed down, remarked upon or failed, a sample of the rest, and what people did.">
      {kept === false && <Nothing>Nothing is kept here: see <code>telemetry.events</code> of the configuration.</Nothing>}
      {kept === true && !may('operator') && <Nothing>What was kept is for operators.</Nothing>}
      {allowed && (
        <form class="filters" role="search" onSubmit={submit} key={text}>
          <label class="wide">Words<input name="text" value={of('text')} placeholder="that all stand somewhere in it" spellcheck={false} autocomplete="off" /></label>
          <label>Of the last<select name="from" value={of('from')}>{TIMES.map(([value, name]) => <option value={value} key={value}>{name}</option>)}</select></label>
          <label>Kind<select name="kind" value={of('kind')}><option value="">all</option><option value="request">requests</option><option value="act">acts</option></select></label>
          <label>Verdict<select name="verdict" value={of('verdict')}><option value="">all</option><option value="pass">passed</option><option value="deny">denied</option><option value="delay">delayed</option><option value="answer">answered</option></select></label>
          <label>Layer<select name="layer" value={of('layer')}><option value="">all</option>{LAYERS.map((layer) => <option value={layer.name} key={layer.name}>{layer.title}</option>)}</select></label>
          <label>Client<input name="client" value={of('client')} placeholder="192.0.2.0/24" spellcheck={false} autocomplete="off" /></label>
          <label>User<input name="user" value={of('user')} spellcheck={false} autocomplete="off" /></label>
          <label>Route<input name="route" value={of('route')} spellcheck={false} autocomplete="off" /></label>
          <label>Rule<input name="rule" value={of('rule')} inputMode="numeric" pattern="[0-9]*" autocomplete="off" /></label>
          <div class="submit"><button type="submit" class="main">Search</button></div>
        </form>
      )}
      <Problem text={error} />
      <p class="state" role="status">
        {busy ? 'Searching.' : found ? `${plural(found.events.length, 'event')}${found.next ? ' so far' : ''}.` : ''}
        {found?.searched_to && ` Time ran out: what is older than ${clock(found.searched_to)} was not looked at.`}
        {found && found.unreadable_blocks > 0 && ` ${plural(found.unreadable_blocks, 'block')} could not be read: damaged, or changed by somebody.`}
      </p>
      {requests.length > 0 && <Table label="Requests that were found" kind="records" head={recordHead}><RecordRows records={requests} /></Table>}
      {acts.length > 0 && (
        <Table label="Acts that were found" head={['Time', 'Who', 'Did', 'To', 'Outcome']}>
          {acts.map((act, i) => (
            <tr key={i}>
              <td class="time">{clock(act.time)}</td>
              <td><Raw>{act.actor}</Raw></td>
              <td><Raw>{act.action}</Raw></td>
              <td><Raw>{act.target}</Raw></td>
              <td><Raw class="plain">{act.outcome}</Raw></td>
            </tr>
          ))}
        </Table>
      )}
      {found?.next && <p><button type="button" disabled={busy} onClick={() => void ask(found.next)}>Older ones</button></p>}
    </Page>
  );
}
