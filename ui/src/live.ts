// GET /v1/live: records and counts as they happen. The browser reconnects by itself, with the id of the last event, and
// the gateway goes on from there.

import { signal } from '@preact/signals';
import type { DecisionRecord, TrafficSecond } from './api';
import { get, session } from './api';

export const KEPT_SECONDS = 900;

export type Link = 'none' | 'connecting' | 'live' | 'lost'; // none: the page shows nothing that is live
export const link = signal<Link>('none');
export const traffic = signal<TrafficSecond[]>([]); // the oldest first

export interface Batch {
  records: DecisionRecord[]; // the newest first
  skipped: number;
}

function addSecond(second: TrafficSecond): void {
  const before = traffic.value;
  const last = before[before.length - 1];
  if (last !== undefined && last.time >= second.time) return;
  traffic.value = [...before.slice(-(KEPT_SECONDS - 1)), second];
}

// What was counted before the connection was open, or while it was lost.
async function loadTraffic(): Promise<void> {
  const { seconds } = await get<{ seconds: TrafficSecond[] }>('/v1/traffic');
  const last = seconds[seconds.length - 1]?.time ?? '';
  traffic.value = [...seconds, ...traffic.value.filter((second) => second.time > last)].slice(-KEPT_SECONDS);
}

// Until the function that it returns is called.
export function watch(query: string, onBatch: (batch: Batch) => void): () => void {
  let source: EventSource;
  let timer = 0;
  let over = false;
  const open = () => {
    link.value = 'connecting';
    source = new EventSource(`/v1/live${query}`);
    source.onopen = () => {
      link.value = 'live';
      void loadTraffic().catch(() => {});
    };
    source.addEventListener('records', (event) => {
      const batch = JSON.parse(event.data) as Batch;
      batch.records.sort((a, b) => (a.time < b.time ? 1 : -1)); // shards are read one after the other
      onBatch(batch);
    });
    source.addEventListener('traffic', (event) => addSecond(JSON.parse(event.data) as TrafficSecond));
    source.onerror = () => {
      link.value = 'lost';
      if (source.readyState !== EventSource.CLOSED || over) return;
      // Refused: the session is over, or there are too many watchers. The first is seen by asking.
      timer = window.setTimeout(() => {
        get<typeof session.value>('/v1/session').then((now) => {
          session.value = now;
          if (now?.signed_in && !over) open();
        }, open);
      }, 3000);
    };
  };
  open();
  return () => {
    over = true;
    link.value = 'none';
    window.clearTimeout(timer);
    source.close();
  };
}
