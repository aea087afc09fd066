# SPDX-License-Identifier: Apache-2.0
"""A small web shop under load: starts the service, lets customers order, closes the books, ends.

usage: shop.py [--customers N] [--orders N] [--forged-cookie]

With --forged-cookie a last visitor sends a session cookie that runs a shell command when the shop
unpickles it. Prints the same every time; needs nothing but the standard library."""
import argparse
import sys
import tempfile
import threading
from pathlib import Path

import client
from store import Store
from web import Shop


def visit(shop, directory):
    """The attack: did the command run?"""
    loot = directory / "loot.txt"
    status, text = client.forged_visit(shop.server_port, "id -un > '%s'" % loot)
    print("visitor: a forged cookie was answered with %d (%s)" % (status, text))
    for failure in shop.failures:
        print("shop:    " + failure)
    if loot.exists():
        print("visitor: ran a command in the shop's name; it wrote %s" % loot.name)
    else:
        print("visitor: got nothing")


def run(options, directory):
    store = Store(str(directory / "books.sqlite"))
    shop = Shop(store)
    thread = threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        names = ["customer-%d" % (i + 1) for i in range(options.customers)]
        customers = client.load(shop.server_port, names, options.orders)
        requests = options.customers * (options.orders + 3)
        answered = sum(customer.answered for customer in customers)
        print("shop:    %d customers, %d requests, %d answered" % (len(names), requests, answered))
        print("shop:    %d orders, %.2f in the till" % (store.totals()[0], store.totals()[1] / 100))
        print("shop:    last line of a receipt: " + customers[0].receipt.splitlines()[-1])
        if options.forged_cookie:
            visit(shop, directory)
        return 0 if answered == requests else 1
    finally:
        shop.shutdown()
        thread.join()
        shop.server_close()
        store.close()
        print("shop:    closed")


def main():
    parser = argparse.ArgumentParser(description="A small web shop under load.")
    parser.add_argument("--customers", type=int, default=4)
    parser.add_argument("--orders", type=int, default=20, help="of each customer")
    parser.add_argument("--forged-cookie", action="store_true", help="be attacked at the end")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shop-") as directory:
        return run(options, Path(directory))


if __name__ == "__main__":
    sys.exit(main())
