import { useState } from 'preact/hooks';
import type { DecisionRecord } from '../api';
import { call, may, useResource } from '../api';
import { Act, Nothing, Page, Problem, Raw, Section, Table } from '../parts';
import { clock, count, encoded, percent, plural, span } from '../text';

interface Ban {
  network: string;
  source: string;
  reason: string;
  until?: string;
}

const DURATIONS = [['10m', '10 minutes'], ['1h', 'an hour'], ['24h', 'a day'], ['7d', 'a week']] as const;
const sources: Record<string, string> = { configuration: 'configuration', operator: 'by hand', attacks: 'for attacks' };

export function BanDialog({ address = '', done }: { address?: string; done: () => void }) {
  return (
    <Act label="Ban" title={address ? `Ban ${address}` : 'Ban an address or a network'} danger act={async (form) => {
      await call('POST', '/v1/bans', { network: form.get('network'), duration: form.get('duration'), reason: form.get('reason') });
      done();
    }}>
      <label>Address or network<input name="network" value={address} required spellcheck={false} autocomplete="off" placeholder="192.0.2.7 or 192.0.2.0/24" /></label>
      <label>For<select name="duration">{DURATIONS.map(([value, name]) => <option value={value} key={value}>{name}</option>)}</select></label>
      <label>Why<input name="reason" maxLength={80} autocomplete="off" /></label>
    </Act>
  );
}

interface Client {
  address: string;
  zone: string;
  requests: number;
  denied: number;
  reasons: Map<string, number>;
  last: string;
}

function clientsOf(records: DecisionRecord[]): Client[] {
  const clients = new Map<string, Client>();
  for (const record of records) {
    const address = record.client_ip || 'local';
    const client = clients.get(address) ?? { address, zone: record.zone, requests: 0, denied: 0, reasons: new Map<string, number>(), last: record.time };
    clients.set(address, client);
    client.requests += 1;
    if (record.verdict === 'deny') {
      client.denied += 1;
      client.reasons.set(record.reason, (client.reasons.get(record.reason) ?? 0) + 1);
    }
  }
  return [...clients.values()].sort((a, b) => b.denied - a.denied || b.requests - a.requests);
}

const CLIENTS_SHOWN = 50;

export function Bans() {
  const bans = useResource<{ bans: Ban[] }>('/v1/bans', 5);
  const held = useResource<{ requests: DecisionRecord[] }>('/v1/requests?limit=1000', 10);
  const [said, setSaid] = useState('');
  const lift = async (ban: Ban) => {
    try {
      await call('DELETE', `/v1/bans/${encoded(ban.network)}`);
      setSaid(`The ban of ${ban.network} is lifted.`);
    } catch (problem) {
      setSaid((problem as Error).message);
    }
    bans.again();
  };
  const clients = clientsOf(held.data?.requests ?? []);
  return (
    <Page title="Clients and bans" tools={may('operator') ? <BanDialog done={() => { setSaid('Banned.'); bans.again(); }} /> : undefined}>
      <Problem text={bans.error} />
      <p class="state" role="status">{said}</p>
      <Section title="Banned" note={bans.data && plural(bans.data.bans.length, 'network')}>
        {bans.data?.bans.length === 0 ? <Nothing>Nobody is banned.</Nothing> : (
          <Table label="Bans" head={['Network', 'Why', 'Source', 'Until', { name: 'Lift', class: 'number' }]}>
            {bans.data?.bans.map((ban) => (
              <tr key={ban.network + ban.source}>
                <th scope="row"><Raw>{ban.network}</Raw></th>
                <td><Raw>{ban.reason}</Raw></td>
                <td>{sources[ban.source] ?? ban.source}</td>
                <td class="time">{ban.until ? `${clock(ban.until)} (${span((Date.parse(ban.until) - Date.now()) / 1000)})` : 'the configuration changes'}</td>
                <td class="number">{ban.until && may('operator') ? <button type="button" aria-label={`Lift the ban of ${ban.network}`} onClick={() => void lift(ban)}>Lift</button> : ''}</td>
              </tr>
            ))}
          </Table>
        )}
      </Section>
      <Section title="Clients" note={held.data && `in the last ${plural(held.data.requests.length, 'request')} that are held`}>
        {clients.length === 0 ? <Nothing>No request is held.</Nothing> : (
          <Table label="Clients" head={['Address', 'Zone', { name: 'Requests', class: 'number' }, { name: 'Denied', class: 'number' }, { name: 'Share', class: 'number more' }, { name: 'Mostly for', class: 'more' }, 'Last seen']}>
            {clients.slice(0, CLIENTS_SHOWN).map((client) => (
              <tr key={client.address}>
                <th scope="row"><a href={`#/live?client=${encoded(client.address)}`}><Raw>{client.address}</Raw></a></th>
                <td><Raw>{client.zone}</Raw></td>
                <td class="number">{count(client.requests)}</td>
                <td class={client.denied > 0 ? 'number strong' : 'number faint'}>{count(client.denied)}</td>
                <td class="number more">{percent(client.denied / client.requests)}</td>
                <td class="more code"><Raw>{[...client.reasons].sort((a, b) => b[1] - a[1])[0]?.[0] ?? ''}</Raw></td>
                <td class="time">{clock(client.last)}</td>
              </tr>
            ))}
          </Table>
        )}
      </Section>
    </Page>
  );
}
