// The admin API as the dashboard uses it (docs/admin-api.yaml). Nothing else is asked, and nobody else.

import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';

export type Verdict = 'pass' | 'deny' | 'delay' | 'answer';
export type Mode = 'enforce' | 'monitor' | 'off';

export interface LayerDecision {
  layer: string;
  verdict: Verdict;
  mode: Mode;
  reason: string;
  ns: number;
  evidence: string;
}
export interface RuleHit {
  rule: number;
  score: number;
  paranoia: number;
  phase: number;
  severity?: string;
  message?: string;
  variable?: string;
  matched?: string;
  times?: number;
  also?: string[];
  elsewhere?: number;
  limit_reached?: boolean;
  tags?: string[];
}
export interface Inspection {
  direction: 'inbound' | 'outbound';
  score: number;
  threshold: number;
  levels: number[];
  rules: RuleHit[];
  omitted: number;
}
export interface DecisionRecord {
  time: string;
  request_id: string;
  trace_id: string;
  client_ip: string;
  zone: string;
  listener: string;
  route: string;
  service: string;
  endpoint: string;
  method: string;
  host: string;
  path: string;
  protocol: string;
  status: number;
  bytes_in: number;
  bytes_out: number;
  duration_us: number;
  upstream_us: number;
  gatehouse_us: number;
  user: string;
  auth: string;
  tls: string;
  verdict: Verdict;
  layer: string;
  reason: string;
  layers: LayerDecision[];
  waf?: Inspection;
}
export interface TrafficSecond {
  time: string;
  requests: number;
  verdicts: Partial<Record<Verdict, number>>;
  status: Record<string, number>;
  layers: Record<string, Partial<Record<Verdict, number>>>;
  remarked: number;
  missed: number;
}
export interface Session {
  signed_in: boolean;
  name?: string;
  role?: 'viewer' | 'operator' | 'administrator';
  expires_at?: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export const session = signal<Session | null>(null); // null: not asked yet
export const may = (role: 'operator' | 'administrator') =>
  session.value?.role === 'administrator' || session.value?.role === role;

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (method !== 'GET') headers['x-gatehouse-ui'] = '1';
  if (method === 'POST') headers['content-type'] = 'application/json';
  let response: Response;
  try {
    const text = body === undefined ? undefined : JSON.stringify(body);
    response = await fetch(path, { method, headers, credentials: 'same-origin', redirect: 'error', ...(text !== undefined && { body: text }) });
  } catch {
    throw new ApiError(0, 'Gatehouse does not answer.');
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok || response.status === 422) return answer as T;
  if (response.status === 401 && session.value?.signed_in) session.value = { signed_in: false };
  throw new ApiError(response.status, typeof answer.detail === 'string' ? answer.detail : `Status ${response.status}.`);
}

export const get = <T>(path: string) => call<T>('GET', path);

export interface Resource<T> {
  data: T | undefined;
  error: string | undefined;
  again: () => void;
}

// What is at a path: asked at once, when the path changes, and every so many seconds while the page can be seen.
export function useResource<T>(path: string | null, everySeconds = 0): Resource<T> {
  const [state, set] = useState<{ path: string | null; data?: T; error?: string }>({ path });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (path === null) return;
    let over = false;
    let timer = 0;
    const ask = async () => {
      try {
        const data = document.hidden && round > 0 ? undefined : await get<T>(path);
        if (!over && data !== undefined) set({ path, data });
      } catch (error) {
        if (!over) set((before) => ({ path, data: before.path === path ? before.data : undefined, error: (error as Error).message }) as typeof before);
      }
      if (!over && everySeconds > 0) timer = window.setTimeout(ask, everySeconds * 1000);
    };
    void ask();
    return () => {
      over = true;
      window.clearTimeout(timer);
    };
  }, [path, round]);
  const mine = state.path === path;
  return { data: mine ? state.data : undefined, error: mine ? state.error : undefined, again: () => setRound((n) => n + 1) };
}
