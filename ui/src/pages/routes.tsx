import type { DecisionRecord } from '../api';
import { useResource } from '../api';
import { LAYERS, titleOf } from '../layers';
import { Bar, Nothing, Page, Problem, Raw, Section, Table } from '../parts';
import { count, duration, percent, plural } from '../text';

interface RouteConfig {
  name: string;
  match?: { hosts?: string[]; path?: string; methods?: string[] };
  service?: string;
  services?: { name: string }[];
  public?: boolean;
  access?: Record<string, unknown>;
  waf?: { mode?: string };
}

interface Cost {
  requests: number;
  denied: number;
  failed: number;
  own: number[]; // microseconds of the gateway
  whole: number[];
  layers: Map<string, { ns: number; times: number }>;
}

function costsOf(records: DecisionRecord[]): Map<string, Cost> {
  const costs = new Map<string, Cost>();
  for (const record of records) {
    const cost: Cost = costs.get(record.route) ?? { requests: 0, denied: 0, failed: 0, own: [], whole: [], layers: new Map() };
    costs.set(record.route, cost);
    cost.requests += 1;
    if (record.verdict === 'deny') cost.denied += 1;
    if (record.status >= 500) cost.failed += 1;
    cost.own.push(record.gatehouse_us);
    cost.whole.push(record.duration_us);
    for (const layer of record.layers) {
      const one = cost.layers.get(layer.layer) ?? { ns: 0, times: 0 };
      one.ns += layer.ns;
      one.times += 1;
      cost.layers.set(layer.layer, one);
    }
  }
  return costs;
}

const quantile = (values: number[], q: number) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? 0;

const matchOf = (route: RouteConfig) => `${route.match?.methods?.join(' ') ?? 'any method'}  ${route.match?.hosts?.join(', ') ?? ''}${route.match?.path ?? ''}`;

function accessOf(route: RouteConfig): string {
  if (route.public) return 'everybody';
  const access = route.access ?? {};
  const parts = Object.entries(access).filter(([, value]) => value !== false && value !== '' && !(Array.isArray(value) && value.length === 0));
  return parts.length === 0 ? 'who is known' : parts.map(([name, value]) => (value === true ? name.replace('mfa', 'second factor') : `${name} ${Array.isArray(value) ? value.join(', ') : String(value)}`)).join('; ');
}

export function Routes() {
  const config = useResource<{ routes?: RouteConfig[] }>('/v1/config');
  const held = useResource<{ requests: DecisionRecord[] }>('/v1/requests?limit=1000', 10).data?.requests ?? [];
  const costs = costsOf(held);
  const routes = config.data?.routes ?? [];
  const seen = LAYERS.filter((layer) => held.some((record) => record.layers.some((one) => one.layer === layer.name)));
  const worst = Math.max(1, ...[...costs.values()].flatMap((cost) => [...cost.layers.values()].map((one) => one.ns / one.times)));
  return (
    <Page title="Routes" lead={`Times are of the last ${plural(held.length, 'request')} that are held.`}>
      <Problem text={config.error} />
      <Table label="Routes" head={['Route', 'Matches', { name: 'Service', class: 'more' }, 'Open to', { name: 'Requests', class: 'number' }, { name: 'Denied', class: 'number' }, { name: 'Gateway, median', class: 'number' }, { name: '99 %', class: 'number more' }, { name: 'Whole, median', class: 'number more' }]}>
        {routes.map((route) => {
          const cost = costs.get(route.name);
          return (
            <tr key={route.name}>
              <th scope="row"><Raw>{route.name}</Raw></th>
              <td class="path"><Raw>{matchOf(route)}</Raw></td>
              <td class="more"><Raw>{route.service ?? route.services?.map((one) => one.name).join(', ') ?? ''}</Raw></td>
              <td>{accessOf(route)}</td>
              <td class="number">{count(cost?.requests ?? 0)}</td>
              <td class="number">{cost ? percent(cost.denied / cost.requests) : '–'}</td>
              <td class="number">{cost ? duration(quantile(cost.own, 0.5) * 1000) : '–'}</td>
              <td class="number more">{cost ? duration(quantile(cost.own, 0.99) * 1000) : '–'}</td>
              <td class="number more">{cost ? duration(quantile(cost.whole, 0.5) * 1000) : '–'}</td>
            </tr>
          );
        })}
      </Table>
      <Section title="What each layer costs" note="mean of a request">
        {seen.length === 0 ? <Nothing>No request is held.</Nothing> : (
          <Table label="Cost of layers by route" head={['Route', ...seen.map((layer) => ({ name: titleOf(layer.name), class: 'number' }))]}>
            {[...costs].sort((a, b) => b[1].requests - a[1].requests).map(([name, cost]) => (
              <tr key={name}>
                <th scope="row">{name ? <Raw>{name}</Raw> : 'no route'}</th>
                {seen.map((layer) => {
                  const one = cost.layers.get(layer.name);
                  return <td class="number cell" key={layer.name}>{one ? <>{duration(one.ns / one.times)}<Bar share={one.ns / one.times / worst} /></> : '–'}</td>;
                })}
              </tr>
            ))}
          </Table>
        )}
      </Section>
    </Page>
  );
}
