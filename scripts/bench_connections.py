"""The part of scripts/bench about connections: handshakes, the pairing exchange, memory at rest. The peer is
Debian's nginx with the same certificates. Both servers get the same load from the same client
(pairing/examples/load.rs), in turn within each round; what counts is what the *server* spends."""
import json, os, statistics, subprocess, tempfile

import bench_tools
from bench_tools import Nginx, found, spread
from server_with_pair import Server

# Connections at rest, and those that come and go before them.
RESTING = 480
WARM = 8


def cpu(server):
    """Seconds of CPU of a server's processes."""
    return bench_tools.cpu(server.pids())


def resident(server):
    """Resident bytes of the process that serves."""
    return bench_tools.status(server.pids()[-1], 'VmRSS')


def load(folder, *words):
    command = [os.path.join(folder, 'examples', 'load'), *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def handshakes(folder, files, server, count, group='x25519'):
    """Full handshakes per second of the server's CPU."""
    before = cpu(server)
    done = load(folder, 'handshakes', '127.0.0.1:%d' % server.port, files, count, group)['handshakes']
    return done / (cpu(server) - before)


def at_rest(folder, files, server, count, path):
    """Resident bytes that each connection at rest adds."""
    command = [os.path.join(folder, 'examples', 'load'), 'idle', '127.0.0.1:%d' % server.port, files]
    # What the first requests cost once (threads, a database) is no connection's.
    subprocess.run([*command, str(WARM), path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    before = resident(server)
    client = subprocess.Popen([*command, str(count), path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if client.stdout.readline() != 'ready\n':
            raise SystemExit('the load client ended early')
        return (resident(server) - before) / count
    finally:
        client.stdin.close()
        if client.wait():
            raise SystemExit('a connection at rest was closed before the end')


def measure(folder, rounds, say, quick=False):
    """The section of docs/benchmarks.md."""
    nginx = found('nginx')
    count, resting, pairings = (400, 100, 10) if quick else (4000, RESTING, 40)
    ours, theirs, hybrid, rest, their_rest, exchange = [], [], [], [], [], []
    for number in range(rounds):
        say('connections, round %d of %d' % (number + 1, rounds))
        with tempfile.TemporaryDirectory(prefix='healthsync-bench.') as home, Server(folder, home) as server:
            files = server.files
            load(folder, 'handshakes', '127.0.0.1:%d' % server.port, files, 8)
            ours.append(handshakes(folder, files, server, count))
            say('  healthsync-server  %7.0f handshakes per second of CPU' % ours[-1])
            if nginx:
                with Nginx(nginx, server, os.path.join(home, 'nginx')) as peer:
                    load(folder, 'handshakes', '127.0.0.1:%d' % peer.port, files, 8)
                    theirs.append(handshakes(folder, files, peer, count))
                    say('  nginx              %7.0f' % theirs[-1])
            hybrid.append(handshakes(folder, files, server, count, 'default'))
            say('  ours, hybrid group %7.0f' % hybrid[-1])
        # Of new processes: what was freed before would be used again, and not show.
        with tempfile.TemporaryDirectory(prefix='healthsync-bench.') as home, Server(folder, home) as server:
            rest.append(at_rest(folder, server.files, server, resting, '/api/v1/status'))
            say('  healthsync-server  %7.1f KiB a connection at rest' % (rest[-1] / 1024))
            if nginx:
                with Nginx(nginx, server, os.path.join(home, 'nginx')) as peer:
                    their_rest.append(at_rest(folder, server.files, peer, resting, '/'))
                    say('  nginx              %7.1f KiB' % (their_rest[-1] / 1024))
        exchange.append(load(folder, 'pairing', pairings))
        say('  pairing %.2f ms of CPU, a handshake %.2f ms' % (
            exchange[-1]['exchange']['cpu_ms'], exchange[-1]['handshake']['cpu_ms']))
    kib = [value / 1024 for value in rest]
    lines = ['| | %d rounds, median (lowest to highest) |' % rounds, '|---|--:|',
             '| healthsync-server, full handshakes per second of CPU | %s |' % spread(ours, text='%.0f')]
    if nginx:
        lines.append('| nginx, the same | %s |' % spread(theirs, text='%.0f'))
    lines += ['| healthsync-server with X25519MLKEM768, which it prefers | %s |' % spread(hybrid, text='%.0f'),
              '| healthsync-server, memory of a connection at rest | %s |' % spread(kib, text='%.1f KiB')]
    if nginx:
        lines.append('| nginx, the same | %s |' % spread([value / 1024 for value in their_rest], text='%.1f KiB'))
    lines += ['| the pairing exchange, CPU of both ends | %s |' % spread([one['exchange']['cpu_ms'] for one in exchange], text='%.2f ms'),
              '| a bare handshake, CPU of both ends | %s |' % spread([one['handshake']['cpu_ms'] for one in exchange], text='%.2f ms'),
              '', '| ratio, round by round | median (lowest to highest) | reached | aim |', '|---|--:|---|---|']

    def verdict(what, values, holds, aim):
        if not values:
            lines.append('| %s | not measured: nginx was missing | | %s |' % (what, aim))
            return
        lines.append('| %s | %s | %s | %s |' % (
            what, spread(values, text='%.2f'), 'yes' if holds(statistics.median(values)) else '**no**', aim))

    verdict('handshakes per second of CPU, ours / nginx', [a / b for a, b in zip(ours, theirs)], lambda r: r >= 1.8, 'at least 1.8')
    verdict('pairing exchange / bare handshake, CPU', [one['exchange']['cpu_ms'] / one['handshake']['cpu_ms'] for one in exchange],
            lambda r: r < 5, 'under 5')
    verdict('pairing exchange / bare handshake, time', [one['exchange']['ms'] / one['handshake']['ms'] for one in exchange],
            lambda r: r < 5, 'under 5')
    verdict('memory of a connection at rest, ours / nginx', [a / b for a, b in zip(rest, their_rest)], lambda r: r <= 1, 'at most 1')
    return lines, nginx and subprocess.run([nginx, '-v'], capture_output=True, text=True).stderr.strip().split('/')[-1]
