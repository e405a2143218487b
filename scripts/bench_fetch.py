"""The part of scripts/bench about fetching everything: over mutual TLS, beside sqlite3 on the same rows without
a network, and beside nginx and curl with the finished file."""
import contextlib, csv, os, shutil, statistics, subprocess, tempfile, time

from bench_tools import (Nginx, Pair, RATIOS, Series, TIMES, cpu, curl, exported, found, machine, opening, quotients, ran, say, spread,
                         status, verdict)
from server_with_pair import Server

SAME_TEXT = """
SELECT lower(substr(hex(s.id), 1, 8) || '-' || substr(hex(s.id), 9, 4) || '-' || substr(hex(s.id), 13, 4)
       || '-' || substr(hex(s.id), 17, 4) || '-' || substr(hex(s.id), 21)) AS id,
  kind.name AS type, s.value AS value, unit.name AS unit,
  strftime('%Y-%m-%dT%H:%M:%SZ', s.start_ms / 1000, 'unixepoch') AS startDate,
  strftime('%Y-%m-%dT%H:%M:%SZ', s.end_ms / 1000, 'unixepoch') AS endDate,
  source.name AS sourceName, category.name AS category
FROM kind CROSS JOIN sample s ON s.kind_id = kind.id
  JOIN unit ON unit.id = s.unit_id JOIN source ON source.id = s.source_id
  LEFT JOIN category ON category.id = s.category_id
ORDER BY kind.name, s.start_ms, s.id
"""
# Seconds during which an idle server is watched.
WATCHED = 5


def same_rows(ours, theirs):
    """Compares two CSV files field by field, numbers as numbers. Gives the number of rows."""
    with open(ours, newline='', encoding='utf-8') as a, open(theirs, newline='', encoding='utf-8') as b:
        a, b, rows = csv.reader(a), csv.reader(b), 0
        if next(a) != next(b):
            raise SystemExit('the headers differ')
        for x in a:
            y = next(b, None)
            # sqlite3 prints 15 digits of a number.
            same = y and x[:2] == y[:2] and x[3:] == y[3:] and (
                x[2] == y[2] or abs(float(x[2]) - float(y[2])) <= 1e-14 * abs(float(x[2])))
            if not same:
                raise SystemExit('row %d differs:\n%s\n%s' % (rows + 1, x, y))
            rows += 1
        if next(b, None):
            raise SystemExit('sqlite3 gives more rows')
    return rows


def measure(folder, records, rounds):
    """The section of docs/benchmarks.md."""
    sqlite3, nginx = found('sqlite3'), found('nginx') if found('curl') else None
    work = tempfile.mkdtemp(prefix='healthsync-bench.')
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        archive = exported(work, records)
        shutil.rmtree(os.path.join(work, 'apple_health_export'), ignore_errors=True)
        home = os.path.join(work, 'home')
        os.makedirs(home)
        env = dict(os.environ, HEALTHSYNC_SERVER_HOME=os.path.join(home, 'server'))
        subprocess.run([os.path.join(folder, 'healthsync-server'), 'import', archive], env=env, check=True, capture_output=True)
        os.remove(archive)
        pair = stack.enter_context(Pair(folder, home))
        time.sleep(1)
        idle, before = status(pair.server.pid, 'VmRSS') / 2**20, cpu([pair.server.pid])
        time.sleep(WATCHED)
        idle_cpu = (cpu([pair.server.pid]) - before) / WATCHED * 100
        pair.forget_peak()
        ours = {name: Series('healthsync fetch --all --format %s' % name) for name in ('csv', 'arrow', 'parquet')}
        # The same runs from the moment on at which the key store is open.
        after = {name: Series('the same, after the key store is open') for name in ours}
        opened = []
        local = Series('sqlite3 -csv (local file, no network)')
        theirs = {name: Series('nginx and curl, the finished .%s' % name) for name in ours}
        rows = None
        at = lambda name: os.path.join(work, name)
        os.makedirs(at('peer'))
        other = stack.enter_context(Server(folder, at('peer')))
        with_peer = stack.enter_context(Nginx(nginx, other, at('nginx'))) if nginx else None
        for number in range(rounds):
            say('fetch, round %d of %d' % (number + 1, rounds))
            for name, series in ours.items():
                out = at('ours.' + name)
                if os.path.exists(out):
                    os.remove(out)
                seconds, spent, peak, said = ran(
                    [pair.client, 'fetch', '--all', '--format', name, '--output', out, '--json', '--debug-tls'], pair.env)
                series.add(seconds, spent, peak)
                opened.append(opening(said))
                after[name].seconds.append(seconds - opened[-1])
                if with_peer:
                    ready = os.path.join(with_peer.home, 'files', 'all.' + name)
                    if number == 0:
                        shutil.copyfile(out, ready)
                    theirs[name].run(curl(other, with_peer.port, '/files/all.' + name, '-o', at('theirs.' + name)))
                    os.remove(at('theirs.' + name))
            if sqlite3:
                with open(at('sqlite.csv'), 'wb') as out:
                    local.run([sqlite3, '-readonly', '-csv', '-header', os.path.join(home, 'server', 'health.db'), SAME_TEXT], stdout=out)
                if rows is None:
                    rows = same_rows(at('ours.csv'), at('sqlite.csv'))
                    say('  both wrote the same %d rows' % rows)
                os.remove(at('sqlite.csv'))
        sizes = ', '.join('%s %.0f MB' % (name, os.path.getsize(at('ours.' + name)) / 1e6) for name in ours)
        peak = pair.peak() / 2**20

    lines = list(TIMES)
    for name, series in ours.items():
        s = after[name].seconds
        lines += [series.row(), '| %s | %d | %.2f s | %.2f s | %.2f s | | |' % (
            after[name].name, len(s), statistics.median(s), min(s), max(s))]
    lines += [series.row() for series in (local, *theirs.values()) if series.seconds] + [''] + RATIOS
    for which, how in ((after, ', after the key store is open'), (ours, ', all of its time')):
        lines.append(verdict('`sqlite3 -csv` / fetch as CSV' + how, quotients(local, which['csv']), least=4, goal=8))
        for name, most in (('csv', 3), ('arrow', 2), ('parquet', 2)):
            lines.append(verdict('fetch as %s / nginx and curl with that file%s' % (name, how), quotients(which[name], theirs[name]),
                                 most=most, goal=1.2))
    lines += [verdict('memory of the server while it answered, MiB', [peak], most=48),
              verdict('memory of the idle server with one pair, MiB', [idle], most=20, goal=12),
              verdict('CPU of the idle server, percent', [idle_cpu], most=0.0)]
    return '''## Fetch

%s %s samples of a synthetic export, %d rounds. The files: %s.

%s

- **fetch**: all samples over mutual TLS on loopback, written to a file, which is on the disk at the end. Opening the key
  store, whose passphrase is stretched with Argon2id on purpose (64 MiB of memory in the client, for that moment), took
  %s s; it is the same whatever the number of samples, so the ratios are given without it and with it.
- **sqlite3** makes the same rows as CSV from the same database file, without any network; the rows of both were compared
  field by field (it prints numbers with 15 digits)%s.
- **nginx and curl** carry the finished file over mutual TLS with P-256 certificates and X25519: what the network alone
  costs. Nobody looks into the file.
- The server's memory is its peak while it answered; the peak of opening the key store came before.

What was learnt:

- A batch of rows cost the server 0.54 us of CPU a row, a third of it packing (zstd, level 1, mostly ids, which do not
  shrink below their 16 bytes), a third SQLite's walk. Now the first long answer makes it keep ready batches (`packs.db`, a
  third of the size of the store, in the background); the rounds behind it take 0.03 us a row.
- The client then took longest, and a third of its time was the kernel's: HTTP/2 frames of 16 KiB were two records of TLS
  and one call of the system each, and each woke another thread. Frames of 64 KiB took three quarters of the CPU for Arrow, and
  2.4 times nginx. Frames of 256 KiB, and a piece handed on by the thread that drives the connection, made it 2.0; a frame that is not
  whole yet is no silence, as the client counts the bytes that come (below HTTP, pings left out).
- Half of the batches of an Arrow file may wait unread for the thread that writes, up to 24 together: a tenth less time,
  as none of the five threads on two cores waits for another at once. Twice as many brought nothing more.
- Where batches are read by one thread and written by another, few may wait: with four of them instead of two, CSV took a quarter more
  CPU, as they no longer fit into the caches.
- A file of Arrow is what travelled, checked and not packed a second time. Reading each batch to check it costs 0.3 s of CPU, two
  thirds of it unpacking, a third of that the ids, which Arrow has as text. The file is on the disk at the end, which curl does not wait
  for: handing it over in shares of 8 MiB left little of those 0.06 s. What is left above nginx is that reading, and the server's
  way through SQLite, HTTP/2 and its checksums (0.15 s of CPU).
- What stands in the way for Parquet: a file of it is made in the client from the same batches, 1.3 s of CPU, nearly all of its time, as
  Parquet has an encoding of its own. Ready Parquet would have to be kept and sent, too: twice the room of `packs.db`, and checking it
  costs as much as reading Arrow. It is not done.
''' % (machine(folder), format(records, ','), rounds, sizes, '\n'.join(lines), spread(opened), ': %s rows' % format(rows, ',') if rows else '')
