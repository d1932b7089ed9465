// WebAuthn for the pages of Gatehouse. A form that takes a passkey has
//   data-options="the options as JSON, bytes in base64url",
//   data-autofill when the browser may offer passkeys in the name's field,
//   data-failed, data-cancelled, data-taken, data-unsupported: what to say, in an element with data-says,
//   an input `credential` for the answer,
//   a button with data-webauthn="get" or "create", hidden until it can work.

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

function decoded(options) {
  const list = (found) => (found || []).map((entry) => ({ ...entry, id: bytes(entry.id) }));
  const out = { ...options, challenge: bytes(options.challenge) };
  if (options.user) out.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) out.excludeCredentials = list(options.excludeCredentials);
  if (options.allowCredentials) out.allowCredentials = list(options.allowCredentials);
  return out;
}

// PublicKeyCredential.toJSON (WebAuthn Level 3 §5.1), which not every browser has.
function encoded(credential) {
  const from = credential.response;
  const response = { clientDataJSON: text(from.clientDataJSON) };
  if (from.attestationObject) {
    response.attestationObject = text(from.attestationObject);
    response.transports = from.getTransports ? from.getTransports() : [];
  } else {
    response.authenticatorData = text(from.authenticatorData);
    response.signature = text(from.signature);
    if (from.userHandle) response.userHandle = text(from.userHandle);
  }
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  });
}

// An alert only while there is something to say: an empty one would be announced on every page.
function say(form, text) {
  const place = form.querySelector('[data-says]');
  if (text) place.setAttribute('role', 'alert');
  else place.removeAttribute('role');
  place.textContent = text || '';
}

let waiting; // the autofill's request: only one may be open

async function ask(form, button, mediation) {
  say(form, '');
  waiting?.abort();
  const control = new AbortController();
  if (mediation) waiting = control;
  try {
    const publicKey = decoded(JSON.parse(form.dataset.options));
    const credential =
      button.dataset.webauthn === 'create'
        ? await navigator.credentials.create({ publicKey, signal: control.signal })
        : await navigator.credentials.get({ publicKey, mediation, signal: control.signal });
    form.elements.credential.value = encoded(credential);
    form.submit();
  } catch (error) {
    if (error.name === 'AbortError' || mediation) return;
    const why = { NotAllowedError: 'cancelled', InvalidStateError: 'taken' }[error.name];
    say(form, form.dataset[why] || form.dataset.failed);
  }
}

for (const button of document.querySelectorAll('button[data-webauthn]')) {
  const form = button.form;
  if (!window.PublicKeyCredential) {
    say(form, form.dataset.unsupported);
    continue;
  }
  button.hidden = false;
  form.closest('[data-shown-with-passkey]')?.removeAttribute('hidden');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    ask(form, button);
  });
  if ('autofill' in form.dataset && (await PublicKeyCredential.isConditionalMediationAvailable?.()))
    ask(form, button, 'conditional');
}
