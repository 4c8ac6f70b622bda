"""Addresses of output files that work without credentials, for a while, as Kaggle's do."""

import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True)
class Grant:
    """Leave to read one file until `expires` (seconds since 1970)."""

    place: str  # where it is: the address's path without the file's name
    name: str
    expires: int

    def signature(self, secret: bytes) -> str:
        """What only a holder of the secret can make."""
        text = "\n".join([str(self.expires), self.place, self.name])
        return hmac.new(secret, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def allows(self, secret: bytes, signature: str, now: float) -> bool:
        """Whether the signature is right and the time not over."""
        right = hmac.compare_digest(self.signature(secret).encode(), signature.encode("utf-8", "replace"))
        return right and now < self.expires
