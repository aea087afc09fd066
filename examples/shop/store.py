# SPDX-License-Identifier: Apache-2.0
"""The shop's books: products, pricing rules and orders in SQLite."""
import sqlite3
import threading

SCHEMA = """
CREATE TABLE product (name TEXT PRIMARY KEY, cents INTEGER NOT NULL);
CREATE TABLE rule (name TEXT PRIMARY KEY, source TEXT NOT NULL);
CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, product TEXT NOT NULL,
                       quantity INTEGER NOT NULL, cents INTEGER NOT NULL);
"""
PRODUCTS = [("tea", 450), ("coffee", 790), ("cocoa", 620)]
RULES = [("volume", "if quantity >= 5:\n    cents = cents * 90 // 100\n"),
         ("tea-week", "if product == 'tea':\n    cents = cents - 20 * quantity\n")]


class Store:
    """One connection, used by one thread at a time."""

    def __init__(self, path):
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        with self._db:
            self._db.executescript(SCHEMA)
            self._db.executemany("INSERT INTO product VALUES (?, ?)", PRODUCTS)
            self._db.executemany("INSERT INTO rule VALUES (?, ?)", RULES)

    def _ask(self, query, *values):
        with self._lock, self._db:
            return self._db.execute(query, values).fetchall()

    def products(self):
        return self._ask("SELECT name, cents FROM product ORDER BY name")

    def rules(self):
        return self._ask("SELECT name, source FROM rule ORDER BY name")

    def price(self, product):
        return self._ask("SELECT cents FROM product WHERE name = ?", product)[0][0]

    def add(self, customer, product, quantity, cents):
        with self._lock, self._db:
            return self._db.execute(
                "INSERT INTO purchase (customer, product, quantity, cents) VALUES (?, ?, ?, ?)",
                (customer, product, quantity, cents)).lastrowid

    def of_customer(self, customer):
        return self._ask("SELECT product, quantity, cents FROM purchase WHERE customer = ? "
                         "ORDER BY product, quantity, id", customer)

    def totals(self):
        return self._ask("SELECT count(*), total(cents) FROM purchase")[0]

    def close(self):
        self._db.close()
