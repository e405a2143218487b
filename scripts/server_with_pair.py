"""Our real programs on loopback, in a folder that goes away: a server with one pair whose certificates and keys are
in files (Server), and a server and a client that were paired as two people would (Pair). For scripts/testssl,
scripts/bench and scripts/readers."""
import base64, contextlib, json, os, signal, subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.path.abspath(os.environ.get('CARGO_TARGET_DIR') or os.path.join(ROOT, 'target'))


def programs(release):
    """The folder with our programs and, in `examples`, those of the bench; built if it was not named."""
    folder = os.environ.get('HEALTHSYNC_BIN')
    if folder:
        return folder
    kind = ['--release'] if release else []
    subprocess.run(['cargo', 'build', '--locked', '--quiet', '--workspace', '--bins', *kind], cwd=ROOT, check=True)
    subprocess.run(['cargo', 'build', '--locked', '--quiet', '-p', 'healthsync-pairing', '--example', 'pair_files',
                    '--example', 'load', *kind], cwd=ROOT, check=True)
    return os.path.join(TARGET, 'release' if release else 'debug')


def given_away():
    """The folder with our programs as scripts/dist builds them, and the one with those of the bench, whose speed
    is nobody's matter."""
    folder = os.environ.get('HEALTHSYNC_BIN')
    if folder:
        return folder, folder
    for what in (['--profile', 'dist', '--workspace', '--bins'], ['--workspace', '--example', 'pair_files']):
        subprocess.run(['cargo', 'build', '--locked', '--quiet', *what], cwd=ROOT, check=True)
    return os.path.join(TARGET, 'dist'), os.path.join(TARGET, 'debug')


class Failed(SystemExit):
    """A program did not do what was asked of it; a script that does not catch it ends and says so."""


def event(process, name):
    """The next event of that name; an error ends the waiting."""
    for line in process.stdout:
        told = json.loads(line)
        if told.get('event') == name:
            return told
        if told.get('event') == 'error':
            raise Failed(line.strip())
    raise Failed('%r did not come' % name)


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait()


def begin(*command, env):
    """A program whose events are read."""
    return subprocess.Popen([*command, '--json'], env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)


def serve(host, env):
    """The running server, and the event that says where it listens."""
    process = begin(host, 'start', '--listen', '127.0.0.1:0', '--key-store', 'file', '--no-mdns', env=env)
    try:
        return process, event(process, 'listening')
    except BaseException:
        stop(process)
        raise


def enrol(host, host_env, client, env):
    """Pairs the client with the running server, as two people would."""
    with contextlib.ExitStack() as stack:
        window = begin(host, 'pair', env=host_env)
        stack.callback(stop, window)
        text = event(window, 'window')['text']
        scan = begin(client, 'scan', '--text', '-', '--key-store', 'file', env=env)
        stack.callback(stop, scan)
        # One that ends at once says why, or nothing.
        with contextlib.suppress(BrokenPipeError), scan.stdin:
            scan.stdin.write(text + '\n')
        digits = event(scan, 'digits')['digits']
        event(window, 'digits-wanted')
        approved = subprocess.run([host, 'approve', digits], env=host_env, capture_output=True, text=True)
        if approved.returncode:
            raise Failed(approved.stderr.strip())
        for process in (scan, window):
            event(process, 'paired')
            process.stdout.read()
            if process.wait():
                raise Failed('the pairing failed')


def new_passphrase(path):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w') as file:
        file.write(os.urandom(16).hex() + '\n')


class Pair:
    """A server with the store in `home`/server, and a client that is paired with it by the real programs; `with`
    stops the server."""

    def __init__(self, programs, home):
        self.home = home
        self.host, self.client = (os.path.join(programs, name) for name in ('healthsync-server', 'healthsync'))
        self.env = dict(os.environ, HOME=home, HEALTHSYNC_SERVER_HOME=os.path.join(home, 'server'),
                        HEALTHSYNC_HOME=os.path.join(home, 'client'), XDG_RUNTIME_DIR=os.path.join(home, 'run'),
                        HEALTHSYNC_PASSPHRASE_FILE=os.path.join(home, 'passphrase'), NO_COLOR='1', TZ='UTC')
        os.makedirs(self.env['XDG_RUNTIME_DIR'], mode=0o700, exist_ok=True)
        new_passphrase(self.env['HEALTHSYNC_PASSPHRASE_FILE'])
        self.server, _ = serve(self.host, self.env)
        try:
            enrol(self.host, self.env, self.client, self.env)
        except BaseException:
            self.close()
            raise

    def close(self):
        stop(self.server)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Server:
    """Made by the library's pairing, served by the real program; `with` stops it."""

    def __init__(self, folder, home, tools=None):
        self.data, self.files = os.path.join(home, 'data'), os.path.join(home, 'pair')
        passphrase = os.path.join(home, 'passphrase')
        new_passphrase(passphrase)
        subprocess.run([os.path.join(tools or folder, 'examples', 'pair_files'), self.data, passphrase, self.files], check=True)
        with open(os.path.join(self.files, 'name')) as file:
            self.name = file.read()
        for end in ('client', 'server'):
            with open(os.path.join(self.files, end + '.der'), 'rb') as file:
                text = base64.encodebytes(file.read()).decode()
            with os.fdopen(os.open(self.key(end), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w') as out:
                out.write('-----BEGIN PRIVATE KEY-----\n%s-----END PRIVATE KEY-----\n' % text)
        run = os.path.join(home, 'run')
        os.makedirs(run, mode=0o700)
        self.host = os.path.join(folder, 'healthsync-server')
        self.env = dict(os.environ, HEALTHSYNC_SERVER_HOME=self.data, XDG_RUNTIME_DIR=run, HEALTHSYNC_PASSPHRASE_FILE=passphrase)
        self.process, told = serve(self.host, self.env)
        self.port = told['port']

    def pem(self, whose):
        return os.path.join(self.files, whose + '.pem')

    def key(self, whose):
        return os.path.join(self.files, whose + '.key')

    def pids(self):
        return [self.process.pid]

    def without_certificate(self):
        """What openssl says when it shows none."""
        done = subprocess.run(['openssl', 's_client', '-connect', '127.0.0.1:%d' % self.port, '-servername', self.name,
                               '-ign_eof'], input='GET / HTTP/1.0\r\n\r\n', stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60)
        return done.stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)
