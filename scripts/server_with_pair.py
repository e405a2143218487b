"""A server on loopback with one pair whose certificates and keys are in files; for scripts/testssl and
scripts/bench. Everything is in a folder that goes away."""
import base64, json, os, signal, subprocess, sys

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


class Server:
    """Made by the library's pairing, served by the real program; `with` stops it."""

    def __init__(self, folder, home, tools=None):
        self.data, self.files = os.path.join(home, 'data'), os.path.join(home, 'pair')
        passphrase = os.path.join(home, 'passphrase')
        with os.fdopen(os.open(passphrase, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w') as file:
            file.write(os.urandom(16).hex() + '\n')
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
        self.process = subprocess.Popen(
            [self.host, 'start', '--listen', '127.0.0.1:0', '--key-store', 'file', '--no-mdns', '--json'], env=self.env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        for line in self.process.stdout:
            told = json.loads(line)
            if told['event'] == 'listening':
                self.port = told['port']
                return
        sys.exit('healthsync-server did not start')

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
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
