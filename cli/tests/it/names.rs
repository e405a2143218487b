//! Words of a server that are weapons against whoever reads them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use serde_json::json;

use crate::{device::Device, host::Host, impostor::answering, program};

/// Clears the screen, sets the title, rings, turns the reading round, hides, ends, starts anew.
const WEAPON: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{2066}\u{200b}\u{2060}\u{feff}\u{ad}\u{0}\r\n\u{8}\u{7f}\u{e0041}";

fn armed(path: &str, word: &str) -> Response<Full<Bytes>> {
    let (status, body) = if path.ends_with("/status") {
        let body = json!({"status": word, "version": word, "deviceName": word,
            "enabledTypes": [word], "serverTime": word, "samples": 1});
        (200, body)
    } else if path.ends_with("/types") {
        let info = json!({"type": word, "unit": word, "count": 1, "firstDate": word,
            "lastDate": word});
        (200, json!({"enabledTypes": [word], "types": [info]}))
    } else {
        let body = json!({"code": word, "message": word, "hint": word, "requestId": word});
        (403, body)
    };
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::from(body.to_string()))
        .expect("an answer")
}

#[test]
fn names_are_inert() {
    let mut host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    host.kill();
    let word = format!("{WEAPON}{}", "x".repeat(4096));
    let at = answering(&host, &word, armed).to_string();
    for (args, exit) in [
        // This server shows no audit log, which its witness does not let pass.
        (&["status"][..], 3),
        (&["types"], 0),
        (&["fetch", "--all", "--format", "csv"], 1),
        (&["servers"], 0),
    ] {
        let mut command = device.command(args);
        if args != ["servers"] {
            command.args(["--host", &at]);
        }
        let outcome = program::run(&mut command, b"");
        assert_eq!(outcome.exit, Some(exit), "{outcome:?}");
        let said = outcome.stdout + &outcome.stderr;
        assert!(!said.is_empty());
        for line in said.split('\n') {
            let weapon = line
                .chars()
                .find(|c| WEAPON.contains(*c) && !c.is_ascii_graphic());
            assert_eq!(weapon, None, "{args:?}: {line:?}");
            assert!(!line.contains(&"x".repeat(65)), "{args:?}: {line:?}");
        }
    }
}
