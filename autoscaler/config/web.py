"""`[web]`: the page, the API and the metrics that the daemon serves.

What never happens here: a look at an address, a file or a port.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from autoscaler.config.secret import Secret
from autoscaler.config.values import AbsolutePath, Many, Section, Text, wrong

OFF = "off"
_PORT = r"(?:6553[0-5]|655[0-2]\d|65[0-4]\d{2}|6[0-4]\d{3}|[1-5]\d{4}|\d{1,4})"
_HOST = r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)"
Listen = Annotated[
    str,
    Text(
        rf"{OFF}|{_HOST}:{_PORT}", 'an address and a port such as "127.0.0.1:8480" or "[::1]:8480", or "off"'
    ),
]
HostName = Annotated[str, Text(_HOST, "a host's name or address without a port, such as scaler.example")]


class Web(Section):
    """`[web]`: the page, the API and the metrics that the daemon serves. Who may reach the address may read them."""

    listen: Listen = "127.0.0.1:8480"
    """Where: an address of this computer and a port, 0 for any that is free; or "off"."""
    token: Secret | None = None
    """Who knows it may give orders by HTTP. Without it the page shows and orders nothing."""
    tls_certificate: AbsolutePath | None = None
    """The server's certificate with its chain (PEM): HTTPS instead of HTTP."""
    tls_key: AbsolutePath | None = None
    """The certificate's key (PEM)."""
    hosts: Many[HostName] = ()
    """Names besides `localhost` and the address in `listen` by which browsers may call it, that of a proxy for
    example. Any other name is refused: a page elsewhere could borrow it to read this one."""
    paas_price_per_month: Annotated[float, Field(gt=0.0)] | None = None
    """What a PaaS would ask for one worker that is always on, in the fleet's currency: the history compares."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            missing = "tls_certificate" if self.tls_certificate is None else "tls_key"
            raise wrong("one half of certificate and key", f"both or none: {missing} is missing")
        return self

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port; None where nothing listens."""
        if self.listen == OFF:
            return None
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)
