import type { DecisionRecord, Inspection, LayerDecision, RuleHit } from '../api';
import { may, useResource } from '../api';
import { titleOf } from '../layers';
import { Bar, Facts, Nothing, Page, Problem, Raw, Section, Table, VerdictMark } from '../parts';
import { bytes, capital, clock, count, duration, encoded, plural, printable } from '../text';
import { BanDialog } from './bans';

interface Reason {
  code: string;
  meaning: string;
  hint: string;
}

const verbs = { pass: 'passed', deny: 'was denied', delay: 'was delayed', answer: 'was answered by the gateway' };

function Headline({ record, reason }: { record: DecisionRecord; reason: Reason | undefined }) {
  const status = record.status === 0 ? 'the client left before an answer' : `status ${record.status}`;
  return (
    <div class={`headline ${record.verdict}`}>
      <p>
        <VerdictMark verdict={record.verdict} /> The request <strong>{verbs[record.verdict]}</strong>
        {record.verdict !== 'pass' && <> by <strong>{titleOf(record.layer)}</strong></>}, {status}.
      </p>
      {reason && <p>{printable(capital(reason.meaning))} <span class="code">({printable(reason.code)})</span>.</p>}
      {reason?.hint && <p class="hint"><Code text={reason.hint} /></p>}
    </div>
  );
}

// Words of the gateway's own table; what stands in backquotes is code.
export function Code({ text }: { text: string }) {
  return <>{text.split('`').map((part, i) => (i % 2 === 1 ? <code key={i}>{printable(part)}</code> : printable(part)))}</>;
}

function facts(record: DecisionRecord): [string, preact.ComponentChildren][] {
  return [
    ['Request', <><Raw class="method">{record.method}</Raw> <Raw class="long">{record.host + record.path}</Raw></>],
    ['Over', `${record.protocol || 'unknown protocol'}, ${record.tls || 'not encrypted'}`],
    ['At', clock(record.time)],
    ['From', <><Raw>{record.client_ip || 'a local socket'}</Raw>, zone <Raw>{record.zone || 'none'}</Raw>, listener <Raw>{record.listener || 'none'}</Raw></>],
    ['To', <>route <Raw>{record.route || 'none'}</Raw>, service <Raw>{record.service || 'none'}</Raw>{record.endpoint && <> at <Raw>{record.endpoint}</Raw></>}</>],
    ['As', record.user ? <><Raw>{record.user}</Raw>, proved by <Raw>{record.auth || 'nothing'}</Raw></> : 'nobody known'],
    ['Took', `${duration(record.duration_us * 1000)}: ${duration(record.upstream_us * 1000)} waiting for the service, ${duration(record.gatehouse_us * 1000)} in the gateway`],
    ['Carried', `${bytes(record.bytes_in)} in, ${bytes(record.bytes_out)} out`],
    ['Request id', <Raw>{record.request_id}</Raw>],
    ...(record.trace_id ? ([['Trace', <Raw>{record.trace_id}</Raw>]] as [string, preact.ComponentChildren][]) : []),
  ];
}

function Layers({ layers }: { layers: LayerDecision[] }) {
  if (layers.length === 0) return <Nothing>No layer has looked at it: it was refused before it became a request.</Nothing>;
  const all = layers.reduce((sum, layer) => sum + layer.ns, 0);
  const most = Math.max(1, ...layers.map((layer) => layer.ns));
  return (
    <Table label="What each layer decided" head={['Layer', 'Verdict', 'Reason and evidence', { name: 'Cost', class: 'number' }, { name: 'Share', class: 'more' }]}>
      {layers.map((layer, i) => (
        <tr key={i}>
          <th scope="row">{titleOf(layer.layer)}</th>
          <td><VerdictMark verdict={layer.verdict} mode={layer.mode} /></td>
          <td class="evidence">{layer.reason && <span class="code">{printable(layer.reason)} </span>}{layer.evidence && <Raw>{layer.evidence}</Raw>}</td>
          <td class="number">{duration(layer.ns)}</td>
          <td class="more share"><Bar share={layer.ns / most} /></td>
        </tr>
      ))}
      <tr class="total"><th scope="row">All</th><td /><td /><td class="number">{duration(all)}</td><td class="more" /></tr>
    </Table>
  );
}

function terms(inspection: Inspection, level: number): string {
  const outbound = inspection.direction === 'outbound';
  const scores = inspection.rules.filter((rule) => rule.paranoia === level && rule.score !== 0 && rule.phase >= 3 === outbound).map((rule) => rule.score);
  const sum = inspection.levels[level - 1] ?? 0;
  const rest = sum - scores.reduce((a, b) => a + b, 0);
  const shown = scores.join(' + ');
  if (rest === 0) return `${shown} = ${sum}`;
  return `${shown}${shown ? ' + ' : ''}${rest}${shown ? ' of rules not shown' : ''} = ${sum}`;
}

function Hit({ hit }: { hit: RuleHit }) {
  return (
    <tr>
      <th scope="row"><a href={`#/rules?rule=${hit.rule}`}>{hit.rule}</a></th>
      <td class="number">{hit.score === 0 ? '–' : `+${hit.score}`}</td>
      <td class="evidence">
        <Raw class="plain">{hit.message ?? ''}</Raw>
        {hit.variable && <div class="matched">in <Raw class="strong">{hit.variable}</Raw>: <Raw class="found">{hit.matched ?? ''}</Raw>{(hit.times ?? 1) > 1 && `, and ${(hit.times ?? 1) - 1} more like it`}</div>}
        {hit.also && hit.also.length > 0 && <div class="faint">also in <Raw>{hit.also.join(', ')}</Raw>{hit.elsewhere ? ` and ${plural(hit.elsewhere, 'other')}` : ''}</div>}
        {hit.limit_reached && <div class="faint">Its pattern reached its bound of work, which counts as a match.</div>}
      </td>
      <td class="more faint">{hit.severity}</td>
    </tr>
  );
}

function InspectionPart({ inspection, route }: { inspection: Inspection; route: string }) {
  const { threshold, score } = inspection;
  const scored = inspection.rules.filter((rule) => rule.score !== 0 && rule.variable);
  const exception = scored.map((rule) => `{ rule: ${rule.rule}, target: ${JSON.stringify(rule.variable)} }`).join(', ');
  return (
    <Section title="What the inspection rules found">
      {threshold > 0 && (
        <div class="score">
          <p>{inspection.direction === 'outbound' ? 'The answer' : 'The request'} has a score of <strong>{score}</strong>; {threshold} denies. {score >= threshold ? 'It is reached.' : 'It is not reached.'}</p>
          <ul>
            {inspection.levels.map((sum, i) => (sum === 0 ? null : <li key={i}>paranoia {i + 1}: {terms(inspection, i + 1)}</li>))}
          </ul>
        </div>
      )}
      <Table label="Rules that matched" head={['Rule', { name: 'Score', class: 'number' }, 'What it found', { name: 'Severity', class: 'more' }]}>
        {inspection.rules.map((hit) => <Hit hit={hit} key={`${hit.rule}-${hit.phase}`} />)}
      </Table>
      {inspection.omitted > 0 && <p>And {plural(inspection.omitted, 'rule')} more.</p>}
      {exception && route && (
        <details>
          <summary>If this was no attack</summary>
          <p>An exception for these rules and fields alone, in the route <code>{printable(route)}</code> of the configuration:</p>
          <pre tabIndex={0}>{`waf: { exclude: [${printable(exception)}] }`}</pre>
          <p><code>gatehouse waf suggest</code> makes exceptions from many requests at once, and says what they would let through.</p>
        </details>
      )}
    </Section>
  );
}

function Meaning({ record, reasons }: { record: DecisionRecord; reasons: Reason[] }) {
  const others = reasons.filter((reason) => reason.code !== record.reason);
  if (others.length === 0) return null;
  return (
    <Section title="What else the layers said">
      <dl class="meaning">
        {others.map((reason) => (
          <div key={reason.code}>
            <dt class="code">{printable(reason.code)}</dt>
            <dd><Code text={`${reason.meaning}. ${reason.hint}`} /></dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}

export function Event({ id }: { id: string }) {
  const { data: record, error } = useResource<DecisionRecord>(`/v1/requests/${encoded(id)}`);
  const codes = record ? [...new Set([record.reason, ...record.layers.map((layer) => layer.reason)].filter((code) => code !== ''))] : [];
  const asked = codes.length > 0 ? `/v1/reasons?${codes.map((code) => `code=${encoded(code)}`).join('&')}` : null;
  const reasons = useResource<{ reasons: Reason[] }>(asked).data?.reasons ?? [];
  const tools = record?.client_ip && may('operator') ? <BanDialog address={record.client_ip} done={() => {}} /> : undefined;
  return (
    <Page title="Request" tools={tools}>
      <Problem text={error} />
      {record && (
        <>
          <Headline record={record} reason={reasons.find((one) => one.code === record.reason)} />
          <Facts rows={facts(record)} />
          {record.waf && <InspectionPart inspection={record.waf} route={record.route} />}
          <Section title="Layers" note={`in the order they decided; ${count(record.layers.length)} looked at it`}><Layers layers={record.layers} /></Section>
          <Meaning record={record} reasons={reasons} />
          <details>
            <summary>The record as the API gives it</summary>
            <pre tabIndex={0}>{printableJson(record)}</pre>
          </details>
        </>
      )}
    </Page>
  );
}

const printableJson = (value: unknown) => JSON.stringify(value, null, 2).split('\n').map(printable).join('\n');
