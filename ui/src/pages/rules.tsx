import { signal } from '@preact/signals';
import { useResource } from '../api';
import { Bar, Figure, Nothing, Page, Problem, Raw, Section, Table } from '../parts';
import { clock, count, duration, percent } from '../text';

interface Rule {
  rule: number;
  message: string;
  in_force: boolean;
  file?: string;
  line?: number;
  phase?: number;
  paranoia?: number;
  hits: number;
  evaluations: number;
  mean_ns: number;
  worst_ns: number;
  share: number;
}
interface Stats {
  since: string;
  requests: number;
  timed: number;
  mean_ns: number;
  parts: { part: string; mean_ns: number; share: number }[];
  in_force: number;
  log: number;
  never_matched: number;
  rules: Rule[];
}

const by = signal<'hits' | 'cost'>('hits');
const parts: Record<string, string> = { reading: 'reading bodies and fields', scanning: 'scanning for all patterns at once', rules: 'rules one by one', rest: 'the rest' };

export function Rules({ query }: { query: URLSearchParams }) {
  const wanted = Number(query.get('rule') ?? 0);
  const stats = useResource<Stats>(`/v1/waf/stats?by=${by.value}&limit=200`, 10);
  const data = stats.data;
  const rules = data?.rules.filter((rule) => wanted === 0 || rule.rule === wanted) ?? [];
  const most = Math.max(1, ...(data?.rules ?? []).map((rule) => (by.value === 'hits' ? rule.hits : rule.share)));
  const choose = (
    <div class="choice" role="group" aria-label="Order">
      <button type="button" aria-pressed={by.value === 'hits'} onClick={() => { by.value = 'hits'; }}>By hits</button>
      <button type="button" aria-pressed={by.value === 'cost'} onClick={() => { by.value = 'cost'; }}>By cost</button>
    </div>
  );
  return (
    <Page title="Inspection rules" tools={choose} lead={wanted > 0 ? <>Rule {wanted} alone. <a href="#/rules">All rules</a></> : undefined}>
      <Problem text={stats.error} />
      {data && (
        <>
          <div class="figures">
            <Figure name="Rules in force" value={count(data.in_force)} note={`${count(data.log)} of them log`} />
            <Figure name="Never matched" value={count(data.never_matched)} note={`since ${clock(data.since)}`} />
            <Figure name="Requests inspected" value={count(data.requests)} note={`${count(data.timed)} of them timed`} />
            <Figure name="Inspection" value={data.timed > 0 ? duration(data.mean_ns) : '–'} note="mean of a request" />
          </div>
          {data.timed > 0 && (
            <Section title="Where the time goes">
              <Table label="Where the time of inspection goes" head={['Part', { name: 'Mean', class: 'number' }, 'Share']}>
                {data.parts.map((part) => (
                  <tr key={part.part}><th scope="row">{parts[part.part] ?? part.part}</th><td class="number">{duration(part.mean_ns)}</td><td class="share"><Bar share={part.share} /><span>{percent(part.share)}</span></td></tr>
                ))}
              </Table>
            </Section>
          )}
          <Section title={by.value === 'hits' ? 'Rules that matched' : 'Rules by what they cost'}>
            {rules.length === 0 ? <Nothing>{wanted > 0 ? 'It is not among them.' : by.value === 'hits' ? 'No rule has matched.' : 'No request was timed yet.'}</Nothing> : (
              <Table label="Rules" head={['Rule', 'Looks for', { name: 'Paranoia', class: 'number more' }, { name: 'Hits', class: 'number' }, { name: 'Mean', class: 'number' }, { name: 'Worst', class: 'number more' }, 'Share', { name: 'Written in', class: 'more' }]}>
                {rules.map((rule) => (
                  <tr key={rule.rule}>
                    <th scope="row">{rule.rule}</th>
                    <td class="text"><Raw class="plain">{rule.message}</Raw>{!rule.in_force && <span class="faint"> (no longer in force)</span>}</td>
                    <td class="number more">{rule.paranoia ?? '–'}</td>
                    <td class="number">{count(rule.hits)}</td>
                    <td class="number">{rule.evaluations > 0 ? duration(rule.mean_ns) : '–'}</td>
                    <td class="number more">{rule.evaluations > 0 ? duration(rule.worst_ns) : '–'}</td>
                    <td class="share"><Bar share={(by.value === 'hits' ? rule.hits : rule.share) / most} /></td>
                    <td class="more faint"><Raw>{rule.file ? `${rule.file.split('/').pop()}:${rule.line}` : ''}</Raw></td>
                  </tr>
                ))}
              </Table>
            )}
          </Section>
        </>
      )}
    </Page>
  );
}
