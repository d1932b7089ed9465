// Where the pages are and what they look like: all that these tests know of the provider's HTML.

export const paths = {
  enrol: '/account/passkeys', // a page to add a passkey or a security key, for whoever is signed in
  enrolled: '/account/factors', // the list of what that user has
};

export const selectors = {
  create: 'button[data-webauthn=create]', // calls navigator.credentials.create with the page's options
  get: 'button[data-webauthn=get]', // on the login page (passwordless) and on the second factor's
  label: 'input[name=label]', // what the owner calls it, if it is asked
  enrolled: '[data-credential]', // in the list: one for each of the user's keys
  failed: '[role=alert]', // says that it did not work
};
