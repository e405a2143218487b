"""The part of scripts/bench about following: what a sync takes when one sample is new among many."""
import contextlib, os, subprocess, tempfile

from bench_tools import Pair, RATIOS, curl, found, heart_rates, machine, opening, say, spent, spread, timed, verdict
from server_with_pair import Server

YEARS = 20
# A new sample is newer than the others: seconds.
LAST = YEARS * 31_557_600


def measure(folder, records, rounds):
    """The section of docs/benchmarks.md."""
    ours, opened, theirs = [], [], []
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(tempfile.TemporaryDirectory(prefix='healthsync-bench.'))
        at = lambda name: os.path.join(work, name)
        for name in ('home', 'peer'):
            os.makedirs(at(name))
        env = dict(os.environ, HEALTHSYNC_SERVER_HOME=at('home/server'))
        bring = lambda file: subprocess.run([os.path.join(folder, 'healthsync-server'), 'import', file], env=env, check=True, capture_output=True)
        export = heart_rates(at('export.xml'), records, YEARS)
        bring(export)
        os.remove(export)
        pair = stack.enter_context(Pair(folder, at('home')))
        server = stack.enter_context(Server(folder, at('peer')))
        copy = [pair.client, 'sync', '--to', at('copy.db'), '--json', '--debug-tls']
        say('the first sync, of everything')
        whole = timed(copy, env=pair.env, stdout=subprocess.DEVNULL)
        ask = curl(server, server.port, '/api/v1/status') if found('curl') else None
        for number in range(rounds):
            say('sync, round %d of %d' % (number + 1, rounds))
            bring(heart_rates(at('one.xml'), 1, 1, LAST + number))
            seconds, _, said = spent(copy, pair.env)
            opened.append(opening(said))
            ours.append(seconds - opened[-1])
            if ask:
                theirs.append(spent(ask)[0])
            say('  sync %.1f ms after the key store was open, curl %.1f ms' % (ours[-1] * 1000, theirs[-1] * 1000 if ask else 0))
    lines = ['| | %d rounds, median (lowest to highest) |' % rounds, '|---|--:|',
             '| `healthsync sync` of one new sample, after the key store is open, start included | %s ms |' % spread(ours, 1000),
             '| opening the key store in files before it (Argon2id) | %s ms |' % spread(opened, 1000)]
    if theirs:
        lines.append('| curl, one request with mutual TLS | %s ms |' % spread(theirs, 1000))
    lines += ['', '| the first sync, of everything | %.1f s, %.0f MiB |' % (whole[0], whole[2] / 2**20), '|---|---|', ''] + RATIOS + [
        verdict('sync / curl', [a / b for a, b in zip(ours, theirs)], most=2, goal=1.2)]
    return '''## Following

%s A store of %s samples and a copy of it in SQLite; each round imports one new sample and brings the copy up to
date: the changes, the totals of the day that they touch, both committed to the disk. curl asks another server of
ours for `/api/v1/status` with the certificate of a pair.

%s

What was learnt: the client counted all rows of its copy for its last line, which took the longer the more there were; now the
number is kept with the rows, in the same transaction. Starting, the handshake and the request for changes take about as long as
the whole of curl; the rest is the request for the totals and what is committed to the disk.
''' % (machine(folder), format(records, ','), '\n'.join(lines))
