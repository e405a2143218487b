//! What `healthsync-server` prints with `--json` is what docs/reference/schemas publishes, command by
//! command, with the real program; every schema is used, and every command has one.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;

use crate::{
    device::Device,
    host::{Host, demo_export},
    program::{self, Outcome, Running},
    schema::{self, assert_lines},
};

/// Commands whose lines are those of another one.
const SHARED: &[(&str, &str)] = &[("resume", "pause")];

/// Commands that print no JSON.
const SILENT: &[&str] = &["help"];

/// Which schemas were used.
#[derive(Default)]
struct Seen(BTreeSet<String>);

impl Seen {
    #[track_caller]
    fn events(&mut self, name: &str, events: &[Value]) {
        assert!(!events.is_empty(), "{name} printed nothing");
        let name = format!("server-{name}");
        assert_lines(&name, events);
        self.0.insert(name);
    }

    #[track_caller]
    fn all(&mut self, name: &str, outcome: &Outcome) {
        self.events(name, &outcome.events());
    }

    /// Waits for one of this name and looks at all until then.
    #[track_caller]
    fn until(&mut self, window: &mut Running, wanted: &str) -> Value {
        loop {
            let event = window.any_event(wanted);
            self.events("pair", std::slice::from_ref(&event));
            if event["event"] == wanted {
                return event;
            }
        }
    }
}

/// A window, a device with wrong digits, a second device, and the end of it.
fn pair(seen: &mut Seen, host: &Host, device: &Device, more: &[&str]) {
    let mut window = Running::start(&mut host.command(&[&["pair"], more].concat()));
    let opened = seen.until(&mut window, "window");
    let text = opened["text"].as_str().expect("a text");
    let mut scan = device.scan(text);
    let digits = scan.event("digits")["digits"]
        .as_str()
        .expect("digits")
        .to_owned();
    seen.until(&mut window, "digits-wanted");
    Device::new("late")
        .scan(text)
        .end()
        .failed(3, &["PAIRING_USED"]);
    seen.until(&mut window, "another-device");
    let wrong = if digits == "000000" {
        "000001"
    } else {
        "000000"
    };
    seen.all("approve", &host.run(&["approve", wrong]));
    seen.until(&mut window, "wrong-digits");
    seen.all("approve", &host.run(&["approve", &digits]).good());
    scan.event("paired");
    seen.until(&mut window, "paired");
}

fn import(seen: &mut Seen, host: &Host) {
    let export = demo_export().display().to_string();
    let broken = host.path("broken.xml");
    fs::write(&broken, "<HealthData>").expect("written");
    let broken = broken.display().to_string();
    seen.all("import", &host.run(&["import", &export]).good());
    seen.all("import", &host.run(&["import", &export, &export]).good());
    let some = host.run(&["import", &export, &broken]);
    some.failed(1, &["IMPORT_INCOMPLETE"]);
    seen.all("import", &some);
    let none = host.run(&["import", "/nonexistent"]);
    none.failed(1, &["READ_FAILED"]);
    seen.all("import", &none);
}

/// A folder with a good file and a bad one, and the folder gone.
fn watch(seen: &mut Seen, host: &Host) {
    let folder = host.path("inbox");
    fs::create_dir(&folder).expect("made");
    fs::copy(demo_export(), folder.join("a.zip")).expect("copied");
    fs::write(folder.join("b.xml"), "<HealthData>").expect("written");
    let args = ["watch", "--interval", "1", folder.to_str().expect("plain")];
    let mut running = Running::start(&mut host.command(&args));
    let mut events = vec![running.event("watching"), running.event("imported")];
    events.push(running.event("failed"));
    fs::remove_dir_all(&folder).expect("removed");
    events.push(running.event("failed"));
    fs::create_dir(&folder).expect("made");
    events.push(running.event("folderBack"));
    running.kill();
    seen.events("watch", &events);
}

#[test]
fn json_of_the_server_is_as_published() {
    let mut seen = Seen::default();
    let host = Host::new();
    import(&mut seen, &host);
    watch(&mut seen, &host);
    seen.all("version", &host.run(&["version"]).good());
    // Nobody answers yet.
    let alone = host.run(&["status"]);
    assert_eq!(alone.exit, Some(4), "{alone:?}");
    seen.all("status", &alone);

    let mut host = host;
    let args = [
        "--listen",
        "127.0.0.1:0",
        "--key-store",
        "file",
        "--no-mdns",
    ];
    let mut server = Running::start(&mut host.command(&[&["start"][..], &args].concat()));
    let listening = server.any_event("listening");
    let port = listening["port"].as_u64().expect("a port");
    host.port = u16::try_from(port).expect("a port");
    seen.events("start", &[listening]);

    let device = Device::new("laptop");
    pair(&mut seen, &host, &device, &["--types", "heartRate"]);
    device.run(&["types"]).good();
    let (window, _) = host.window(&[]);
    seen.all("pair", &host.run(&["pair"]));
    window.kill();

    seen.all("status", &host.run(&["status"]).good());
    seen.all("pairs", &host.run(&["pairs"]).good());
    seen.all("pause", &host.run(&["pause"]).good());
    seen.all("pause", &host.run(&["resume"]).good());
    seen.all("allow", &host.run(&["allow", "laptop", "--all"]).good());
    seen.all("allow", &host.run(&["allow", "nobody", "--all"]));
    let sources = host.run(&["sources", "list"]).good();
    seen.all("sources", &sources);
    let last = sources.last()["name"].as_str().expect("a name").to_owned();
    let prefer = ["sources", "prefer", &last, "--type", "steps"];
    seen.all("sources", &host.run(&prefer).good());
    let usual = ["sources", "prefer", "--usual"];
    seen.all("sources", &host.run(&usual).good());
    seen.all("crl", &host.run(&["crl"]).good());
    let file = host.path("all.crl").display().to_string();
    seen.all("crl", &host.run(&["crl", "--output", &file]).good());
    seen.all("audit", &host.run(&["audit"]).good());
    seen.all("audit", &host.run(&["audit", "verify"]).good());
    seen.all("revoke", &host.run(&["revoke", "laptop"]).good());
    seen.all("pairs", &host.run(&["pairs"]).good());
    seen.all("reset", &host.run(&["reset", "--yes"]).good());
    drop(server);

    let folder = schema::folder().join("schemas");
    let published: BTreeSet<String> = fs::read_dir(folder)
        .expect("the folder")
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .filter(|name| name.starts_with("server-"))
        .collect();
    assert_eq!(seen.0, published);
}

#[test]
fn every_command_of_the_server_has_a_schema() {
    let mut command = Command::new(program::ours("healthsync-server"));
    let help = program::run(command.arg("--help"), b"").good().stdout;
    let names: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && !SILENT.contains(name))
        .collect();
    assert!(names.len() > 10, "{help}");
    for name in names {
        let shared = SHARED.iter().find(|(own, _)| *own == name);
        let schema = shared.map_or(name, |(_, other)| other);
        let path = schema::folder().join(format!("schemas/server-{schema}.json"));
        assert!(path.exists(), "{name} has no schema: {}", path.display());
    }
}
