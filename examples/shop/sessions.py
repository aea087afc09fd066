# SPDX-License-Identifier: Apache-2.0
"""A visitor's session travels in a cookie, as a pickle. That is convenient, and it is the mistake
that this example is about: whoever writes the cookie chooses what loads() calls."""
import base64
import pickle


class Session:
    def __init__(self, customer):
        self.customer = customer
        self.visits = 0


def to_cookie(session):
    return base64.urlsafe_b64encode(pickle.dumps(session)).decode("ascii")


def from_cookie(text):
    return pickle.loads(base64.urlsafe_b64decode(text))
