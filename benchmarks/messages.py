"""The requests that the service is loaded with: the example of the API's documentation, to ever other numbers."""

import random

import msgspec

TEMPLATE_ALIAS = "otp-verification"
TAGS = ("verification", "login", "payment", "order")


class Requests:
    """Makes request bodies; the same seed makes the same ones. No recipient has a script in the simulator."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._encode = msgspec.json.Encoder().encode

    def message(self) -> dict[str, object]:
        """One message of a send or a batch."""
        chance = self._random
        return {
            "to": f"+1415{chance.randint(2, 9)}{chance.randint(0, 999_999):06}",
            "templateAlias": TEMPLATE_ALIAS,
            "templateModel": {"code": f"{chance.randint(0, 999_999):06}"},
            "tag": TAGS[chance.randrange(len(TAGS))],
            "metadata": {"userId": f"user_{chance.randint(0, 999_999)}"},
        }

    def single(self) -> bytes:
        """The body of `POST /v1/sms`."""
        return self._encode(self.message())

    def batch(self, messages: int) -> bytes:
        """The body of `POST /v1/sms/batch`."""
        return self._encode([self.message() for _ in range(messages)])
