"""An operator's own program as a provider: for hosts with a panel of their own that no library knows."""

from providers.external.provider import ExternalProvider, open_external

__all__ = ["ExternalProvider", "open_external"]
