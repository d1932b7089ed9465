"""A browser without JavaScript, and a plain HTTPS client: one exchange at a time, cookies and forms by hand.

Nothing is followed unless asked: where an answer points is what the checks look at.
"""

import html.parser
import http.client
import json
import socket
import ssl
import urllib.parse

TIMEOUT_SECONDS = 20
STEPS_MAX = 12  # redirects and forms from the first request until the client has its answer
REDIRECTS = (301, 302, 303, 307, 308)


def pairs(fields):
    """A dictionary or a list of pairs, without what is None. A list may say a name twice."""
    items = fields.items() if isinstance(fields, dict) else fields
    return [(name, str(value)) for name, value in items if value is not None]


def with_query(url, fields):
    fields = pairs(fields)
    return url + ("&" if "?" in url else "?") + urllib.parse.urlencode(fields) if fields else url


def query_of(url):
    """The parameters of a URL's query; a name that comes twice is a failure of the provider."""
    found = urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True)
    assert len({name for name, _ in found}) == len(found), f"a parameter comes twice in {url}"
    return dict(found)


class Answer:
    def __init__(self, method, url, sent, status, fields, body):
        self.method, self.url, self.sent = method, url, sent
        self.status, self.fields, self.body = status, fields, body

    def __repr__(self):
        """The exchange as it was, for a failure's report."""
        head = "\n".join(f"  {name}: {value}" for name, value in self.fields)
        return f"\n{self.method} {self.url}\n{self.sent}\n--> {self.status}\n{head}\n\n{self.text[:1500]}"

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        assert len(values) < 2 or name.lower() in ("cache-control", "vary", "www-authenticate"), f"{name} comes twice: {self!r}"
        return ", ".join(values) if values else None

    @property
    def text(self):
        return self.body.decode(errors="replace")

    def json(self):
        kind = (self.header("content-type") or "").split(";")[0]
        assert kind == "application/json" or kind.endswith("+json"), f"not JSON: {self!r}"
        return json.loads(self.body)

    @property
    def is_redirect(self):
        return self.status in REDIRECTS

    @property
    def location(self):
        value = self.header("location")
        return urllib.parse.urljoin(self.url, value) if value else None

    @property
    def is_page(self):
        return (self.header("content-type") or "").startswith("text/html")

    def forms(self):
        reader = FormReader(self.url)
        reader.feed(self.text)
        return reader.forms

    def refusal(self):
        """The `error` of a JSON answer (RFC 6749 §5.2), which must be an error's answer."""
        assert 400 <= self.status < 500, f"not refused: {self!r}"
        return self.json()["error"]


class Form:
    def __init__(self, action, method, identity):
        self.action, self.method, self.identity = action, method, identity
        self.fields, self.buttons = [], []  # [name, value, type], (name, value)

    def has(self, name):
        return any(field[0] == name for field in self.fields)

    def buttons_named(self, name):
        return [value for button, value in self.buttons if button == name]

    def is_for_a_script(self):
        """Nothing to fill in: a page whose forms are all so is sent on by a script, or by a button without JavaScript."""
        return bool(self.fields) and all(kind == "hidden" for _, _, kind in self.fields) and self.buttons in ([], [(None, "")])

    def filled(self, values, button=None):
        sent = [(name, values.get(name, value)) for name, value, _ in self.fields]
        sent += [(name, value) for name, value in values.items() if not self.has(name)]
        return sent + ([button] if button and button[0] else [])


class FormReader(html.parser.HTMLParser):
    def __init__(self, url):
        super().__init__()
        self.url, self.forms, self.open, self.loose = url, [], None, []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            action = urllib.parse.urljoin(self.url, given.get("action") or self.url)
            self.open = Form(action, (given.get("method") or "get").upper(), given.get("id"))
            self.forms.append(self.open)
            for identity, add in [loose for loose in self.loose if loose[0] == self.open.identity]:
                add(self.open)
            return
        owner = self.open
        if given.get("form"):
            owner = next((form for form in self.forms if form.identity == given["form"]), None)
        kind = (given.get("type") or ("submit" if tag == "button" else "text")).lower()
        if tag not in ("input", "button", "select", "textarea") or "disabled" in given:
            return
        name, value = given.get("name"), given.get("value") or ""

        def add(form):
            if kind in ("submit", "button", "image"):
                form.buttons.append((name, value))
            elif name and (kind not in ("checkbox", "radio") or "checked" in given):
                form.fields.append([name, value, kind])

        if owner is not None:
            add(owner)
        elif given.get("form"):
            self.loose.append((given["form"], add))

    def handle_endtag(self, tag):
        if tag == "form":
            self.open = None


class Agent:
    """One user's browser, or a client's back end: its cookies are its own."""

    def __init__(self, ca, certificate=None, language="en", accept="text/html,application/json;q=0.9"):
        self.context = ssl.create_default_context(cafile=ca)
        if certificate:
            self.context.load_cert_chain(*certificate)
        self.cookies = {}  # name -> value: the suite talks to one host only
        self.language, self.accept = language, accept
        self.log = []
        self.kept = {}
        self.source = None  # the address that it comes from
        self.plain = ()  # where it goes without TLS: "127.0.0.1:8080"

    def send(self, method, url, body=None, headers=()):
        headers = dict(headers)
        headers.setdefault("Accept", self.accept)
        headers.setdefault("Accept-Language", self.language)
        if self.cookies and "Cookie" not in headers:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        parts = urllib.parse.urlsplit(url)
        assert parts.scheme == "https" or parts.netloc in self.plain, f"only https is spoken here: {url}"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        answer = self.exchange(parts, method, target, body, headers, url)
        for cookie in answer.all("set-cookie"):
            self.keep(cookie)
        self.log.append(answer)
        return answer

    def exchange(self, parts, method, target, body, headers, url):
        """Over the kept connection; once more over a new one when the server had closed it meanwhile."""
        place = parts.netloc
        for fresh in (False, True):
            connection = None if fresh else self.kept.pop(place, None)
            reused = connection is not None
            if connection is None:
                connection = self.connect(parts)
            try:
                connection.request(method, target, body, headers)
                if connection.sock is not None:
                    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                response = connection.getresponse()
                data = response.read()
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                connection.close()
                if reused:
                    continue
                raise
            if response.will_close:
                connection.close()
            else:
                self.kept[place] = connection
            sent = body.decode(errors="replace") if isinstance(body, bytes) else body
            return Answer(method, url, sent, response.status, response.getheaders(), data)
        raise AssertionError("the server closes every connection")

    def connect(self, parts):
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS, context=self.context,
                                           source_address=self.source)  # fmt: skip

    def keep(self, cookie):
        pair, *attributes = cookie.split(";")
        name, _, value = pair.strip().partition("=")
        gone = any(a.strip().lower() in ("max-age=0",) or "1970" in a for a in attributes)
        if gone or not value:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value

    def get(self, url, fields=(), headers=()):
        return self.send("GET", with_query(url, fields), None, headers)

    def post(self, url, fields=(), headers=()):
        body = urllib.parse.urlencode(pairs(fields)).encode()
        return self.send("POST", url, body, {"Content-Type": "application/x-www-form-urlencoded", **dict(headers)})

    def submit(self, form, values=(), button=None, headers=()):
        """Sends a form as a browser would, with its hidden fields."""
        fields = form.filled(dict(values), button)
        if form.method == "GET":
            return self.get(form.action, fields, headers)
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(form.action))
        return self.post(form.action, fields, {"Origin": origin, "Sec-Fetch-Site": "same-origin", **dict(headers)})


class Journey:
    """A user's way from an authorization request to the client's answer: what was shown, and where it ended."""

    def __init__(self, agent, origin):
        self.agent, self.origin = agent, origin
        self.answers, self.asked = [], []  # asked: "login", "code", "consent" … in order
        self.callback, self.redirect = None, None  # parameters for the client, and the URL they came to

    @property
    def last(self):
        return self.answers[-1]

    def __repr__(self):
        return f"asked {self.asked}, callback {self.callback} at {self.redirect}: " + "".join(map(repr, self.answers[-3:]))

    def inside(self, url):
        return url.startswith(self.origin + "/")

    def take(self, answer):
        """Follows redirects within the provider until a page, or until one leads outside."""
        for _ in range(STEPS_MAX):
            self.answers.append(answer)
            if not answer.is_redirect:
                return
            place = answer.location
            assert place, f"a redirect to nowhere: {answer!r}"
            if not self.inside(place):
                self.redirect, self.callback = place, query_of(place)
                return
            answer = self.agent.get(place)
        raise AssertionError(f"redirects without an end: {self!r}")

    def take_form_post(self):
        for form in self.last.forms():
            if form.method == "POST" and not self.inside(form.action):
                self.redirect, self.callback = form.action, {name: value for name, value, _ in form.fields}
                return True
        return False

    def go(self, user, decision="allow"):
        """Fills in the forms that come: credentials of `user`, then the decision. With no user it stops at the login."""
        for _ in range(STEPS_MAX):
            if self.callback is not None or not self.last.is_page or self.take_form_post():
                return self
            step = next((step for form in self.last.forms() if (step := self.step(form, user, decision))), None)
            if step is None:
                return self
            self.take(step())
        raise AssertionError(f"forms without an end: {self!r}")

    def step(self, form, user, decision):
        if form.has("password"):
            return self.fill("login", form, {"username": user.name, "password": user.password}, user) if user else None
        if form.has("code") and user and user.totp:
            return self.fill("code", form, {"code": user.code()}, user)
        if form.has("username"):
            return self.fill("name", form, {"username": user.name}, user) if user else None
        if form.buttons_named("decision") and decision:
            assert set(form.buttons_named("decision")) == {"allow", "deny"}, self.last
            return self.fill("consent", form, {}, user, ("decision", decision))
        if all(one.is_for_a_script() for one in self.last.forms()):
            return self.fill("continue", form, {}, user)  # a page that a script would send on
        return None

    def fill(self, what, form, values, user, button=None):
        if self.asked.count(what) >= 2:
            return None  # the same question a third time: the provider does not take the answer
        button = button or next(iter(form.buttons), None)

        def send():
            if what != "continue":
                self.asked.append(what)
            return self.agent.submit(form, values, button)

        return send
