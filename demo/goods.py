"""What the shop sells."""

PRODUCTS = {
    product["id"]: product
    for product in (
        {"id": "p-1001", "name": "Oak writing desk", "category": "furniture", "price_cents": 42900, "stock": 7},
        {"id": "p-1002", "name": "Reading lamp", "category": "lighting", "price_cents": 5950, "stock": 41},
        {"id": "p-1003", "name": "Wool blanket", "category": "textiles", "price_cents": 8900, "stock": 18},
        {"id": "p-1004", "name": "Bookshelf, five boards", "category": "furniture", "price_cents": 17900, "stock": 12},
        {"id": "p-1005", "name": "Floor lamp, brass", "category": "lighting", "price_cents": 13400, "stock": 0},
        {"id": "p-1006", "name": "Linen curtain", "category": "textiles", "price_cents": 6400, "stock": 33},
    )
}
