"""The part of scripts/bench about imports: the same export into a new store, again, and into other programs."""
import os, shutil, subprocess, sys, tempfile

from bench_tools import (Failed, RATIOS, Series, TIMES, exported, found, from_pypi, machine, quotients, say, spread, verdict)

# Name, package, and the command of its program in `bin` for an archive, its XML file and an output.
PEERS = [
    ('healthkit-to-sqlite', 'healthkit-to-sqlite==1.0.1',
     lambda b, z, x, out: (['%s/healthkit-to-sqlite' % b, '--silent', z, out + '.db'], {})),
    ('apple-health-export-mcp', 'apple-health-export-mcp==0.1.1',
     lambda b, z, x, out: (['%s/apple-health-export-mcp-ingest' % b, z], {'AH_DB_PATH': out + '.db'})),
    ('apple-health-mcp-server', 'apple-health-mcp-server', lambda b, z, x, out: (['%s/apple-health-mcp-server' % b, 'import', z], {})),
    ('atlas-db', 'atlas-db==0.2.11', lambda b, z, x, out: (['%s/atlas' % b, 'parquet', x, '-o', out + '.parquet'], {})),
    ('apple-health-parser', 'apple-health-parser==2.0.5',
     lambda b, z, x, out: ([b + '/python', '-c', PARSER, z, out + '.folder'], {})),
]
# It keeps what it reads in memory; there is no file to wait for.
PARSER = ('import sys; from apple_health_parser.utils.parser import Parser; '
          'p = Parser(export_file=sys.argv[1], output_dir=sys.argv[2], overwrite=True); assert p.flags')


def measure(folder, records, rounds):
    """The section of docs/benchmarks.md."""
    host = os.path.join(folder, 'healthsync-server')
    unzip = found('unzip')
    peers = [(name, run, from_pypi(package)) for name, package, run in PEERS]
    missing = [name for name, _, bin_ in peers if not bin_]
    work = tempfile.mkdtemp(prefix='healthsync-bench.')
    try:
        archive = exported(work, records)
        text = os.path.join(work, 'apple_health_export', 'export.xml')
        if not os.path.exists(text):
            subprocess.run([sys.executable, '-c', 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])',
                            archive, work], check=True)
        size = os.path.getsize(text)
        first, again = Series('healthsync-server import'), Series('the same import again')
        reading = Series('unzip -p | wc -c')
        others = {name: Series(name) for name, _, bin_ in peers if bin_}
        for number in range(rounds):
            say('import, round %d of %d' % (number + 1, rounds))
            home = os.path.join(work, 'home')
            shutil.rmtree(home, ignore_errors=True)
            os.makedirs(home)
            env = dict(os.environ, HEALTHSYNC_SERVER_HOME=os.path.join(home, 'server'))
            if unzip:
                reading.run(['sh', '-c', 'unzip -p "$0" | wc -c', archive])
            first.run([host, 'import', archive], env=env)
            again.run([host, 'import', archive], env=env)
            for name, run, bin_ in peers:
                if name not in others:
                    continue
                out = tempfile.mkdtemp(prefix='peer.', dir=work)
                command, more = run(bin_, archive, text, os.path.join(out, 'out'))
                try:
                    others[name].run(command, env=dict(os.environ, **more))
                except Failed as error:
                    say('%s failed and is left out: %s' % (name, str(error)[-300:]))
                    missing.append(name)
                    del others[name]
                shutil.rmtree(out)
        stored = os.path.getsize(os.path.join(home, 'server', 'health.db'))
    finally:
        shutil.rmtree(work, ignore_errors=True)

    others = [series for series in others.values() if series.seconds]
    fastest = min(others, key=lambda series: sorted(series.seconds)[len(series.seconds) // 2], default=None)
    smallest = min(others, key=lambda series: series.peak, default=None)
    peak = max(first.peak, again.peak) / 2**20
    lines = TIMES + [series.row() for series in (first, again, reading, *others) if series.seconds] + [''] + RATIOS + [
        verdict('import / `unzip -p export.zip \\| wc -c`', quotients(first, reading), most=1.6, goal=1.2),
        verdict('fastest other program%s / import' % (' (%s)' % fastest.name if fastest else ''),
                quotients(fastest, first), least=8, goal=12),
        verdict('import again / first import', quotients(again, first), most=0.6, goal=0.4),
        verdict('peak memory of the import, MiB', [peak], most=40, goal=24)]
    if smallest:
        lines.append('')
        lines.append('The smallest of the others, %s, took %.0f MiB.' % (smallest.name, smallest.peak / 2**20))
    if missing:
        lines.append('')
        lines.append('Not measured, because it cannot be had here or failed: %s.' % ', '.join(missing))
    return '''## Import

%s A synthetic export of %s records (`scripts/gen-export.py`; %.0f MB of XML), %d rounds.

%s

- **import**: `export.zip` into a new store, with everything that it holds; *again* is the same file a second time,
  which adds nothing. `unzip -p export.zip | wc -c` only unpacks, so it is what reading costs anybody.
- The others come from PyPI: healthkit-to-sqlite 1.0.1, apple-health-export-mcp 0.1.1, atlas-db 0.2.11 (records alone,
  from the unpacked XML), apple-health-parser 2.0.5 (into memory alone). What they keep is less: none looks for what is
  there already across exports, none converts units.
- `health.db` has %.1f MB afterwards, %.0f bytes a record.

What was learnt (100,000 records, user and system time of all threads, by sampling; 0.36 s before, 0.26 s after, and
0.25 s and 0.17 s for the import again):

- The thread that writes takes longest: 225 ms of 380, and of those 64 in the kernel. A statement that inserts one row
  looks for its place from the root of both trees. 32 rows by one statement stay where they are: 40 ms less.
- Pages of 8 KiB instead of 4 halve the calls that write the log and move it into the file (13,000 writes become 6,300):
  20 ms less with the old statement. Pages of 16 KiB saved 10 more there, but cost 30 more with the new one (`INSERT OR
  IGNORE` came in the same step; which of both did it was not measured apart), and an empty store would have 0.8 MB.
- A rollback journal instead of the log would save 20 ms of the first import; it is not used, because nobody could read
  meanwhile.
- Reading each tag once, where it stands, with its attributes, instead of copying it, checking it and looking through it
  again: the thread that parses needs 100 ms instead of 135. The rest of it are SHA-256 (12 ms, by the instructions of the
  processor), dates (8 ms, half of what a general parser took) and memory.
- Unpacking with its checksum takes 28 ms, a fifth of what `unzip` needs; the time is bound by what comes behind.
- The import again walks over the range of 256 records instead of searching each: 66 ms instead of 113 in that thread.

Later, with 500,000 records (0.91 s of wall clock and 1.26 s of CPU before, 0.66 s and 1.02 s after; each by itself, and the
store in it):

- The index of the sequence held each id a second time. What it is for, finding what was written since a place, takes 5 bytes a
  record as differences in rows of 256 (table `written`): 90 ms less, and a record takes 90 bytes instead of 123.
- Looking for characters that XML forbids was one byte at a time in the programs that are given away: their last step of
  optimization is for size and makes no vectors. Eight at a time in one register: 0.17 s of CPU less.
- SQLite without counters of its memory, checks of arguments and statistics: the program is 0.1 MB smaller; its share of
  the time was not measured apart.
- A record in memory of its own cost the thread that parses a twelfth of its time (getting and giving back), the letters of
  keys that the tag before had as well, and a call to look for the end of each short value, another thirtieth.
- What brought nothing measurable: 64 rows a statement, 12 or 30 MB of pages in memory, binding only what differs from the row
  before, having the log written to the disk by another thread meanwhile (10 ms slower).
- The import again is bound by the thread that parses (0.38 s), which it shares with the first one. That one's writer got faster by
  more than its reader, so the ratio of both is not what it was (0.59 with 0.55 s and 0.95 s).
- What stands in the way of more: 0.12 s at the end are SQLite's alone, which has each page on the disk twice (log, file). The
  rest is one core's worth of SQLite (0.5 s, half of it taking bound values into a row) beside half of one that parses.
''' % (machine(folder), format(records, ','), size / 1e6, rounds, '\n'.join(lines), stored / 1e6, stored / records)
