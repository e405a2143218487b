//! What a running program takes of the system, as the kernel counts it.

use std::{fs, time::Duration};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// A process that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// Memory that it has now, in bytes.
    pub(crate) fn memory(self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let words = line.and_then(|line| line.split_whitespace().next());
        let kib: u64 = words.and_then(|word| word.parse().ok()).expect("a number");
        kib * 1024
    }

    /// Time of the processors that it has used.
    pub(crate) fn worked(self) -> Duration {
        let stat = self.read("stat");
        // After the name, which is in parentheses: fields 14 and 15 of proc(5).
        let rest = stat.rsplit(')').next().expect("a name");
        let fields: Vec<u64> = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse().expect("a number"))
            .collect();
        let each_second = rustix::param::clock_ticks_per_second();
        Duration::from_millis(fields.iter().sum::<u64>() * 1000 / each_second)
    }

    /// Its file descriptors.
    pub(crate) fn descriptors(self) -> Vec<u64> {
        let folder = format!("/proc/{}/fd", self.0);
        let mut numbers: Vec<u64> = fs::read_dir(folder)
            .expect("it runs")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// Lets it open `free` descriptors more than it has, and no others.
    pub(crate) fn allow(self, free: usize) {
        let taken = self.descriptors();
        let limit = (0..).filter(|number| !taken.contains(number)).nth(free);
        self.limit(limit);
    }

    /// Lets it open descriptors below this number; `None`: as many as the system gives.
    pub(crate) fn limit(self, number: Option<u64>) {
        let id = i32::try_from(self.0).ok().and_then(Pid::from_raw);
        let maximum = getrlimit(Resource::Nofile).maximum;
        let current = number.or(maximum);
        prlimit(id, Resource::Nofile, Rlimit { current, maximum }).expect("it is ours");
    }

    fn read(self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0)).expect("it runs")
    }
}

/// Lets this test open as many files as the system gives it.
pub(crate) fn open_many() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("below the maximum");
}

/// A count that `scripts/soak` sets higher than the test does.
pub(crate) fn count(variable: &str, usual: u64) -> u64 {
    match std::env::var_os(variable) {
        Some(text) => text
            .to_str()
            .and_then(|text| text.parse().ok())
            .expect("a number"),
        None => usual,
    }
}
