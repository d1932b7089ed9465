#!/usr/bin/env python3
"""Payments: charge and refund. The gateway asks for a role and a second factor before anything gets here."""

import re
import secrets
import threading

import pages
from service import Problem, Service

service = Service("payments")
lock = threading.Lock()
charges = {}
CHARGES_MAX = 10000


def luhn(digits):
    """The card number's own checksum (ISO/IEC 7812)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def find(request):
    charge = charges.get(request.parts["id"])
    if charge is None or (charge["user"] != request.user and not request.has_role("operator")):
        raise Problem(404, "no such charge")
    return charge


@service.route("POST", "/charges")
def create(request):
    card = re.sub(r"[ -]", "", request.field("card_number", str, 12, 23))
    if not card.isascii() or not card.isdigit() or not luhn(card):
        raise Problem(422, "card_number: not a card's number")
    charge = {
        "id": "ch-" + secrets.token_hex(6),
        "user": request.user,
        "order": request.field("order", str, 1, 32),
        "amount_cents": request.field("amount_cents", int, 1, 10_000_00),
        "card": "**** " + card[-4:],
        "state": "charged",
    }
    with lock:
        if len(charges) >= CHARGES_MAX:
            charges.pop(next(iter(charges)))
        charges[charge["id"]] = charge
    return 201, charge


@service.route("GET", "/charges/{id}")
def detail(request):
    with lock:
        return 200, dict(find(request))


@service.route("POST", "/charges/{id}/refund")
def refund(request):
    with lock:
        charge = find(request)
        if charge["state"] == "refunded":
            raise Problem(409, "it was refunded before")
        charge["state"] = "refunded"
        return 200, dict(charge)


# Pages, for people with a browser.


@service.route("GET", "/pay")
def form(request):
    values = {name: request.query.get(name, "") for name in ("order", "amount_cents")}
    user = request.user
    return 200, pages.page(f"Pay, {user}", pages.markup(FORM, **values)), pages.KIND


FORM = """<p>The gateway let you in here after a second factor.</p>
<form method="post" action="/pay">
<label>Order <input name="order" value="{order}" required></label>
<label>Amount, in cents <input name="amount_cents" value="{amount_cents}" inputmode="numeric" required></label>
<label>Card number <input name="card_number" value="4242 4242 4242 4242" inputmode="numeric" required></label>
<button>Pay</button>
</form>
"""


@service.route("POST", "/pay")
def pay(request):
    _, charge = create(request)
    receipt = pages.rows([["Order", charge["order"]], ["Amount", pages.money(charge["amount_cents"])], ["Card", charge["card"]], ["Receipt", charge["id"]]])  # fmt: skip
    return 201, pages.page(f"Thank you, {charge['user']}", pages.markup("<table>\n{}</table>\n", receipt)), pages.KIND


if __name__ == "__main__":
    service.serve()
