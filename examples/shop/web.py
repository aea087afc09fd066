# SPDX-License-Identifier: Apache-2.0
"""The web service: GET /products, GET /login?name=, POST /order, GET /receipt, GET /hello."""
import json
import subprocess
import sys
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import sessions
from pricing import Pricing

RECEIPT = Path(__file__).resolve().parent / "receipt.py"


class Shop(ThreadingHTTPServer):
    """One thread for each request; all share the books and the pricing."""
    request_queue_size = 64

    def __init__(self, store):
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = store
        self.pricing = Pricing(store.rules())
        self.failures = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.route({"/products": self.products, "/login": self.login, "/receipt": self.receipt,
                    "/hello": self.hello})

    def do_POST(self):
        self.route({"/order": self.order})

    def route(self, actions):
        action = actions.get(urlsplit(self.path).path)
        if action is None:
            self.answer(404, "no such page")
            return
        try:
            self.answer(200, action())
        except Exception as error:  # the service goes on, whatever one request does
            self.server.failures.append("%s: %s" % (type(error).__name__, error))
            self.answer(500, "sorry")

    def answer(self, status, body):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if getattr(self, "cookie", None):
            self.send_header("Set-Cookie", "session=" + self.cookie)
        self.end_headers()
        self.wfile.write(data)

    def session(self):
        return sessions.from_cookie(SimpleCookie(self.headers["Cookie"])["session"].value)

    def products(self):
        return json.dumps(self.server.store.products())

    def login(self):
        name = parse_qs(urlsplit(self.path).query)["name"][0]
        self.cookie = sessions.to_cookie(sessions.Session(name))
        return "welcome"

    def hello(self):
        session = self.session()
        return "hello " + str(getattr(session, "customer", "stranger"))

    def order(self):
        wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        product, quantity = wish["product"], wish["quantity"]
        unit = self.server.store.price(product)
        cents = self.server.pricing.cents(product, quantity, unit)
        self.server.store.add(self.session().customer, product, quantity, cents)
        return json.dumps({"cents": cents})

    def receipt(self):
        customer = self.session().customer
        order = {"customer": customer, "lines": self.server.store.of_customer(customer)}
        return subprocess.run([sys.executable, str(RECEIPT)], input=json.dumps(order), text=True,
                              stdout=subprocess.PIPE, check=True).stdout

    def log_message(self, *_):
        """No access log: what this example prints must be the same every time."""
