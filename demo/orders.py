#!/usr/bin/env python3
"""Orders, on SQLite. A customer sees their own; an operator sees all."""

import re
import secrets
import sqlite3
import threading
import time
import urllib.parse

import pages
from goods import PRODUCTS
from service import Problem, Service, see_other

service = Service("orders")
lock = threading.Lock()

SCHEMA = """
create table if not exists orders (
  id text primary key,
  user text not null,
  product text not null,
  quantity integer not null check (quantity between 1 and 100),
  state text not null check (state in ('placed', 'cancelled')),
  placed_at integer not null
) strict;
create index if not exists orders_user on orders (user, placed_at);
"""
COLUMNS = "id, user, product, quantity, state, placed_at"
EXAMPLES = (
    ("ord-7f3a90c2e51b", "alice", "p-1002", 2, "placed", 1735725600),
    ("ord-b18d44e0937c", "alice", "p-1004", 1, "cancelled", 1735812000),
    ("ord-24c96ab7f0d5", "bob", "p-1001", 1, "placed", 1735898400),
)


database = None


def open_database(path):
    global database
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    database.row_factory = sqlite3.Row
    database.executescript(SCHEMA)
    database.executemany(f"insert or ignore into orders ({COLUMNS}) values (?, ?, ?, ?, ?, ?)", EXAMPLES)


def rows(sql, *values):
    with lock:
        return [dict(row) for row in database.execute(sql, values)]


def find(request):
    """An order that the caller may see. Somebody else's is not told from one that does not exist."""
    found = rows(f"select {COLUMNS} from orders where id = ?", request.parts["id"])
    if not found or (found[0]["user"] != request.user and not request.has_role("operator")):
        raise Problem(404, "no such order")
    return found[0]


def visible(request):
    if request.has_role("operator"):
        return rows(f"select {COLUMNS} from orders order by placed_at desc limit 100")
    return rows(f"select {COLUMNS} from orders where user = ? order by placed_at desc limit 100", request.user)


@service.route("GET", "/orders")
def own_orders(request):
    return 200, {"orders": visible(request)}


@service.route("POST", "/orders")
def place(request):
    order = {
        "id": "ord-" + secrets.token_hex(6),
        "user": request.user,
        "product": request.field("product", str, 1, 32),
        "quantity": request.field("quantity", int, 1, 100),
        "state": "placed",
        "placed_at": int(time.time()),
    }
    rows(f"insert into orders ({COLUMNS}) values (?, ?, ?, ?, ?, ?)", *order.values())
    return 201, order


@service.route("GET", "/orders/{id}")
def detail(request):
    return 200, find(request)


@service.route("POST", "/orders/{id}/cancel")
def cancel(request):
    order = find(request)
    changed = rows("update orders set state = 'cancelled' where id = ? and state = 'placed' returning id", order["id"])
    if not changed:
        raise Problem(409, "it was cancelled before")
    return 200, {**order, "state": "cancelled"}


# Pages, for people with a browser. Nothing here knows how they signed in.


def line_of(order, may_pay):
    product = PRODUCTS.get(order["product"], {"name": order["product"], "price_cents": 0})
    sum_cents = product["price_cents"] * order["quantity"]
    pay = {"order": order["id"], "amount_cents": sum_cents}
    link = pages.markup('<a href="/pay?{}">Pay</a>', urllib.parse.urlencode(pay)) if may_pay and order["state"] == "placed" else ""
    return [order["id"], order["user"], f"{order['quantity']} × {product['name']}", pages.money(sum_cents), order["state"], link]


@service.route("GET", "/account")
def account(request):
    may_pay = request.has_role("customer")
    table = pages.rows(line_of(order, may_pay) for order in visible(request))
    choices = pages.joined(pages.markup('<option value="{}">{}</option>', id, product["name"]) for id, product in PRODUCTS.items())
    told = [(name, value) for name, value in request.handler.headers.items() if re.match(TELLING, name.lower())]
    body = [
        pages.markup("<h2>{}</h2>\n<table>\n{}</table>\n", "Your orders" if may_pay else "All orders", table),
        pages.markup(ORDER_FORM, choices) if may_pay else "",
        pages.markup(TOLD, pages.joined(pages.markup('<tr><th>{}</th><td class="value">{}</td></tr>\n', *one) for one in told)),
        SIGN_OUT,
    ]
    return 200, pages.page(f"Hello, {request.user}", *body), pages.KIND


ORDER_FORM = """<h2>Order something</h2>
<form method="post" action="/account/orders">
<label>What <select name="product">{}</select></label>
<label>How many <input name="quantity" value="1" inputmode="numeric" size="4" required></label>
<button>Order</button>
</form>
"""
TELLING = "x-gatehouse-|authorization$|cookie$"
TOLD = """<h2>What this service was told about you</h2>
<p>By the gateway, with this request. Had it held a token or a cookie, they would be shown, too.</p>
<table>
{}</table>
"""
SIGN_OUT = """<h2>Signed in</h2>
<p><a href="/id/account">Your login</a>: password, second factors, devices, applications that act for you.</p>
<form method="post" action="/.gatehouse/logout"><button>Sign out</button></form>
"""


@service.route("POST", "/account/orders")
def order_by_form(request):
    place(request)
    return see_other("/account")


if __name__ == "__main__":
    parser = service.parser()
    parser.add_argument("--database", default=":memory:", help="an SQLite file; by default memory")
    options = parser.parse_args()
    open_database(options.database)
    service.serve(options)
