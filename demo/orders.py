#!/usr/bin/env python3
"""Orders, on SQLite. A customer sees their own; an operator sees all."""

import secrets
import sqlite3
import threading
import time

from service import Problem, Service

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


@service.route("GET", "/orders")
def own_orders(request):
    if request.has_role("operator"):
        return 200, {"orders": rows(f"select {COLUMNS} from orders order by placed_at desc limit 100")}
    sql = f"select {COLUMNS} from orders where user = ? order by placed_at desc limit 100"
    return 200, {"orders": rows(sql, request.user)}


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


if __name__ == "__main__":
    parser = service.parser()
    parser.add_argument("--database", default=":memory:", help="an SQLite file; by default memory")
    options = parser.parse_args()
    open_database(options.database)
    service.serve(options)
