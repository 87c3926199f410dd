# SPDX-License-Identifier: Apache-2.0
"""Prints shares_vectors.inc: keys and threshold shares of each, made without a line of store/shares.c.

Products are long division of carry-less products; that the shares make the key is found by elimination over the field,
not by interpolation. Every byte comes from one fixed seed.
"""

import hashlib
import random

SIZES = ((1, 1, [1]), (2, 3, [3, 1]), (3, 5, [2, 5, 4]), (5, 8, [8, 1, 6, 3, 7]), (4, 32, [32, 31, 17, 2]))


def multiply(a, b):
    product = 0
    for i in range(8):
        if b >> i & 1:
            product ^= a << i
    for i in range(14, 7, -1):
        if product >> i & 1:
            product ^= 0x11B << (i - 8)
    return product


INVERSE = {a: b for a in range(1, 256) for b in range(1, 256) if multiply(a, b) == 1}


def solve(points):
    """The coefficients of the polynomial through the points, lowest first."""
    rows = []
    for x, y in points:
        row = [1]
        while len(row) < len(points):
            row.append(multiply(row[-1], x))
        rows.append(row + [y])
    for column in range(len(points)):
        pivot = next(i for i in range(column, len(points)) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        factor = INVERSE[rows[column][column]]
        rows[column] = [multiply(value, factor) for value in rows[column]]
        for i, row in enumerate(rows):
            if i != column:
                rows[i] = [a ^ multiply(row[column], b) for a, b in zip(row, rows[column])]
    return [row[-1] for row in rows]


def evaluate(polynomial, x):
    value, power = 0, 1
    for coefficient in polynomial:
        value ^= multiply(coefficient, power)
        power = multiply(power, x)
    return value


def text(set_id, threshold, count, number, share):
    numbers = bytes([threshold, count, number])
    checksum = hashlib.blake2b(b"postern/share/text/v1\0" + set_id + numbers + share, digest_size=32).digest()[:4]
    groups = "-".join(share[i:i + 4].hex() for i in range(0, 32, 4))
    return f"postern-share-v1-{threshold}of{count}-{number}-{set_id.hex()}-{groups}-{checksum.hex()}"


def main():
    draw = random.Random(20)
    for threshold, count, numbers in SIZES:
        set_id, key = draw.randbytes(8), draw.randbytes(32)
        polynomials = [[byte, *draw.randbytes(threshold - 1)] for byte in key]
        shares = {x: bytes(evaluate(polynomial, x) for polynomial in polynomials) for x in numbers}
        assert bytes(solve([(x, shares[x][i]) for x in numbers])[0] for i in range(32)) == key
        lines = ",\n\t  ".join(f'"{text(set_id, threshold, count, x, shares[x])}"' for x in numbers)
        print(f'\t{{"{key.hex()}",\n\t {{{lines}}}}},')


main()
