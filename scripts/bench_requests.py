"""The part of scripts/bench about many clients at once, each with one request for a day."""
import contextlib, datetime, json, os, subprocess, tempfile

from bench_tools import Nginx, RATIOS, cpu, curl, exported, found, machine, say, spread, verdict
from server_with_pair import Server

CLIENTS = 200


def measure(folder, records, rounds):
    """The section of docs/benchmarks.md."""
    nginx = found('nginx') if found('curl') else None
    ours, theirs, size = [], [], 0
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(tempfile.TemporaryDirectory(prefix='healthsync-bench.'))
        archive = exported(work, records)
        home = os.path.join(work, 'home')
        os.makedirs(home)
        server = stack.enter_context(Server(folder, home))
        env = dict(os.environ, HEALTHSYNC_SERVER_HOME=server.data)
        subprocess.run([os.path.join(folder, 'healthsync-server'), 'import', archive], env=env, check=True, capture_output=True)
        # The last whole day of the type that has most.
        held = json.loads(subprocess.run(curl(server, server.port, '/api/v1/health/types'), check=True, capture_output=True).stdout)
        last = max(held['types'], key=lambda one: one['count'])['lastDate'][:10]
        day = datetime.date.fromisoformat(last) - datetime.timedelta(days=1)
        path = '/api/v1/samples?start=%sT00:00:00Z&end=%sT00:00:00Z' % (day, last)
        ready = subprocess.run(curl(server, server.port, path), check=True, capture_output=True).stdout
        size = len(ready)
        if not size:
            raise SystemExit('the day has no samples')
        peer = stack.enter_context(Nginx(nginx, server, os.path.join(work, 'nginx'))) if nginx else None
        if peer:
            with open(os.path.join(peer.home, 'files', 'day'), 'wb') as file:
                file.write(ready)
        for number in range(rounds):
            say('requests, round %d of %d' % (number + 1, rounds))
            for values, who, what in ((ours, server, path), (theirs, peer, '/files/day')):
                if not who:
                    continue
                before = cpu(who.pids())
                done = json.loads(subprocess.run(
                    [os.path.join(folder, 'examples', 'load'), 'requests', '127.0.0.1:%d' % who.port, server.files, str(CLIENTS), what],
                    check=True, stdout=subprocess.PIPE).stdout)
                values.append(done['requests'] / (cpu(who.pids()) - before))
                say('  %-20s %7.0f requests per second of CPU' % ('healthsync-server' if who is server else 'nginx', values[-1]))
    lines = ['| | %d rounds, median (lowest to highest) |' % rounds, '|---|--:|',
             '| healthsync-server, requests per second of its CPU | %s |' % spread(ours, text='%.0f')]
    if theirs:
        lines.append('| nginx with the ready answer, the same | %s |' % spread(theirs, text='%.0f'))
    lines += [''] + RATIOS + [verdict('requests per second of CPU, ours / nginx', [a / b for a, b in zip(ours, theirs)], least=0.3, goal=0.6)]
    return '''## Many clients

%s %d clients at once, each with a connection of its own and one request for a day of all types (%d bytes), from a store
of %s samples; full handshakes with client certificates are in it. Counted is the CPU of the server alone.

%s
''' % (machine(folder), CLIENTS, size, format(records, ','), '\n'.join(lines))
