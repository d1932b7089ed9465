import { useResource } from '../api';
import { Nothing, Page, Problem, Raw, Section, Table } from '../parts';
import { count, percent, plural, printable } from '../text';

interface Endpoint {
  url: string;
  address: string;
  health: 'healthy' | 'unhealthy' | 'ejected' | 'unresolved';
  requests_active: number;
  requests: number;
  failures: number;
}
interface Service {
  name: string;
  balance: string;
  circuit_open: boolean;
  endpoints: Endpoint[];
}
interface ServiceConfig {
  sensitivity?: string;
  tls?: { client_cert?: string };
}

const health: Record<Endpoint['health'], [string, string]> = {
  healthy: ['pass', '✓'],
  unhealthy: ['deny', '✕'],
  ejected: ['delay', '◷'],
  unresolved: ['deny', '?'],
};

// How the way from the gateway to an endpoint is protected, and by what that is known.
function protection(url: string, config: ServiceConfig | undefined): string {
  if (url.startsWith('unix:')) return 'local socket';
  if (/^(https|h2):/.test(url)) return config?.tls?.client_cert ? 'mutual TLS' : 'TLS, the service does not know the gateway';
  return /^\w+:\/\/(127\.|localhost|\[::1\])/.test(url) ? 'plain, on this machine' : 'plain: anybody on the way can read it';
}

export function Services() {
  const services = useResource<{ services: Service[] }>('/v1/services', 3);
  const config = useResource<{ services?: Record<string, ServiceConfig> }>('/v1/config').data?.services ?? {};
  return (
    <Page title="Services">
      <Problem text={services.error} />
      {services.data?.services.length === 0 && <Nothing>There are no services.</Nothing>}
      {services.data?.services.map((service) => (
        <Section key={service.name} title={printable(service.name)} note={`${service.balance.replaceAll('_', ' ')}; sensitivity ${config[service.name]?.sensitivity ?? 'normal'}${service.circuit_open ? '; the circuit is open: requests are refused' : ''}`}>
          <Table label={`Endpoints of ${printable(service.name)}`} head={['Endpoint', 'Health', { name: 'The way there', class: 'more' }, { name: 'Active', class: 'number' }, { name: 'Requests', class: 'number' }, { name: 'Failures', class: 'number' }]}>
            {service.endpoints.map((endpoint) => (
              <tr key={endpoint.url + endpoint.address}>
                <th scope="row"><Raw>{endpoint.url}</Raw>{endpoint.address && !endpoint.url.includes(endpoint.address) && <span class="faint"> <Raw>{endpoint.address}</Raw></span>}</th>
                <td><span class={`mark ${health[endpoint.health][0]}`}><span class="sign" aria-hidden="true">{health[endpoint.health][1]}</span>{endpoint.health}</span></td>
                <td class="more">{protection(endpoint.url, config[service.name])}</td>
                <td class="number">{count(endpoint.requests_active)}</td>
                <td class="number">{count(endpoint.requests)}</td>
                <td class={endpoint.failures > 0 ? 'number strong' : 'number faint'}>{count(endpoint.failures)}{endpoint.failures > 0 && ` (${percent(endpoint.failures / endpoint.requests)})`}</td>
              </tr>
            ))}
          </Table>
          {service.endpoints.length === 0 && <Nothing>{plural(0, 'endpoint')}.</Nothing>}
        </Section>
      ))}
    </Page>
  );
}
