"""The part of scripts/bench about totals: the days of ten years of heart rate, beside DuckDB on the same samples in
Parquet."""
import contextlib, csv, os, subprocess, tempfile

from bench_tools import RATIOS, Series, TIMES, curl, from_pypi, heart_rates, machine, quotients, say, status, verdict
from server_with_pair import Server

ZONE = 'Europe/Vienna'
# One process; each line that comes is a file for the days; the answer is how long the query alone took.
PEER = '''
import duckdb, sys, time
connection = duckdb.connect()
# Else a query of more than two seconds writes lines of its own.
connection.execute('SET enable_progress_bar = false')
connection.execute("SET TimeZone='%s'")
for line in sys.stdin:
    began = time.perf_counter()
    days = connection.execute("""SELECT date_trunc('day', startDate)::DATE AS day, avg(value), min(value), max(value), count(*)
        FROM read_parquet(?) GROUP BY 1 ORDER BY 1""", [sys.argv[1]]).fetchall()
    took = time.perf_counter() - began
    with open(line.strip(), 'w') as out:
        out.writelines('%%s,%%r,%%r,%%r,%%d\\n' %% day for day in days)
    print(took, flush=True)
''' % ZONE


def same_days(ours, theirs):
    """How many days both have, after a comparison of each."""
    with open(ours, newline='') as file:
        mine = [(row['date'], float(row['average']), float(row['min']), float(row['max']), int(row['count'])) for row in csv.DictReader(file)]
    with open(theirs) as file:
        peer = [line.strip().split(',') for line in file]
    if len(mine) != len(peer):
        raise SystemExit('%d days here, %d there' % (len(mine), len(peer)))
    for (date, average, least, most, count), other in zip(mine, peer):
        if date != other[0] or abs(average - float(other[1])) > 1e-9 * average or [least, most, count] != [float(other[2]), float(other[3]), int(other[4])]:
            raise SystemExit('%s is another day for DuckDB' % date)
    return len(mine)


def measure(folder, records, rounds):
    """The section of docs/benchmarks.md."""
    programs = from_pypi('duckdb==1.3.2')
    ours, first, theirs = Series('daily totals over mTLS, with curl'), Series('the same, the first time'), Series('DuckDB 1.3.2, the query alone')
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(tempfile.TemporaryDirectory(prefix='healthsync-bench.'))
        at = lambda name: os.path.join(work, name)
        export = heart_rates(at('export.xml'), records, 10)
        home = at('home')
        os.makedirs(home)
        server = stack.enter_context(Server(folder, home))
        env = dict(os.environ, HEALTHSYNC_SERVER_HOME=server.data)
        subprocess.run([os.path.join(folder, 'healthsync-server'), 'import', export], env=env, check=True, capture_output=True)
        os.remove(export)
        subprocess.run(curl(server, server.port, '/api/v1/samples', '-H', 'Accept: application/vnd.apache.arrow.stream', '-o', at('all.arrow')), check=True)
        path = '/api/v1/aggregates?types=heartRate&period=daily&timezone=%s' % ZONE
        ask = curl(server, server.port, path, '-H', 'Accept: text/csv', '-o', at('ours.csv'))
        first.run(ask)
        peer = None
        if programs:
            python = os.path.join(programs, 'python')
            subprocess.run([os.path.join(programs, 'pip'), 'install', '-q', '--disable-pip-version-check', 'pyarrow==21.0.0'], check=True, capture_output=True)
            subprocess.run([python, '-c', 'import sys, pyarrow.ipc as i, pyarrow.parquet as p\n'
                            'with i.open_stream(sys.argv[1]) as s:\n w = p.ParquetWriter(sys.argv[2], s.schema)\n for b in s: w.write_batch(b)\n w.close()',
                            at('all.arrow'), at('all.parquet')], check=True)
            peer = stack.enter_context(subprocess.Popen([python, '-c', PEER, at('all.parquet')], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            stack.callback(peer.stdin.close)
        days = None
        for number in range(rounds):
            say('totals, round %d of %d' % (number + 1, rounds))
            ours.run(ask)
            if peer:
                peer.stdin.write(at('theirs.csv') + '\n')
                peer.stdin.flush()
                theirs.add(float(peer.stdout.readline()), 0, status(peer.pid, 'VmHWM'))
                if days is None:
                    days = same_days(at('ours.csv'), at('theirs.csv'))
                    say('  both have the same %d days' % days)
    lines = TIMES + [series.row() for series in (first, ours, theirs) if series.seconds] + [''] + RATIOS + [
        verdict('daily totals / DuckDB', quotients(ours, theirs), most=1.5, goal=0.1)]
    return '''## Totals

%s The days of ten years of heart rate, %s samples, in %s: count, mean, least and most of each day, over mutual TLS
with a new connection of curl each time. DuckDB reads the same samples from a Parquet file in a running process, and
only its query is counted.%s

%s
''' % (machine(folder), format(records, ','), ZONE,
       ' Both gave the same %d days (means to nine digits).' % days if days else ' DuckDB could not be had.', '\n'.join(lines))
