"""The part of scripts/bench about the client as a person meets it: how long it takes to start, how long a
short command takes, how large it is. Measured is what is given away: the profile `dist`."""
import os, shutil, statistics, subprocess, tempfile

from bench_tools import opening, spent, spread
from server_with_pair import Server, enrol, new_passphrase

# What `--version` may take of the processor beyond `true`, seconds; what a program may weigh, bytes.
START, SIZE = 0.005, 20_000_000


def enrolled(folder, server, home):
    """The environment of a client that is paired with the running server."""
    passphrase = os.path.join(home, 'client-passphrase')
    new_passphrase(passphrase)
    env = dict(os.environ, HEALTHSYNC_HOME=os.path.join(home, 'client'), HEALTHSYNC_PASSPHRASE_FILE=passphrase)
    enrol(server.host, server.env, os.path.join(folder, 'healthsync'), env)
    return env


def measure(folder, tools, runs, say):
    """The section of docs/benchmarks.md; `tools` has what enrols the peer's pair."""
    client = os.path.join(folder, 'healthsync')
    version, nothing, stretch, status, curls = [], [], [], [], []
    true = shutil.which('true') or '/bin/true'
    for _ in range(runs):
        nothing.append(spent([true])[1])
        version.append(spent([client, '--version'])[1])
    extra = [a - b for a, b in zip(version, nothing)]
    say('  --version beyond true: %s ms of CPU' % spread(extra, 1000))
    curl = shutil.which('curl')
    if not curl:
        say('curl is missing (apt-get install curl): left out')
    with tempfile.TemporaryDirectory(prefix='healthsync-bench.') as home, Server(folder, home, tools) as server:
        env = enrolled(folder, server, home)
        ask = [curl, '--silent', '--show-error', '--fail', '--cacert', server.pem('ca'), '--cert', server.pem('client'),
               '--key', server.key('client'), '--resolve', '%s:%d:127.0.0.1' % (server.name, server.port),
               'https://%s:%d/api/v1/status' % (server.name, server.port)]
        tell = [client, 'status', '--json', '--debug-tls']
        # The first of each finds cold caches.
        spent(tell, env)
        if curl:
            spent(ask)
        for _ in range(runs):
            seconds, _, said = spent(tell, env)
            stretch.append(opening(said))
            status.append(seconds - stretch[-1])
            if curl:
                curls.append(spent(ask)[0])
    say('  status %s ms, opening the key store before it %s ms' % (spread(status, 1000), spread(stretch, 1000)))
    ratios = [a / b for a, b in zip(status, curls)]
    if curl:
        say('  curl %s ms, ratio %s' % (spread(curls, 1000), spread(ratios)))
    sizes = {name: os.path.getsize(os.path.join(folder, name)) for name in ('healthsync', 'healthsync-server')}
    yes = lambda holds: 'yes' if holds else '**no**'
    lines = ['| | %d runs, median (lowest to highest) |' % runs, '|---|--:|',
             '| `healthsync --version`, CPU | %s ms |' % spread(version, 1000),
             '| `true`, CPU | %s ms |' % spread(nothing, 1000),
             '| opening the key store in files and reading the key (Argon2id of the passphrase, once), time | %s ms |' % spread(stretch, 1000),
             '| `healthsync status`, the rest of its time, start included | %s ms |' % spread(status, 1000)]
    if curl:
        lines.append('| curl, one request to the same endpoint, time | %s ms |' % spread(curls, 1000))
    lines += ['', '| | median (lowest to highest) | reached | aim |', '|---|--:|---|---|',
              '| `--version` beyond `true`, CPU, pair by pair | %s ms | %s | within 5 ms |' % (
                  spread(extra, 1000), yes(statistics.median(extra) <= START))]
    if curl:
        lines.append('| `status` after the key store is open / curl, time, pair by pair | %s | %s | at most 1.5 |' % (
            spread(ratios), yes(statistics.median(ratios) <= 1.5)))
    else:
        lines.append('| `status` after the key store is open / curl | not measured: curl was missing | | at most 1.5 |')
    for name, size in sizes.items():
        lines.append('| size of `%s`, stripped | %.1f MB | %s | under 20 MB |' % (name, size / 1e6, yes(size < SIZE)))
    told = subprocess.run([curl, '--version'], capture_output=True, text=True).stdout.split('\n')[0] if curl else None
    return lines, told
