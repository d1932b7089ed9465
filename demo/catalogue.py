#!/usr/bin/env python3
"""Catalogue: products, their pictures and reviews. Public to read; a review needs a user."""

import threading

import pages
from goods import PRODUCTS
from service import Problem, Service, add_echoes

service = Service("catalogue")
add_echoes(service)

COLOURS = ("#2f6f4f", "#a0522d", "#31547a", "#7a3157", "#6b6b2f", "#444444")
REVIEWS_MAX = 1000

reviews = [{"product": "p-1001", "author": "mira", "stars": 5, "text": "Sturdy, and the drawer doesn't squeak."}]
lock = threading.Lock()


def find(request):
    product = PRODUCTS.get(request.parts["id"])
    if product is None:
        raise Problem(404, "no such product")
    return product


@service.route("GET", "/")
def front(request):
    cards = pages.joined(
        pages.markup(
            '<li><img src="/products/{id}/images/1" alt="" width="320" height="240"><h2>{name}</h2>\n<p>{price}, {stock}</p></li>\n',
            id=product["id"],
            name=product["name"],
            price=pages.money(product["price_cents"]),
            stock=f"{product['stock']} in stock" if product["stock"] else "sold out",
        )
        for product in PRODUCTS.values()
    )
    return 200, pages.page("Everything for a quiet room", pages.markup('<ul class="cards">{}</ul>\n', cards)), pages.KIND


@service.route("GET", "/products")
def products(request):
    wanted = request.query.get("category")
    page = [product for product in PRODUCTS.values() if wanted in (None, product["category"])]
    return 200, {"products": page, "total": len(page)}


@service.route("GET", "/search")
def search(request):
    words = request.query.get("q", "").lower().split()
    hits = [product for product in PRODUCTS.values() if all(word in product["name"].lower() for word in words)]
    return 200, {"products": hits, "total": len(hits)}


@service.route("GET", "/products/{id}")
def detail(request):
    return 200, find(request)


@service.route("GET", "/products/{id}/images/{number}")
def image(request):
    product = find(request)
    number = request.parts["number"]
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 3:
        raise Problem(404, "no such picture")
    colour = COLOURS[(int(product["id"][2:]) + int(number)) % len(COLOURS)]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240"><rect width="320" height="240" fill="{colour}"/>'
        f'<text x="16" y="220" font-family="sans-serif" font-size="20" fill="#fff">{product["name"]}</text></svg>\n'
    )
    return 200, svg.encode(), "image/svg+xml"


@service.route("GET", "/products/{id}/reviews")
def list_reviews(request):
    product = find(request)
    with lock:
        return 200, {"reviews": [review for review in reviews if review["product"] == product["id"]]}


@service.route("POST", "/products/{id}/reviews")
def add_review(request):
    review = {
        "product": find(request)["id"],
        "author": request.user,
        "stars": request.field("stars", int, 1, 5),
        "text": request.field("text", str, 1, 2000),
    }
    with lock:
        reviews.append(review)
        del reviews[:-REVIEWS_MAX]
    return 201, review


if __name__ == "__main__":
    service.serve()
