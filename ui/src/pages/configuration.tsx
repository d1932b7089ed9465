import { useState } from 'preact/hooks';
import { call, may, useResource } from '../api';
import { Act, Facts, Page, Problem, Raw, Section } from '../parts';
import { clock, plural, printable } from '../text';

interface Report {
  applied: boolean;
  generation: number;
  changes: string[];
  needs_restart: string[];
  errors: string[];
}
interface Status {
  generation: number;
  config_file: string;
  started: string;
  version: string;
  needs_restart: string[];
  last_reload?: { time: string; applied: boolean; message: string };
}

function Outcome({ report, asked }: { report: Report; asked: string }) {
  const title = report.errors.length > 0 ? 'Refused' : report.applied ? `In force: generation ${report.generation}` : report.changes.length === 0 ? 'The file says what is in force' : 'What would change';
  return (
    <Section title={title} note={asked}>
      <ul class="changes">
        {report.errors.map((line) => <li key={line}><span aria-hidden="true">✕ </span><Raw>{line}</Raw></li>)}
        {report.changes.map((line) => <li key={line}><Raw>{line}</Raw></li>)}
        {report.needs_restart.map((line) => <li key={line} class="faint"><Raw>{line}</Raw> acts only from the next start on</li>)}
      </ul>
    </Section>
  );
}

// One part of the configuration, closed until it is asked for.
function Part({ name, value }: { name: string; value: unknown }) {
  const text = JSON.stringify(value, null, 2);
  const size = Array.isArray(value) ? value.length : value !== null && typeof value === 'object' ? Object.keys(value).length : -1;
  if (size < 0) return <p class="part"><code>{name}</code> <Raw>{text}</Raw></p>;
  return (
    <details class="part">
      <summary><code>{name}</code> <span class="faint">{Array.isArray(value) ? plural(size, 'entry', 'entries') : plural(size, 'key')}</span></summary>
      <pre tabIndex={0}>{text.split('\n').map(printable).join('\n')}</pre>
    </details>
  );
}

export function Configuration() {
  const config = useResource<Record<string, unknown>>('/v1/config');
  const status = useResource<Status>('/v1/status', 10);
  const [report, setReport] = useState<{ report: Report; asked: string }>();
  const [error, setError] = useState<string>();
  const ask = async (path: string, body: unknown, asked: string) => {
    const answer = await call<Report>('POST', path, body);
    setReport({ report: answer, asked });
    config.again();
    status.again();
  };
  const dryRun = async () => {
    setError(undefined);
    try {
      await ask('/v1/reload', { dry_run: true }, 'difference between the file and what is in force');
    } catch (problem) {
      setError((problem as Error).message);
    }
  };
  const tools = may('administrator') && (
    <>
      <button type="button" onClick={() => void dryRun()}>Difference</button>
      <Act label="Reload" title="Put the file into force" act={() => ask('/v1/reload', {}, 'reload')}><p>It is read and validated aside; a mistake in it changes nothing.</p></Act>
      <Act label="Roll back" title="Go back to the configuration before" danger act={() => ask('/v1/rollback', {}, 'rollback')}><p>What was in force before the last reload is in force again. The file stays as it is.</p></Act>
    </>
  );
  const data = status.data;
  return (
    <Page title="Configuration" tools={tools}>
      <Problem text={error ?? config.error} />
      {report && <div role="status"><Outcome {...report} /></div>}
      {data && (
        <Facts rows={[
          ['File', <Raw>{data.config_file}</Raw>],
          ['Generation', `${data.generation}, of Gatehouse ${data.version}, started ${clock(data.started)}`],
          ['Last reload', data.last_reload ? `${clock(data.last_reload.time)}: ${data.last_reload.applied ? 'applied' : `refused: ${printable(data.last_reload.message)}`}` : 'none since the start'],
          ...(data.needs_restart.length > 0 ? [['Needs a restart', data.needs_restart.join(', ')] as [string, string]] : []),
        ]} />
      )}
      <Section title="In force" note="defaults included, secrets masked">
        {config.data && Object.entries(config.data).map(([name, value]) => <Part key={name} name={name} value={value} />)}
      </Section>
    </Page>
  );
}
