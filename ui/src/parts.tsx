// What every page is made of.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { DecisionRecord, Mode, Verdict } from './api';
import { ApiError } from './api';
import { titleOf } from './layers';
import { clock, duration, encoded, printable } from './text';

// What strangers sent, in the letters of code.
export function Raw({ children, class: name }: { children: string; class?: string }) {
  return <bdi class={name ? `raw ${name}` : 'raw'}>{printable(children)}</bdi>;
}

const verdictWords: Record<Verdict, [string, string]> = {
  pass: ['✓', 'passed'],
  deny: ['✕', 'denied'],
  delay: ['◷', 'delayed'],
  answer: ['↩', 'answered'],
};

// A sign and a word; the colour only helps.
export function VerdictMark({ verdict, mode = 'enforce' }: { verdict: Verdict; mode?: Mode }) {
  const [sign, word] = verdictWords[verdict] ?? ['?', verdict];
  const watched = mode === 'monitor' && verdict !== 'pass';
  return (
    <span class={`mark ${watched ? 'delay' : verdict}`}>
      <span class="sign" aria-hidden="true">{watched ? '!' : sign}</span>
      {watched ? `would be ${word}` : word}
    </span>
  );
}

export function Page({ title, lead, tools, children }: { title: string; lead?: ComponentChildren; tools?: ComponentChildren; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Gatehouse`;
    if (document.activeElement !== document.body || location.hash !== '') heading.current?.focus({ preventScroll: true });
  }, [title]);
  return (
    <>
      <header class="page">
        <h1 tabIndex={-1} ref={heading}>{title}</h1>
        {tools && <div class="tools">{tools}</div>}
      </header>
      {lead && <p class="lead">{lead}</p>}
      {children}
    </>
  );
}

export function Section({ title, note, children }: { title: string; note?: ComponentChildren; children: ComponentChildren }) {
  return (
    <section>
      <h2>{title}{note && <small>{note}</small>}</h2>
      {children}
    </section>
  );
}

// A table that scrolls by itself when the window is narrower than it is.
export function Table({ label, head, kind, children }: { label: string; kind?: 'records'; head: (string | { name: string; class: string })[]; children: ComponentChildren }) {
  return (
    <div class="scroll" role="region" aria-label={label} tabIndex={0}>
      <table class={kind}>
        <thead>
          <tr>
            {head.map((one) => (typeof one === 'string' ? <th scope="col" key={one}>{one}</th> : <th scope="col" key={one.name} class={one.class}>{one.name}</th>))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export function Nothing({ children }: { children: ComponentChildren }) {
  return <p class="nothing">{children}</p>;
}

export function Problem({ text }: { text: string | undefined }) {
  return text === undefined ? null : <p class="problem" role="alert"><span aria-hidden="true">✕ </span>{text}</p>;
}

// A part of a whole as a bar; the figure stands beside it.
export function Bar({ share, kind = '' }: { share: number; kind?: string }) {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return (
    <svg class={`bar ${kind}`} viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect class="ground" width="100" height="6" />
      <rect class="part" width={width > 0 ? Math.max(width, 0.8) : 0} height="6" />
    </svg>
  );
}

export function Facts({ rows }: { rows: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Figure({ name, value, note }: { name: string; value: string; note?: string }) {
  return (
    <div class="figure">
      <span class="name">{name}</span>
      <span class="value">{value}</span>
      {note && <span class="note">{note}</span>}
    </div>
  );
}

export const requestLink = (id: string) => `#/requests/${encoded(id)}`;

export function RecordRows({ records }: { records: DecisionRecord[] }) {
  return (
    <>
      {records.map((record) => (
        <tr key={record.request_id}>
          <td class="time"><a href={requestLink(record.request_id)}>{clock(record.time)}</a></td>
          <td><VerdictMark verdict={record.verdict} /></td>
          <td class="number">{record.status || '–'}</td>
          <td class="path"><Raw class="method">{record.method}</Raw> <Raw>{record.path || '–'}</Raw></td>
          <td class="more"><Raw>{record.host}</Raw></td>
          <td class="who"><Raw>{record.client_ip || 'local'}</Raw></td>
          <td class="more"><Raw>{record.route || '–'}</Raw></td>
          <td class="why">{record.verdict === 'pass' ? '' : <>{titleOf(record.layer)}{record.reason && <span class="code"> {printable(record.reason)}</span>}</>}</td>
          <td class="number more">{duration(record.duration_us * 1000)}</td>
        </tr>
      ))}
    </>
  );
}

export const recordHead = ['Time', 'Verdict', { name: 'Status', class: 'number' }, 'Request', { name: 'Host', class: 'more' }, 'Client', { name: 'Route', class: 'more' }, 'Stopped by', { name: 'Took', class: 'number more' }];

// Asks before it does something that others notice. `act` says what was done.
export function Act({ label, title, children, danger, act }: { label: string; title: string; children: ComponentChildren; danger?: boolean; act: (form: FormData) => Promise<void> }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await act(new FormData(event.target as HTMLFormElement));
      dialog.current?.close();
    } catch (problem) {
      setError(problem instanceof ApiError ? problem.message : String(problem));
    }
    setBusy(false);
  };
  return (
    <>
      <button type="button" onClick={() => { setError(undefined); dialog.current?.showModal(); }}>{label}</button>
      <dialog ref={dialog} aria-label={title}>
        <form onSubmit={submit}>
          <h2>{title}</h2>
          {children}
          <Problem text={error} />
          <div class="buttons">
            <button type="button" onClick={() => dialog.current?.close()}>Cancel</button>
            <button type="submit" class={danger ? 'danger' : 'main'} disabled={busy}>{label}</button>
          </div>
        </form>
      </dialog>
    </>
  );
}
