from __future__ import annotations

import re
from ipaddress import ip_network

import pytest

from gateway.errors import AddressError
from gateway.guard import check_peer, check_url

GOOD = [
    "https://example.com/a.png",
    "http://example.com",
    "HTTPS://EXAMPLE.COM:443/a?b=c#d",
    "https://example.com:8443/",
    "http://example.com:80/",
    "https://example.com./",
    "https://sub.example.co.uk/%2e%2e/x",
    "https://b\u00fccher.example.org/",
    "https://xn--bcher-kva.example.org/",
    "https://1.1.1.1/",
    "https://93.184.216.34:8443/a",
    "https://[2606:4700::1111]/",
    "https://[::ffff:1.1.1.1]/",
    "https://[64:ff9b::101:101]/",
    "https://3com.example.com/",
    "https://localhost.example.com/",
    "https://internal.example.com/",
    "https://example.com/http://127.0.0.1/",
    "https://example.com/?u=user:pass@127.0.0.1",
]

BAD = [
    *("", "example.com", "//example.com/", "/etc/passwd", "https://", "https:///x", "https://:443/"),
    *("ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "data:text/plain,x", "unix:/run/x.sock"),
    *("javascript:alert(1)", "ws://example.com/", "http+unix://x/", "blob:https://example.com/x"),
    *("https://user@example.com/", "https://user:secret@example.com/", "https://:x@example.com/"),
    *("https://example.com:22/", "https://example.com:6379/", "https://example.com:0/", "https://example.com:65536/"),
    *("https://example.com:8080/", "https://1.1.1.1:25/", "https://[2606:4700::1111]:11211/", "https://example.com:x/"),
    *("https://exa mple.com/", "https://example.com/a b", "https://example.com\\@127.0.0.1/", "https:\\\\example.com"),
    *("https://example.com/\r\nHost: x", "https://example.com\t/", "https://example.com/\x00", " https://example.com/"),
    "https://example.com/" + "a" * 2_048,
    *(
        "http://localhost/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "http://localhost.localdomain/",
        "http://redis/",
    ),
    *("http://metadata.google.internal/", "http://printer.local/", "http://router.lan/", "http://nas.home.arpa/"),
    *("http://db.corp/", "http://x.onion/", "http://x.test/", "http://kubernetes/"),
    *("http://127.0.0.1/", "http://127.1/", "http://127.0.1/", "http://2130706433/", "http://017700000001/"),
    *("http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://127.0.0.01/", "http://1.1.1.1.1/"),
    *("http://0/", "http://0.0.0.0/", "http://256.1.1.1/", "http://example.1/", "http://1.1.1.0x1/"),
    *("http://\uff11\uff12\uff17.0.0.1/", "http://\u2460\u2461\u2466.0.0.1/", "http://127\u30020\u30020\u30021/"),
    *(
        "http://10.0.0.1/",
        "http://10.255.255.255/",
        "http://172.16.0.1/",
        "http://172.31.255.255/",
        "http://192.168.1.1/",
    ),
    *(
        "http://169.254.169.254/latest/meta-data",
        "http://169.254.170.2/",
        "http://100.100.100.200/",
        "http://100.64.0.1/",
    ),
    *("http://168.63.129.16/", "http://192.0.0.192/", "http://192.0.2.1/", "http://192.88.99.1/", "http://198.18.0.1/"),
    *("http://198.51.100.1/", "http://203.0.113.1/", "http://224.0.0.1/", "http://239.1.1.1/", "http://240.0.0.1/"),
    *(
        "http://255.255.255.255/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
    ),
    *(
        "http://[::ffff:169.254.169.254]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b:1::1]/",
    ),
    *(
        "http://[64:ff9b::169.254.169.254]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:101:101::1]/",
        "http://[2001::1]/",
    ),
    *(
        "http://[fd00:ec2::254]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
    ),
    *(
        "http://[2001:db8::1]/",
        "http://[3fff::1]/",
        "http://[100::1]/",
        "http://[5f00::1]/",
        "http://[::ffff:0:127.0.0.1]/",
    ),
    *("http://[::1", "http://[not]/", "http://127.0.0.1.:80/", "http://[2606:4700::1111%251]/"),
]


def test_the_table_is_long() -> None:
    assert len(set(GOOD + BAD)) > 120


@pytest.mark.parametrize("url", GOOD)
def test_a_public_address_is_taken(url: str) -> None:
    checked = check_url(url)
    assert checked.scheme in {"http", "https"}
    assert not checked.fragment


@pytest.mark.parametrize("url", BAD)
def test_any_other_is_refused_and_its_text_not_quoted(url: str) -> None:
    with pytest.raises(AddressError) as raised:
        check_url(url)
    assert not {"127", "169", "secret", "local"} & set(re.split(r"\W", str(raised.value)))


def test_notices_go_by_https() -> None:
    with pytest.raises(AddressError, match="must begin with https://"):
        check_url("http://example.com/", schemes=frozenset({"https"}))


NETWORKS = tuple(map(ip_network, ("10.1.0.0/16", "fd12::/32", "127.0.0.1/32")))
PEERS = [
    ("10.1.2.3", 9_000, True),
    ("::ffff:10.1.2.3", 9_000, True),
    ("64:ff9b::a01:203", 80, True),
    ("10.2.0.1", 80, False),
    ("127.0.0.1", 9_000, True),
    ("127.0.0.2", 80, False),
    ("fd12::1", 8_000, True),
    ("fd13::1", 443, False),
    ("fe80::1%eth0", 443, False),
    ("2606:4700::1111%1", 443, False),
    ("1.1.1.1", 443, True),
    ("1.1.1.1", 22, False),
]


@pytest.mark.parametrize(("address", "port", "good"), PEERS)
def test_peers_in_the_operators_networks_are_good_at_any_port(address: str, port: int, good: bool) -> None:  # noqa: FBT001 - a table
    try:
        check_peer(address, port, NETWORKS)
    except AddressError as error:
        assert not good, error  # noqa: PT017 - both ways are in the table
    else:
        assert good


def test_names_of_private_places_are_looked_up_where_there_are_such_networks() -> None:
    assert check_url("http://minio:9000/a", NETWORKS).host == "minio"
    for url in ("http://2130706433/", "http://10.2.0.1/", "http://u@minio/"):
        with pytest.raises(AddressError):
            check_url(url, NETWORKS)
