"""What the parts of scripts/bench have in common: running and timing programs, ratios, peers from PyPI, a pair
of our own programs, and nginx with the certificates of a pair."""
import datetime, json, os, platform, shutil, socket, statistics, subprocess, sys, time

import server_with_pair
from server_with_pair import ROOT, TARGET, Failed, stop

TOOLS = os.path.join(TARGET, 'tools')


def say(text):
    print(text, flush=True)


def timed(command, env=None, stdout=None):
    """Seconds by the clock, seconds of CPU and peak resident bytes of a command that must succeed."""
    return ran(command, env, stdout)[:3]


def spent(command, env=None):
    """Seconds by the clock and of CPU of a command that must succeed, and what it said on stderr."""
    seconds, cpu, _, said = ran(command, env)
    return seconds, cpu, said


def ran(command, env=None, stdout=None):
    began = time.perf_counter()
    child = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=stdout or subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise Failed('%s failed (%d): %s' % (command, child.returncode, errors.decode(errors='replace')[-2000:]))
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, errors


class Series:
    """What one side took, round by round."""

    def __init__(self, name):
        self.name, self.seconds, self.cpu, self.peak = name, [], [], 0

    def run(self, *args, **more):
        self.add(*timed(*args, **more))

    def add(self, seconds, cpu, peak):
        self.seconds.append(seconds)
        self.cpu.append(cpu)
        self.peak = max(self.peak, peak)
        say('  %-44s %8.2f s   %8.2f s of CPU   %7.1f MiB' % (self.name, seconds, cpu, peak / 2**20))

    def row(self):
        s = self.seconds
        return '| %s | %d | %.2f s | %.2f s | %.2f s | %.2f s | %.0f MiB |' % (
            self.name.replace('|', '\\|'), len(s), statistics.median(s), min(s), max(s),
            statistics.median(self.cpu), self.peak / 2**20)


TIMES = ['| | runs | median | fastest | slowest | CPU, median | peak memory |', '|---|--:|--:|--:|--:|--:|--:|']
RATIOS = ['| ratio, round by round | median (lowest to highest) | reached | to reach | goal |', '|---|--:|---|---|---|']


def spread(values, unit=1, text='%.2f'):
    return '%s (%s to %s)' % tuple(text % (value * unit) for value in (statistics.median(values), min(values), max(values)))


def verdict(what, values, most=None, least=None, goal=None):
    """A line of the table of ratios: `values`, one a round, are to be at most or at least so much."""
    bound = 'at most %g' % most if most is not None else 'at least %g' % least
    aim = '' if goal is None else ('at most %g' if most is not None else 'at least %g') % goal
    if not values:
        return '| %s | not measured: see above | | %s | %s |' % (what, bound, aim)
    middle = statistics.median(values)
    holds = middle <= most if most is not None else middle >= least
    return '| %s | %s | %s | %s | %s |' % (what, spread(values), 'yes' if holds else '**no**', bound, aim)


def quotients(a, b):
    """a / b, round by round."""
    return [x / y for x, y in zip(a.seconds, b.seconds)] if a and b else []


def found(name, package=None):
    """A program of Debian, or None, said aloud."""
    program = shutil.which(name) or shutil.which(name, path='/usr/sbin:/sbin')
    if not program:
        say('%s is missing (apt-get install %s): left out' % (name, package or name))
    return program


def from_pypi(requirement):
    """The folder of the programs of a package, in an environment of its own; None if it cannot be had."""
    folder = os.path.join(TOOLS, 'bench', requirement.replace('==', '-'))
    done = os.path.join(folder, 'complete')
    if not os.path.exists(done):
        say('installing %s from PyPI' % requirement)
        try:
            subprocess.run([sys.executable, '-m', 'venv', '--clear', folder], check=True, capture_output=True)
            subprocess.run([os.path.join(folder, 'bin', 'pip'), 'install', '-q', '--disable-pip-version-check', requirement],
                           check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            detail = (getattr(error, 'stderr', b'') or b'').decode(errors='replace').strip()
            say('%s cannot be had here: %s' % (requirement, detail.splitlines()[-1] if detail else error))
            return None
        open(done, 'w').close()
    return os.path.join(folder, 'bin')


def exported(folder, records):
    """Makes an export of so many records in `folder`; the path of its archive."""
    say('making an export of %s records' % format(records, ','))
    subprocess.run([sys.executable, os.path.join(ROOT, 'scripts', 'gen-export.py'), '--records', str(records), '--out', folder],
                   check=True, stdout=subprocess.DEVNULL)
    return os.path.join(folder, 'export.zip')


def heart_rates(path, records, years, seed=0):
    """Writes an export.xml of so many heart rates, evenly over so many years; the path. Another seed gives others."""
    step = years * 31_557_600 / records
    begin = datetime.datetime(2005, 1, 1, tzinfo=datetime.timezone.utc).timestamp() + seed
    record = ('<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="Watch" unit="count/min" creationDate="%s" startDate="%s" '
              'endDate="%s" value="%d"/>\n')
    with open(path, 'w') as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_US">\n<ExportDate value="2026-01-01 00:00:00 +0000"/>\n')
        for number in range(records):
            at = time.strftime('%Y-%m-%d %H:%M:%S +0000', time.gmtime(begin + number * step))
            file.write(record % (at, at, at, 50 + (number * 7919 + seed) % 110))
        file.write('</HealthData>\n')
    return path


def opening(said):
    """Seconds until the key was read from the opened key store, as `--debug-tls --json` tells."""
    steps = [json.loads(line) for line in said.decode().splitlines() if line.startswith('{')]
    taken = [step['micros'] / 1e6 for step in steps if step.get('step') in ('key-store', 'key')]
    if len(taken) != 2:
        raise Failed('the key was not read once: %s' % steps)
    return sum(taken)


def machine(folder):
    version = subprocess.run([os.path.join(folder, 'healthsync-server'), '--version'], capture_output=True, text=True, check=True)
    return '%s, %s %s, %d cores.' % (version.stdout.strip(), platform.system(), platform.machine(), os.cpu_count())


def status(pid, field):
    """A size from the kernel's account of a process, bytes."""
    with open('/proc/%d/status' % pid) as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field + ':'))


def cpu(pids):
    """Seconds of CPU of processes, those of the kernel for them included."""
    ticks = 0
    for pid in pids:
        with open('/proc/%d/stat' % pid) as file:
            fields = file.read().rsplit(')', 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf('SC_CLK_TCK')


class Pair(server_with_pair.Pair):
    """One whose server is watched."""

    def forget_peak(self):
        """The peak so far was that of opening the key store (Argon2 asks for 64 MiB): begin anew."""
        with open('/proc/%d/clear_refs' % self.server.pid, 'w') as file:
            file.write('5')

    def peak(self):
        return status(self.server.pid, 'VmHWM')


NGINX = '''daemon off; worker_processes 1; pid %(home)s/nginx.pid; error_log %(home)s/nginx.log crit;
events { worker_connections 2048; }
http {
  access_log off; keepalive_timeout 600s; keepalive_requests 100000; sendfile on; default_type application/octet-stream;
  client_body_temp_path %(home)s/a; proxy_temp_path %(home)s/b; fastcgi_temp_path %(home)s/c;
  uwsgi_temp_path %(home)s/d; scgi_temp_path %(home)s/e;
  server {
    listen 127.0.0.1:%(port)d ssl; server_name %(name)s;
    ssl_certificate %(pair)s/server.pem; ssl_certificate_key %(pair)s/server.key;
    ssl_client_certificate %(pair)s/ca.pem; ssl_verify_client on;
    ssl_protocols TLSv1.3; ssl_ecdh_curve X25519; ssl_conf_command NumTickets 0;
    ssl_session_tickets off; ssl_session_cache off;
    location = / { return 200 "ok\\n"; }
    location /files/ { alias %(home)s/files/; }
  }
}
'''


class Nginx:
    """nginx with the certificates of a pair (the folder `files` of a Server); `with` stops it. What lies in
    `home`/files it serves as /files/NAME."""

    def __init__(self, program, server, home):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        self.home = home
        os.makedirs(os.path.join(home, 'files'))
        os.chmod(home, 0o711)
        config = os.path.join(home, 'nginx.conf')
        with open(config, 'w') as file:
            file.write(NGINX % {'home': home, 'port': self.port, 'name': server.name, 'pair': server.files})
        # As root, nginx would leave its rights and could not read what is ours alone.
        user = ['-g', 'user root;'] if os.getuid() == 0 else []
        self.process = subprocess.Popen([program, '-c', config, '-p', home, *user], stderr=subprocess.DEVNULL)
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise

    def wait(self):
        for _ in range(200):
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise Failed('nginx does not listen')

    def pids(self):
        with open('/proc/%d/task/%d/children' % (self.process.pid, self.process.pid)) as file:
            return [self.process.pid, *map(int, file.read().split())]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)


def curl(server, port, path, *more):
    """The command with which curl asks over mutual TLS, with the certificates of a Server."""
    return ['curl', '-sSf', '--tls-max', '1.3', '--curves', 'X25519', '--cacert', server.pem('ca'), '--cert', server.pem('client'),
            '--key', server.key('client'), '--resolve', '%s:%d:127.0.0.1' % (server.name, port), *more,
            'https://%s:%d%s' % (server.name, port, path)]
