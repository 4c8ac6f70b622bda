"""Signatures of file addresses that are valid without credentials for a limited time, as on Kaggle."""

import hashlib
import hmac
from dataclasses import dataclass


def is_same(given: str, secret: str) -> bool:
    """Whether two texts are equal; the time that this takes does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode("utf-8", "replace"))


@dataclass(frozen=True)
class Grant:
    """The permission to read one file until `expires` (seconds since 1970)."""

    place: str  # the address's path without the file's name
    name: str
    expires: int

    def signature(self, secret: bytes) -> str:
        """The signature (HMAC-SHA-256, hexadecimal), which only a holder of the secret can make."""
        text = "\n".join([str(self.expires), self.place, self.name])
        return hmac.new(secret, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def allows(self, secret: bytes, signature: str, now: float) -> bool:
        """Whether the signature is right and the permission has not expired at the time `now`."""
        return is_same(signature, self.signature(secret)) and now < self.expires
