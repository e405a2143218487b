//! All that both programs say at their most talkative, and what must not be in it.

use std::{fs, process::Command};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    canaries::{Canary, key_file, keys_in},
    device::Device,
    host::{Host, write_private},
    paths::tree,
    program::{self, Outcome, Running},
    stranger::Stranger,
};

const HOST_PASSPHRASE: &str = "correct horse battery staple";
const DEVICE_PASSPHRASE: &str = "another passphrase";
/// A heart rate that no other number looks like.
const VALUE: &str = "71.4142135";

/// What was said, and where.
#[derive(Default)]
struct Said(Vec<(String, String)>);

impl Said {
    fn add(&mut self, what: &str, text: &str) {
        self.0.push((what.to_owned(), text.to_owned()));
    }

    /// All that a command said.
    fn all(&mut self, what: &str, outcome: &Outcome) {
        self.add(what, &outcome.stdout);
        self.add(what, &outcome.stderr);
    }
}

fn talkative(mut command: Command) -> Command {
    command
        .env("HEALTHSYNC_LOG", "trace")
        .env("RUST_BACKTRACE", "full");
    command
}

fn write_export(host: &Host) -> String {
    let file = host.path("values.xml");
    let date = "2026-01-01 08:00:00 +0000";
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HealthData locale=\"en_US\">\n \
         <ExportDate value=\"{date}\"/>\n <Record type=\"HKQuantityTypeIdentifierHeartRate\" \
         sourceName=\"Watch\" unit=\"count/min\" creationDate=\"{date}\" startDate=\"{date}\" \
         endDate=\"{date}\" value=\"{VALUE}\"/>\n</HealthData>\n"
    );
    fs::write(&file, text).expect("ours");
    file.display().to_string()
}

#[test]
fn no_secret_in_logs() {
    let mut said = Said::default();
    let mut canaries = vec![
        Canary::text("the host's passphrase", HOST_PASSPHRASE),
        Canary::text("the device's passphrase", DEVICE_PASSPHRASE),
        Canary::text("a health value", VALUE),
    ];
    let number: f64 = VALUE.parse().expect("a number");
    for bytes in [number.to_be_bytes(), number.to_le_bytes()] {
        canaries.push(Canary::number("a health value in binary", bytes));
    }
    let mut host = Host::new();
    let file = write_export(&host);
    let import = program::run(&mut talkative(host.command(&["import", "-v", &file])), b"");
    said.all("import", &import.good());
    let args = [
        "start",
        "--listen",
        "127.0.0.1:0",
        "--key-store",
        "file",
        "--no-mdns",
        "-v",
    ];
    let mut server = Running::start(&mut talkative(host.command(&args)));
    let port = server.event("listening")["port"].as_u64();
    host.port = port.and_then(|port| port.try_into().ok()).expect("a port");
    let process = server.process();

    // A device is paired; a second one comes with the same code; digits are typed wrong first.
    let device = Device::new("laptop");
    let run = |device: &Device, args: &[&str]| {
        let most = ["--json", "--verbose", "--debug-tls"];
        program::run(device.command(args).args(most), b"")
    };
    let mut window = Running::start(&mut host.command(&["pair"]));
    let opened = window.event("window");
    let shown = |field: &str| opened[field].as_str().expect("a text").to_owned();
    let (text, typed) = (shown("text"), shown("code"));
    canaries.push(Canary::text("a typed code", &typed));
    canaries.push(Canary::text("a typed code, bare", &typed.replace('-', "")));
    canaries.push(Canary::text("a pairing code", &text));
    canaries.push(Canary::text(
        "the end of a pairing code",
        &text[text.len() - 40..],
    ));
    let scan = [
        "scan",
        "--text",
        "-",
        "--key-store",
        "file",
        "--json",
        "--verbose",
        "--debug-tls",
    ];
    let mut scanning = Running::start(&mut device.command(&scan));
    scanning.say(&format!("{text}\n"));
    let digits = scanning.event("digits")["digits"]
        .as_str()
        .expect("digits")
        .to_owned();
    window.event("digits-wanted");
    let late = program::run(&mut Device::new("late").command(&scan), text.as_bytes());
    late.failed(3, &["PAIRING_USED"]);
    said.all("scan of a used code", &late);
    let wrong = if digits == "000000" {
        "000001"
    } else {
        "000000"
    };
    said.all("approve, wrong", &host.run(&["approve", wrong]));
    said.all("approve", &host.run(&["approve", &digits]).good());
    let pair = scanning.event("paired")["pair"]
        .as_str()
        .expect("a pair")
        .to_owned();
    // The digits are for the device's screen, and so for its stdout alone.
    said.add("scan", &scanning.end().good().stderr);
    said.all("pair", &window.end().good());
    let stranger = Stranger::enrolled(&host);

    // Things go well, and wrong.
    let types = run(&device, &["types"]).good();
    said.all("types", &types);
    let fetched = run(&device, &["fetch", "--all", "--format", "ndjson"]).good();
    assert!(fetched.stdout.contains(VALUE), "{fetched:?}");
    assert!(fetched.stderr.contains("client-hello"), "{fetched:?}");
    said.add("fetch", &fetched.stderr);
    for args in [
        &["status"][..],
        &["doctor", "--no-mdns"],
        &["cert", "info"],
        &["cert", "renew"],
        &["servers"],
        &["config", "show"],
        &["fetch", "--types", "nonsense"],
        &["status", "--host", "127.0.0.1:1"],
        &["scan", "--file", "/dev/null"],
    ] {
        said.all(&args.join(" "), &run(&device, args));
    }
    for damaged in [&text[..text.len() / 2], &text[4..], &format!("{text}AB")] {
        let outcome = program::run(&mut Device::new("x").command(&scan), damaged.as_bytes());
        assert_ne!(outcome.exit, Some(0), "{outcome:?}");
        said.all("scan of a damaged code", &outcome);
    }
    for program in [device.command(&[]), host.command(&[])] {
        for args in [
            &["scan", "--text", &text][..],
            &["pair", &text],
            &[&text],
            &["status", "--passphrase", HOST_PASSPHRASE],
        ] {
            let mut command = Command::new(program.get_program());
            let outcome = program::run(command.args(args).arg("--json"), b"");
            outcome.failed(2, &["SECRET_IN_ARGV"]);
            said.all("a secret in the arguments", &outcome);
        }
    }
    let query = "samples?types=heartRate&startDate=2026-01-01T00:00:00Z";
    stranger
        .curl(&stranger.name(), &["--cert", "client"], query)
        .good();
    for args in [
        &["status"][..],
        &["pairs"],
        &["revoke", "nobody"],
        &["revoke", &stranger.pair.to_string()],
    ] {
        said.all(&args.join(" "), &host.run(args));
    }
    // The log of who read what names the read, and nothing of what was read.
    let log = host.run(&["audit"]).good();
    assert!(log.stdout.contains("read-samples"), "{log:?}");
    said.all("audit", &log);
    said.all("audit verify", &host.run(&["audit", "verify"]).good());
    write_private(&device.path("passphrase"), "a wrong passphrase\n");
    canaries.push(Canary::text("a wrong passphrase", "a wrong passphrase"));
    let locked = run(&device, &["status"]);
    assert_ne!(locked.exit, Some(0), "{locked:?}");
    said.all("status with a wrong passphrase", &locked);

    let id = i32::try_from(process.0).ok().and_then(Pid::from_raw);
    kill_process(id.expect("a process"), Signal::TERM).expect("ours");
    let server = server.end();
    let log = server.stderr.clone();
    said.all("the server's log", &server.good());
    assert!(
        log.contains("/api/v1/samples") && log.contains("TRACE"),
        "no log"
    );
    for line in log.lines() {
        // Which has six digits of its own.
        let told = line.split_once("Z\"").map_or(line, |(_, rest)| rest);
        let mut numbers = told.split(|c: char| !c.is_ascii_digit());
        assert!(
            !numbers.any(|number| number == digits),
            "the digits: {line}"
        );
    }

    // Only now, because the stores belong to the programs while they run.
    canaries.extend(keys_in(
        &host.path("server/keys"),
        HOST_PASSPHRASE,
        &[format!("host:{pair}")],
    ));
    canaries.extend(keys_in(
        &device.path("home/keys"),
        DEVICE_PASSPHRASE,
        &[format!("client:{pair}")],
    ));
    canaries.extend(key_file(&stranger.path("client.der")));
    for canary in &canaries {
        for (source, text) in &said.0 {
            canary.must_not_be_in(source, text);
        }
    }
    // What both keep, but for the samples and the sealed keys.
    for home in [host.path("server"), device.path("home")] {
        let mut files = 0;
        for path in tree(&home).into_keys().filter(|path| path.is_file()) {
            let name = path
                .strip_prefix(&home)
                .expect("below it")
                .display()
                .to_string();
            if !name.starts_with("keys/") && !name.starts_with("health.db") {
                files += 1;
                for canary in &canaries {
                    canary.must_not_be_in_file(&path);
                }
            }
        }
        assert!(files > 1, "{home:?}");
    }
    for word in ["heartRate&", "startDate=", "2026-01-01T00:00:00Z"] {
        assert!(
            !log.contains(word),
            "the log says what somebody asked for: {word}"
        );
    }
}
