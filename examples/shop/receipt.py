# SPDX-License-Identifier: Apache-2.0
"""Prints a customer's receipt. Run by the shop in a process of its own: JSON in, text out."""
import json
import sys

order = json.load(sys.stdin)
for product, quantity, cents in order["lines"]:
    print("%-10s %3d x %9.2f" % (product, quantity, cents / 100))
print("%-10s %17.2f" % (order["customer"], sum(line[2] for line in order["lines"]) / 100))
