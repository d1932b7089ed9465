import { useEffect, useState } from 'preact/hooks';
import type { Session } from './api';
import { call, session } from './api';
import { Problem } from './parts';

// A link with a code signs in by itself; the code is out of the address bar and the history before it is used.
function takeCode(): string | null {
  const found = /^#code=([\w-]{20,})$/.exec(location.hash);
  if (found === null) return null;
  history.replaceState(null, '', '/');
  return found[1] ?? null;
}

export function SignIn() {
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const signIn = async (body: { token: string } | { code: string }) => {
    setBusy(true);
    setError(undefined);
    try {
      session.value = await call<Session>('POST', '/v1/session', body);
    } catch (problem) {
      setError((problem as Error).message);
    }
    setBusy(false);
  };
  useEffect(() => {
    document.title = 'Sign in · Gatehouse';
    const take = () => {
      const code = takeCode();
      if (code !== null) void signIn({ code });
    };
    take();
    addEventListener('hashchange', take);
    return () => removeEventListener('hashchange', take);
  }, []);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const token = new FormData(event.target as HTMLFormElement).get('token');
    if (typeof token === 'string' && token !== '') void signIn({ token });
  };
  return (
    <main class="sign-in">
      <h1>Gatehouse</h1>
      <form onSubmit={submit}>
        <label for="token">Admin token</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required spellcheck={false} />
        <Problem text={error} />
        <button type="submit" class="main" disabled={busy}>Sign in</button>
      </form>
      <p>The token is <code>admin.token</code> of the configuration. It is exchanged for a session of this browser, which ends after half an hour without use.</p>
    </main>
  );
}
