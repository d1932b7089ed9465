#!/usr/bin/env python3
"""Writes tests/data/openapi/verdicts.json: random schemas and values, and what python3-jsonschema says of them.

    tests/schema/make_corpus.py [SEED [COUNT]] > tests/data/openapi/verdicts.json

src/schema/oracle_test.cc holds our validator against it, and against valijson. Values are made to come near the schema, so
that about half are valid. What the two libraries read differently on purpose is left out here, and listed in
docs/decisions/0009-own-json-schema-validator.md.
"""

import json
import random
import sys

from jsonschema import Draft202012Validator

NAMES = ["a", "b", "c", "x-1", "ä/~"]
TEXTS = ["", "a", "ab", "abc", "A", "x1", "äöü", "😀", "a b", "1"]
NUMBERS = [-7, -1, 0, 1, 2, 3, 5, 10, 0.5, 2.5, 1e3, 2.0, 2**53 + 1]
PATTERNS = ["^a", "b$", "^[a-z]+$", "^.{2,3}$", "[0-9]", "^(a|ab)*$", "^\\d$"]


def misread(schema):
    """jsonschema 4.10 takes the keywords of a schema under additionalProperties for names that it evaluates."""
    text = json.dumps(schema)
    return "unevaluatedProperties" in text and '"additionalProperties": {' in text


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def some(self, population, most=3):
        return self.random.sample(population, self.random.randint(1, min(most, len(population))))

    def value(self, depth=0):
        kind = self.random.choice(["null", "bool", "number", "text", "text", "number", "array", "object"][: 6 if depth > 2 else 8])
        if kind == "null":
            return None
        if kind == "bool":
            return self.random.random() < 0.5
        if kind == "number":
            return self.random.choice(NUMBERS)
        if kind == "text":
            return self.random.choice(TEXTS)
        if kind == "array":
            return [self.value(depth + 1) for _ in range(self.random.randint(0, 4))]
        return {name: self.value(depth + 1) for name in self.some(NAMES, 4)} if self.random.random() < 0.9 else {}

    def schema(self, depth=0):
        if self.random.random() < 0.04:
            return self.random.random() < 0.5
        schema = {}
        for keyword in self.some(list(self.keywords(depth)), 3):
            schema.update(self.keywords(depth)[keyword]())
        return schema

    def keywords(self, depth):
        r, sub = self.random, lambda: self.schema(depth + 1)
        leaf = {
            "type": lambda: {"type": r.choice(["null", "boolean", "integer", "number", "string", "array", "object"])},
            "types": lambda: {"type": self.some(["null", "boolean", "integer", "number", "string", "array", "object"])},
            "enum": lambda: {"enum": [self.value(2) for _ in range(3)]},
            "const": lambda: {"const": self.value(2)},
            "bounds": lambda: {r.choice(["minimum", "exclusiveMinimum"]): r.choice(NUMBERS), r.choice(["maximum", "exclusiveMaximum"]): r.choice(NUMBERS)},
            "multiple": lambda: {"multipleOf": r.choice([1, 2, 3, 0.5, 2.5])},
            "length": lambda: {"minLength": r.randint(0, 2), "maxLength": r.randint(1, 4)},
            "pattern": lambda: {"pattern": r.choice(PATTERNS)},
            "size": lambda: {"minItems": r.randint(0, 2), "maxItems": r.randint(1, 4)},
            "members": lambda: {"minProperties": r.randint(0, 2), "maxProperties": r.randint(1, 4)},
            "unique": lambda: {"uniqueItems": True},
            "required": lambda: {"required": self.some(NAMES, 2)},
            "dependent": lambda: {"dependentRequired": {r.choice(NAMES): self.some(NAMES, 2)}},
        }  # fmt: skip
        if depth > 2:
            return leaf
        return leaf | {
            "properties": lambda: {"properties": {name: sub() for name in self.some(NAMES)}},
            "described": lambda: {"type": "object", "properties": {name: sub() for name in self.some(NAMES)}, "additionalProperties": r.choice([False, True, sub()])},
            "patterns": lambda: {"patternProperties": {r.choice(PATTERNS): sub()}},
            "additional": lambda: {"additionalProperties": sub()},
            "names": lambda: {"propertyNames": sub()},
            "items": lambda: {"items": sub()},
            "prefix": lambda: {"prefixItems": [sub(), sub()], "items": sub()},
            "contains": lambda: {"contains": sub(), "minContains": r.randint(0, 2), "maxContains": r.randint(1, 3)},
            "all": lambda: {"allOf": [sub(), sub()]},
            "any": lambda: {"anyOf": [sub(), sub()]},
            "one": lambda: {"oneOf": [sub(), sub(), sub()]},
            "not": lambda: {"not": sub()},
            "if": lambda: {"if": sub(), "then": sub(), "else": sub()},
            "schemas": lambda: {"dependentSchemas": {r.choice(NAMES): sub()}},
            "unevaluated": lambda: {"allOf": [{"properties": {r.choice(NAMES): sub()}}, sub()], "unevaluatedProperties": r.choice([False, sub()])},
        }  # fmt: skip


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20261128
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 800
    maker = Maker(seed)
    cases = []
    for _ in range(count):
        schema = maker.schema()
        if not isinstance(schema, dict) or misread(schema):
            continue
        validator = Draft202012Validator(schema)
        values = [maker.value() for _ in range(6)]
        cases.append({"schema": schema, "values": values, "valid": [validator.is_valid(value) for value in values]})
    print(f'{{"seed": {seed}, "cases": [')
    print(",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases))
    print("]}")


main()
