import { useState } from 'preact/hooks';
import { call, may, useResource } from '../api';
import { Act, Nothing, Page, Problem, Raw, Section, Table } from '../parts';
import { clock, encoded, plural } from '../text';

interface User {
  id: string;
  username: string;
  state: 'invited' | 'active' | 'disabled';
  effective_roles: string[];
  groups: string[];
  has_password: boolean;
  email?: string;
  created: string;
}
interface SignedIn {
  id: string;
  amr: string;
  device: string;
  client_ip: string;
  authenticated: string;
  second_factor?: string;
  seen: string;
  expires: string;
}
interface Factor {
  id: string;
  kind: string;
  label: string;
  used?: string;
}
interface AuditEvent {
  id: string;
  time: string;
  actor: string;
  action: string;
  target: string;
  outcome: 'ok' | 'refused';
}

const states = { active: ['pass', '✓'], invited: ['delay', '◷'], disabled: ['deny', '✕'] } as const;
const kinds: Record<string, string> = { totp: 'authenticator app', webauthn: 'passkey', email: 'e-mail', sms: 'text message', recovery: 'recovery codes' };
const path = (id: string) => `/v1/users/${encoded(id)}`;

function State({ state }: { state: User['state'] }) {
  const [kind, sign] = states[state] ?? ['', '?'];
  return <span class={`mark ${kind}`}><span class="sign" aria-hidden="true">{sign}</span>{state}</span>;
}

export function People({ identity }: { identity: boolean | undefined }) {
  const allowed = identity === true && may('operator');
  const users = useResource<{ users: User[] }>(allowed ? '/v1/users' : null, 10);
  const events = useResource<{ events: AuditEvent[] }>(allowed ? '/v1/audit-events?limit=50' : null, 10);
  return (
    <Page title="Users and sessions">
      {identity === false && <Nothing>Gatehouse keeps no users here: the configuration has no <code>identity</code>.</Nothing>}
      {identity === true && !may('operator') && <Nothing>Who users are is for operators.</Nothing>}
      <Problem text={users.error} />
      {users.data && (
        <Section title="Users" note={plural(users.data.users.length, 'user')}>
          {users.data.users.length === 0 ? <Nothing>There are no users yet.</Nothing> : (
            <Table label="Users" head={['Name', 'State', 'Roles', { name: 'Groups', class: 'more' }, { name: 'E-mail', class: 'more' }, { name: 'Since', class: 'more' }]}>
              {users.data.users.map((user) => (
                <tr key={user.id}>
                  <th scope="row"><a href={`#/people/${encoded(user.id)}`}><Raw>{user.username}</Raw></a></th>
                  <td><State state={user.state} /></td>
                  <td><Raw>{user.effective_roles.join(', ')}</Raw></td>
                  <td class="more"><Raw>{user.groups.join(', ')}</Raw></td>
                  <td class="more"><Raw>{user.email ?? ''}</Raw></td>
                  <td class="more time">{clock(user.created)}</td>
                </tr>
              ))}
            </Table>
          )}
        </Section>
      )}
      {events.data && (
        <Section title="What was done" note="the newest first">
          {events.data.events.length === 0 ? <Nothing>Nothing yet.</Nothing> : (
            <Table label="What was done" head={['Time', 'Who', 'Did', 'To', 'Outcome']}>
              {events.data.events.map((event) => (
                <tr key={event.id}>
                  <td class="time">{clock(event.time)}</td>
                  <td><Raw>{event.actor}</Raw></td>
                  <td class="code"><Raw>{event.action}</Raw></td>
                  <td><Raw>{event.target}</Raw></td>
                  <td><span class={`mark ${event.outcome === 'ok' ? 'pass' : 'deny'}`}><span class="sign" aria-hidden="true">{event.outcome === 'ok' ? '✓' : '✕'}</span>{event.outcome}</span></td>
                </tr>
              ))}
            </Table>
          )}
        </Section>
      )}
    </Page>
  );
}

export function Person({ id }: { id: string }) {
  const user = useResource<User>(path(id));
  const sessions = useResource<{ sessions: SignedIn[] }>(`${path(id)}/sessions`, 5);
  const factors = useResource<{ factors: Factor[] }>(`${path(id)}/factors`).data?.factors;
  const [said, setSaid] = useState('');
  const end = async (one: SignedIn) => {
    try {
      await call('DELETE', `/v1/sessions/${encoded(one.id)}`);
      setSaid('Signed out there.');
    } catch (problem) {
      setSaid((problem as Error).message);
    }
    sessions.again();
  };
  const tools = user.data && may('administrator') && (
    <Act label="Sign out everywhere" title={`Sign out ${user.data.username} everywhere`} danger act={async () => {
      await call('DELETE', `${path(id)}/sessions`);
      setSaid('Signed out everywhere.');
      sessions.again();
    }}>
      <p>It is over within a second on every gateway of the store.</p>
    </Act>
  );
  return (
    <Page title="User" tools={tools} lead={<a href="#/people">All users</a>}>
      <Problem text={user.error ?? sessions.error} />
      <p class="state" role="status">{said}</p>
      {user.data && (
        <dl class="facts">
          <div><dt>Name</dt><dd><Raw class="strong">{user.data.username}</Raw></dd></div>
          <div><dt>State</dt><dd><State state={user.data.state} /></dd></div>
          <div><dt>Roles</dt><dd><Raw>{user.data.effective_roles.join(', ') || 'none'}</Raw></dd></div>
          <div><dt>Second factors</dt><dd>{factors === undefined ? '' : factors.length === 0 ? 'none' : factors.map((factor) => `${kinds[factor.kind] ?? factor.kind}${factor.used ? `, used ${clock(factor.used)}` : ''}`).join('; ')}</dd></div>
          <div><dt>Id</dt><dd><Raw>{user.data.id}</Raw></dd></div>
        </dl>
      )}
      <Section title="Signed in" note={sessions.data && plural(sessions.data.sessions.length, 'session')}>
        {sessions.data?.sessions.length === 0 ? <Nothing>Nowhere.</Nothing> : (
          <Table label="Sessions" head={['Device', 'From', 'Proved by', { name: 'Second factor', class: 'more' }, 'Seen', { name: 'Ends', class: 'more' }, { name: 'Sign out', class: 'number' }]}>
            {sessions.data?.sessions.map((one) => (
              <tr key={one.id}>
                <th scope="row"><Raw>{one.device}</Raw></th>
                <td><Raw>{one.client_ip}</Raw></td>
                <td><Raw>{one.amr}</Raw></td>
                <td class="more">{one.second_factor ? clock(one.second_factor) : 'no'}</td>
                <td class="time">{clock(one.seen)}</td>
                <td class="more time">{clock(one.expires)}</td>
                <td class="number">{may('administrator') && <button type="button" aria-label={`Sign out on ${printableDevice(one)}`} onClick={() => void end(one)}>Sign out</button>}</td>
              </tr>
            ))}
          </Table>
        )}
      </Section>
    </Page>
  );
}

const printableDevice = (one: SignedIn) => `${one.device}, ${one.client_ip}`;
