import { useResource } from '../api';
import { Figure, Nothing, Page, Problem, Raw, Section } from '../parts';
import { count, printable } from '../text';
import { Code } from './event';

interface Finding {
  severity: 'error' | 'warning' | 'info';
  id: string;
  file: string;
  line: number;
  column: number;
  message: string;
  why?: string;
  hint?: string;
}
interface Posture {
  file: string;
  valid: boolean;
  diagnostics: Finding[];
}

const kinds = [
  { severity: 'error', title: 'Errors', kind: 'deny', sign: '✕' },
  { severity: 'warning', title: 'Warnings', kind: 'delay', sign: '!' },
  { severity: 'info', title: 'Notes', kind: 'answer', sign: 'i' },
] as const;

export function PosturePage() {
  const posture = useResource<Posture>('/v1/posture', 30);
  const found = posture.data?.diagnostics ?? [];
  return (
    <Page title="Posture" lead="What gatehouse check finds in the configuration file as it is now." tools={<button type="button" onClick={posture.again}>Check again</button>}>
      <Problem text={posture.error} />
      {posture.data && (
        <>
          <div class="figures">
            {kinds.map((kind) => <Figure key={kind.severity} name={kind.title} value={count(found.filter((one) => one.severity === kind.severity).length)} />)}
            <Figure name="File" value={posture.data.valid ? 'valid' : 'not valid'} note={printable(posture.data.file.split('/').pop() ?? '')} />
          </div>
          {found.length === 0 && <Nothing>Nothing is to be said against it.</Nothing>}
          {kinds.map((kind) => {
            const some = found.filter((one) => one.severity === kind.severity);
            return some.length === 0 ? null : (
              <Section title={kind.title} key={kind.severity}>
                <ul class="findings">
                  {some.map((one, i) => (
                    <li key={i}>
                      <p><span class={`mark ${kind.kind}`}><span class="sign" aria-hidden="true">{kind.sign}</span></span><strong><Raw class="plain">{one.message}</Raw></strong></p>
                      {one.why && <p><Raw class="plain">{one.why}</Raw></p>}
                      {one.hint && <p class="hint">Fix: <Code text={one.hint} /></p>}
                      <p class="faint"><Raw>{one.id}</Raw>{one.line > 0 && <> in <Raw>{`${one.file.split('/').pop()}:${one.line}:${one.column}`}</Raw></>}</p>
                    </li>
                  ))}
                </ul>
              </Section>
            );
          })}
        </>
      )}
    </Page>
  );
}
