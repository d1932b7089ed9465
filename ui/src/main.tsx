import { signal } from '@preact/signals';
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Session } from './api';
import { call, get, session } from './api';
import { link } from './live';
import { Nothing } from './parts';
import { Bans } from './pages/bans';
import { Configuration } from './pages/configuration';
import { Event } from './pages/event';
import { Live } from './pages/live';
import { Overview } from './pages/overview';
import { People, Person } from './pages/people';
import { PosturePage } from './pages/posture';
import { Routes } from './pages/routes';
import { Rules } from './pages/rules';
import { Search } from './pages/search';
import { Services } from './pages/services';
import { SignIn } from './sign_in';

interface Place {
  path: string[]; // #/requests/ID: requests, ID
  query: URLSearchParams;
}

function place(): Place {
  const hash = location.hash.startsWith('#code=') ? '' : location.hash; // sign_in.tsx takes it
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const pieces = path.split('/').map((piece) => {
    try {
      return decodeURIComponent(piece);
    } catch {
      return piece;
    }
  });
  return { path: pieces, query: new URLSearchParams(query) };
}

const here = signal(place());
// What the configuration has; undefined until it is known.
const identity = signal<boolean>();
const kept = signal<boolean>();
addEventListener('hashchange', () => {
  here.value = place();
});

const pages: { path: string; title: string }[] = [
  { path: '', title: 'Overview' },
  { path: 'live', title: 'Live feed' },
  { path: 'search', title: 'Search' },
  { path: 'bans', title: 'Clients and bans' },
  { path: 'routes', title: 'Routes' },
  { path: 'services', title: 'Services' },
  { path: 'rules', title: 'Inspection rules' },
  { path: 'people', title: 'Users and sessions' },
  { path: 'posture', title: 'Posture' },
  { path: 'configuration', title: 'Configuration' },
];

function CurrentPage() {
  const { path, query } = here.value;
  const [name = '', id] = path;
  switch (name) {
    case '': return <Overview />;
    case 'live': return <Live query={query} />;
    case 'requests': return id ? <Event id={id} key={id} /> : <Live query={query} />;
    case 'search': return <Search query={query} kept={kept.value} />;
    case 'bans': return <Bans />;
    case 'routes': return <Routes />;
    case 'services': return <Services />;
    case 'rules': return <Rules query={query} />;
    case 'people': return id ? <Person id={id} key={id} /> : <People identity={identity.value} />;
    case 'posture': return <PosturePage />;
    case 'configuration': return <Configuration />;
    default: return <><h1>Nothing is here</h1><Nothing><a href="#/">To the overview</a></Nothing></>;
  }
}

async function signOut() {
  await call('DELETE', '/v1/session').catch(() => {});
  session.value = { signed_in: false };
  location.hash = '';
}

const idPattern = /^[0-9a-hjkmnp-tv-z]{26}$/;

function Find() {
  const [bad, setBad] = useState(false);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const id = String(new FormData(form).get('id')).trim().toLowerCase();
    setBad(!idPattern.test(id));
    if (!idPattern.test(id)) return;
    location.hash = `#/requests/${id}`;
    form.reset();
  };
  return (
    <form class="find" role="search" onSubmit={submit}>
      <label class="hidden" for="find-id">Request id</label>
      <input id="find-id" name="id" placeholder="Request id" spellcheck={false} autocomplete="off" aria-invalid={bad} aria-describedby="find-bad" />
      <span id="find-bad" class="bad" role="status">{bad ? 'A request id has 26 letters and digits.' : ''}</span>
    </form>
  );
}

function Shell() {
  const [open, setOpen] = useState(false);
  const current = here.value.path[0] === 'requests' ? 'live' : (here.value.path[0] ?? '');
  useEffect(() => setOpen(false), [here.value]);
  useEffect(() => {
    get<{ identity?: unknown; telemetry?: { events?: { keep?: boolean } } }>('/v1/config').then((config) => {
      identity.value = config.identity !== undefined && config.identity !== null;
      kept.value = config.telemetry?.events?.keep === true;
    }, () => {});
  }, []);
  const user = session.value;
  return (
    <div class="shell">
      <a class="skip" href="#content" onClick={(event) => { event.preventDefault(); document.querySelector<HTMLElement>('#content h1')?.focus(); }}>To the content</a>
      <header class="side">
        <div class="brand">
          <a href="#/">Gatehouse</a>
          {link.value !== 'none' && <span class={`link ${link.value}`} title={link.value === 'live' ? 'Live' : 'Not connected'} aria-hidden="true" />}
          <button type="button" class="menu" aria-expanded={open} aria-controls="nav" onClick={() => setOpen(!open)}>Menu</button>
        </div>
        <div id="nav" class={open ? 'open' : ''}>
          <nav aria-label="Pages">
            <ul>
              {pages.map((page) => (
                <li key={page.path}><a href={`#/${page.path}`} aria-current={current === page.path ? 'page' : undefined}>{page.title}</a></li>
              ))}
            </ul>
          </nav>
          <Find />
          <div class="caller">
            <span>{user?.name}, {user?.role}</span>
            {user?.expires_at && <button type="button" onClick={() => void signOut()}>Sign out</button>}
          </div>
        </div>
      </header>
      <main id="content"><CurrentPage /></main>
    </div>
  );
}

function App() {
  useEffect(() => {
    const ask = async () => {
      session.value = await get<Session>('/v1/session').catch(() => ({ signed_in: false }));
    };
    void ask();
  }, []);
  if (session.value === null) return null;
  return session.value.signed_in ? <Shell /> : <SignIn />;
}

const root = document.getElementById('app');
if (root !== null) render(<App />, root);
