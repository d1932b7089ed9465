"""The HTML of the demo: plain pages that need no script. Everything that is put into one is escaped here."""

import html

KIND = "text/html; charset=utf-8"

STYLE = """
:root { color-scheme: light dark; --line: #8888884d; --accent: #2f6f4f; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
header { display: flex; gap: 1.5rem; align-items: baseline; border-bottom: 1px solid var(--line); padding-bottom: .5rem; }
header strong { margin-right: auto; font-size: 1.25rem; }
ul.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem; list-style: none; padding: 0; }
ul.cards li { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; }
ul.cards img { width: 100%; height: auto; border-radius: .25rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { white-space: nowrap; }
td.value { font-family: ui-monospace, monospace; font-size: .85rem; overflow-wrap: anywhere; }
label { display: block; margin: .5rem 0; }
input, select, button { font: inherit; padding: .35rem .6rem; }
button { background: var(--accent); color: #fff; border: 0; border-radius: .25rem; cursor: pointer; }
"""


class Markup(str):
    """HTML that stays as it is."""


def markup(template, *values, **named):
    """`template` with its {} filled in: text is escaped, Markup is not."""

    def shown(value):
        return value if isinstance(value, Markup) else html.escape(str(value))

    return Markup(template.format(*map(shown, values), **{name: shown(value) for name, value in named.items()}))


def joined(pieces):
    return Markup("".join(pieces))


def money(cents):
    return f"{cents // 100}.{cents % 100:02} €"


def rows(table):
    """Lines of a table, each a list of cells."""
    return joined(markup("<tr>{}</tr>\n", joined(markup("<td>{}</td>", cell) for cell in line)) for line in table)


def page(title, *parts, name="The shop", links=(("/", "Products"), ("/account", "Your account"))):
    """The whole page, as an answer's body."""
    text = markup(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n<title>{title}</title>\n'
        "<style>{style}</style>\n</head>\n<body>\n<header><strong>{name}</strong>{links}</header>\n<main>\n<h1>{title}</h1>\n"
        "{parts}</main>\n</body>\n</html>\n",
        title=title,
        style=Markup(STYLE),
        name=name,
        links=joined(markup(' <a href="{}">{}</a>', place, words) for place, words in links),
        parts=joined(parts),
    )
    return text.encode()
