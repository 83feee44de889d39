"""Which addresses the crawler may connect to.

A page can name any host, and a name can resolve to this machine, to the local network or to a cloud's metadata
service. So a URL is split once, its name resolved once, every address found must be a public one, and the connection
goes to exactly these addresses (`lvbag.crawl.fetching.connection`). Hosts on this machine must be listed in
`crawl.loopback_hosts` with their port.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from lvbag.crawl.errors import Refused

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ROUTED = ipaddress.IPv6Network("2000::/3")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Target:
    """A URL that can be asked for: percent-encoded, without fragment, host in lower-case ASCII."""

    url: str
    scheme: str
    host: str  # without the brackets of IPv6
    port: int

    @property
    def netloc(self) -> str:
        """`host:port`, as `crawl.loopback_hosts` writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def host_header(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        return self.netloc.removesuffix(f":{_PORTS[self.scheme]}")

    @property
    def origin(self) -> str:
        """Scheme, host and port: what a robots.txt holds for."""
        return f"{self.scheme}://{self.netloc}"


def parse_target(url: str) -> Target:
    """Split a URL; raises `Refused` for anything but http(s), for credentials in it and for nonsense."""
    try:
        prepared = requests.Request("GET", url).prepare().url or ""
        parts = urlsplit(prepared)
        port = parts.port
    except (requests.RequestException, ValueError) as error:
        raise Refused(f"bad_url: {str(error)[:200]}") from None
    if parts.scheme not in _PORTS:
        raise Refused(f"bad_url: scheme {parts.scheme[:20]!r} is not http or https")
    if "@" in parts.netloc or not parts.hostname:
        raise Refused("bad_url: it carries credentials or names no host")
    host = parts.hostname.rstrip(".")  # the same host with another name would have a pace of its own
    if not host:
        raise Refused("bad_url: it carries credentials or names no host")
    name = f"[{host}]" if ":" in host else host
    netloc = name if port is None else f"{name}:{port}"
    clean = parts._replace(netloc=netloc, fragment="").geturl()
    return Target(clean, parts.scheme, host, port or _PORTS[parts.scheme])


def resolve(target: Target, loopback_hosts: Collection[str]) -> tuple[str, ...]:
    """All addresses of the target's host; raises `Refused` when one of them may not be connected to."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused(f"no_answer: {target.host} does not resolve ({error})") from None
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    listed = target.netloc in {name.lower() for name in loopback_hosts}
    for address in addresses:
        if why := refusal(address, listed):
            raise Refused(f"address: {target.netloc} is {address}, {why}")
    return addresses


def refusal(address: str, listed: bool) -> str | None:
    """Why an address may not be connected to, or None; `listed`: its host:port is in `crawl.loopback_hosts`."""
    ip = _embedded(ipaddress.ip_address(address))
    if listed:
        return None if ip.is_loopback else "which is not on this machine although crawl.loopback_hosts lists it"
    if ip.is_loopback:
        return "which is on this machine and not in crawl.loopback_hosts"
    public = ip.is_global and not ip.is_multicast
    # all of IPv6 that is routed today; outside of it are more ways to write a private IPv4 address than a list can name
    if isinstance(ip, ipaddress.IPv6Address):
        public = public and ip in _ROUTED
    return None if public else "which is not a public address"


def _embedded(ip: IPAddress) -> IPAddress:
    """The IPv4 address inside of an IPv6 one that leads to it (mapped, 6to4, Teredo, NAT64), else the address."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)
