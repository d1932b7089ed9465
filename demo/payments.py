#!/usr/bin/env python3
"""Payments: charge and refund. The gateway asks for a role and a second factor before anything gets here."""

import re
import secrets
import threading

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


if __name__ == "__main__":
    service.serve()
