#!/usr/bin/python3
"""The same cases as client.ts through libvirt's own C client: peer.py URI CASE COUNT. Prints one JSON object."""
import json
import sys
import threading
import time

import libvirt

LIFECYCLE = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE


def timed(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def serial(connection, count):
    dom = connection.lookupByName("test")
    return timed(lambda: [dom.info() for _ in range(count)])


def threads(connection, count):
    """Four calls in flight, as far as the C client lets four threads have them on one connection."""
    dom = connection.lookupByName("test")

    def work():
        for _ in range(count // 4):
            dom.info()

    def all_of_them():
        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return timed(all_of_them)


def listing(connection, count):
    """All domains, the XML of each, and the statistics of all, `count` times over."""

    def once():
        for dom in connection.listAllDomains():
            dom.XMLDesc(0)
        connection.getAllDomainStats(0, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)

    return timed(lambda: [once() for _ in range(count)])


def define(connection, count):
    for i in range(count):
        connection.defineXML(f"<domain type='test'><name>bench-{i}</name><memory>65536</memory><os><type>hvm</type></os></domain>")
    return 0


def events(connection, count):
    """Makes `count` lifecycle events: four domains are suspended and resumed in turn, each by a thread of its own."""

    def work(name):
        dom = connection.createXML(f"<domain type='test'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os></domain>")
        for _ in range(count // 8):
            dom.suspend()
            dom.resume()

    def all_of_them():
        workers = [threading.Thread(target=work, args=(f"events-{i}",)) for i in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return timed(all_of_them)


def main():
    uri, case, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    connection = libvirt.open(uri)
    cases = {"serial": serial, "threads": threads, "listing": listing, "define": define, "events": events}
    if case in ("serial", "threads"):
        cases[case](connection, max(1, count // 10))
    print(json.dumps({"seconds": cases[case](connection, count)}))
    connection.close()


main()
