"""One shard at a time talks to a host, over processes and machines."""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest

from lvbag.crawl import forgive_host, read_hosts
from lvbag.crawl.fetching.leases import Leases, lease_ref
from lvbag.store import Store

NIGHT = dt.date(2026, 11, 23)


def test_a_lease_is_held_by_one_at_a_time_and_handed_on_with_what_is_known_of_the_host(store: Store) -> None:
    first, second = Leases(store, NIGHT, "first", 30.0), Leases(store, NIGHT, "second", 30.0)
    lease = first.take("shop.example")
    lease.note(delay_s=7.0, requests=3)
    taken = []
    waiter = threading.Thread(target=lambda: taken.append(second.take("shop.example")))
    waiter.start()
    time.sleep(0.5)
    assert taken == [], "it is held by somebody else"
    first.close()
    waiter.join(10)
    assert (taken[0].record.delay_s, taken[0].record.requests) == (7.0, 3)
    assert not lease.is_valid
    second.close()


def test_sixteen_shards_at_once_are_never_two_at_a_host(store: Store) -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def work(number: int) -> None:
        nonlocal inside, most
        with Leases(store, NIGHT, f"shard {number}", 30.0) as leases:
            leases.take("shop.example")
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most, inside) == (1, 0)


def test_the_lease_of_a_dead_shard_runs_out_and_a_living_one_renews_its_own(store: Store) -> None:
    dead = Leases(store, NIGHT, "dead", 0.6)
    dead.take("shop.example")
    dead._closed.set()  # its renewing thread ends, as with the process
    living = Leases(store, NIGHT, "living", 0.6)
    lease = living.take("shop.example")
    time.sleep(1.5)
    assert lease.is_valid, "it was renewed twice"
    (record,) = read_hosts(store, NIGHT)
    assert record.holder == "living"
    living.close()
    (record,) = read_hosts(store, NIGHT)
    assert (record.holder, record.token) == ("", "")


def test_nobody_waits_while_holding_a_host_but_keeps_the_source(store: Store) -> None:
    one, two = Leases(store, NIGHT, "one", 30.0), Leases(store, NIGHT, "two", 30.0)
    one.take("source a", keep=True)
    one.take("shop-a.example")
    two.take("cdn.example")
    waiter = threading.Thread(target=lambda: one.take("cdn.example"))
    waiter.start()
    two.take("shop-a.example")  # would wait for ever if `one` kept it
    assert one.holds("source a")
    assert not one.holds("shop-a.example")
    two.close()
    waiter.join(10)
    assert one.holds("cdn.example")
    one.close()


def test_a_shard_that_lost_its_lease_takes_it_anew(store: Store) -> None:
    leases = Leases(store, NIGHT, "slow", 30.0)
    lease = leases.take("shop.example")
    lease.valid_until = 0.0
    again = leases.take("shop.example")
    assert again is not lease
    assert again.is_valid
    leases.close()


def test_a_host_that_was_given_up_can_be_forgiven(store: Store) -> None:
    with Leases(store, NIGHT, "one", 30.0) as leases:
        leases.take("shop.example").note(given_up="challenge: captcha", openings=4)
        leases.save("shop.example")
        assert read_hosts(store, NIGHT)[0].given_up == "challenge: captcha"
    assert forgive_host(store, NIGHT, "shop.example")
    (record,) = read_hosts(store, NIGHT)
    assert (record.given_up, record.openings) == (None, 0)
    assert not forgive_host(store, NIGHT, "nobody.example")


def test_a_lease_that_is_no_lease_is_named(store: Store) -> None:
    store.put_json(lease_ref(NIGHT, "shop.example"), {"name": 7})
    with pytest.raises(Exception, match=r"hosts/night=2026-11-23/.* is no lease"):
        Leases(store, NIGHT, "one", 30.0).take("shop.example")
