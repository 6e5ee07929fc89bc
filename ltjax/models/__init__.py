"""Trunks (inputs -> features), one family a file, and the network that joins a trunk and a head."""

from ltjax.models.network import Network, init_network

__all__ = ["Network", "init_network"]
