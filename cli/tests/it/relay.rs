//! Stands between the two programs: passes on what they say, record by record, and holds it at one
//! place of the conversation for as long as the test wants.

use std::{
    io::{self, Read, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    Client,
    Server,
}

/// A TLS record: the how many-th of whom, on the how many-th connection, all from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) connection: usize,
    pub(crate) from: Speaker,
    pub(crate) record: usize,
}

/// A relay on a port of its own.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) port: u16,
    gate: Arc<Gate>,
    reached: Receiver<()>,
}

/// Whether the gate stands open, and all records that were passed on, with their lengths.
#[derive(Debug, Default)]
struct State {
    is_open: bool,
    passed: Vec<(Place, usize)>,
}

#[derive(Debug)]
struct Gate {
    hold: Option<Place>,
    state: Mutex<State>,
    opened: Condvar,
    reached: Mutex<Sender<()>>,
}

impl Relay {
    /// Relays to `port`; the record at `hold` waits until [`Self::release`].
    pub(crate) fn start(port: u16, hold: Option<Place>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("bound").port();
        let (send, reached) = channel();
        let gate = Arc::new(Gate {
            hold,
            state: Mutex::default(),
            opened: Condvar::new(),
            reached: Mutex::new(send),
        });
        thread::spawn({
            let gate = Arc::clone(&gate);
            move || {
                for (connection, client) in listener.incoming().enumerate() {
                    let (Ok(client), Ok(server)) =
                        (client, TcpStream::connect(("127.0.0.1", port)))
                    else {
                        continue;
                    };
                    for (from, source, sink) in [
                        (Speaker::Client, &client, &server),
                        (Speaker::Server, &server, &client),
                    ] {
                        let gate = Arc::clone(&gate);
                        let source = source.try_clone().expect("a socket");
                        let sink = sink.try_clone().expect("a socket");
                        thread::spawn(move || {
                            drop(gate.pass(connection, from, &source, &sink));
                            drop(sink.shutdown(Shutdown::Write));
                            drop(source.shutdown(Shutdown::Read));
                        });
                    }
                }
            }
        });
        Self {
            port: own,
            gate,
            reached,
        }
    }

    /// Whether the place is reached within so long.
    pub(crate) fn is_reached(&self, within: Duration) -> bool {
        match self.reached.recv_timeout(within) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => unreachable!("the gate stands"),
        }
    }

    /// Lets it go on.
    pub(crate) fn release(&self) {
        self.gate.with(|state| state.is_open = true);
        self.gate.opened.notify_all();
    }

    /// All records that were passed on, with their lengths.
    pub(crate) fn passed(&self) -> Vec<(Place, usize)> {
        self.gate.with(|state| state.passed.clone())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.release();
    }
}

impl Gate {
    fn pass(
        &self,
        connection: usize,
        from: Speaker,
        mut source: &TcpStream,
        mut sink: &TcpStream,
    ) -> io::Result<()> {
        for record in 0.. {
            let mut header = [0; 5];
            source.read_exact(&mut header)?;
            let length = u16::from_be_bytes([header[3], header[4]]);
            let mut whole = header.to_vec();
            source.take(length.into()).read_to_end(&mut whole)?;
            let place = Place {
                connection,
                from,
                record,
            };
            if self.hold == Some(place) {
                let told = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
                told.send(()).unwrap_or(());
                drop(told);
                let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                drop(self.opened.wait_while(state, |state| !state.is_open));
            }
            sink.write_all(&whole)?;
            self.with(|state| state.passed.push((place, whole.len())));
        }
        Ok(())
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
