"""The part of scripts/bench about growth: what doubles when the records double, and what does not."""
import contextlib, os, shutil, statistics, subprocess, tempfile

from bench_tools import Pair, Series, exported, machine, say

TIMES = 3


def last_line(path):
    """Without the rest, which would count as memory of every program that is started from here."""
    with open(path, 'rb') as file:
        file.seek(-min(os.path.getsize(path), 4096), os.SEEK_END)
        return file.read().decode('utf-8').splitlines()[-1]


def measure(folder, sizes):
    """The section of docs/benchmarks.md."""
    rows = []
    for records in sizes:
        work = tempfile.mkdtemp(prefix='healthsync-bench.')
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, work, ignore_errors=True)
            archive = exported(work, records)
            shutil.rmtree(os.path.join(work, 'apple_health_export'), ignore_errors=True)
            home = os.path.join(work, 'home')
            os.makedirs(home)
            env = dict(os.environ, HEALTHSYNC_SERVER_HOME=os.path.join(home, 'server'))
            imported, whole, day = Series('import of %d' % records), Series('fetch of everything'), Series('fetch of one day')
            imported.run([os.path.join(folder, 'healthsync-server'), 'import', archive], env=env)
            os.remove(archive)
            pair = stack.enter_context(Pair(folder, home))
            out = os.path.join(work, 'out')
            subprocess.run([pair.client, 'fetch', '--all', '--types', 'steps', '--format', 'csv', '--output', out], env=pair.env, check=True,
                           capture_output=True)
            pair.forget_peak()
            last = last_line(out).split(',')[4][:10]
            for _ in range(TIMES):
                for series, words in ((whole, ['--all']), (day, ['--types', 'all', '--start', last, '--end', last])):
                    if os.path.exists(out):
                        os.remove(out)
                    series.run([pair.client, 'fetch', *words, '--format', 'csv', '--output', out], env=pair.env)
            rows.append((records, *(statistics.median(series.seconds) for series in (imported, whole, day)),
                         imported.peak / 2**20, pair.peak() / 2**20))
    lines = ['| records | import | a million records | fetch of everything | a million records | fetch of one day | peak of the import | peak of the server |',
             '|--:|--:|--:|--:|--:|--:|--:|--:|']
    for records, imported, whole, day, peak, server in rows:
        million = records / 1e6
        lines.append('| %s | %.2f s | %.2f s | %.2f s | %.2f s | %.2f s | %.0f MiB | %.0f MiB |' % (
            format(records, ','), imported, imported / million, whole, whole / million, day, peak, server))
    return '''## Growth

%s Fetches are medians of %d, as CSV over mutual TLS, opening the key store (Argon2id, about 0.2 s and 64 MiB)
included; imports are single ones into a new store.

%s
''' % (machine(folder), TIMES, '\n'.join(lines))
