//! What `--json` prints is what docs/reference/schemas publishes, command by command, with the real
//! programs; and every schema is used.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::{
    device::Device,
    host::Host,
    program::{self, Outcome},
    schema::{self, assert_lines},
};

#[test]
fn json_is_as_published() {
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "laptop");
    let mut seen = BTreeSet::from(["fetch-document".to_owned()]);
    for limit in [&[][..], &["--limit", "5"]] {
        let words = [&["fetch", "--all", "--format", "json"], limit].concat();
        let document = device.run(&words).good().stdout;
        let document = serde_json::from_str(&document).expect("one document");
        assert_lines("fetch-document", &[document]);
    }
    let mut check = |name: &str, outcome: Outcome, least: usize| {
        let lines = outcome.events();
        assert!(lines.len() >= least, "{name}: {outcome:?}");
        assert_lines(name, &lines);
        seen.insert(name.to_owned());
    };
    let path = |name: &str| device.path(name).display().to_string();

    check("version", device.run(&["version"]), 1);
    check("servers", device.run(&["servers"]), 1);
    check("status", device.run(&["status"]), 1);
    check("request", device.run(&["status", "--dry-run"]), 1);
    check("status", device.run(&["status", "--dry-run"]), 1);
    check("ping", device.run(&["ping", "--count", "2"]), 2);
    check("doctor", device.run(&["doctor", "--no-mdns"]), 10);
    check(
        "doctor",
        device.run(&["doctor", "--host", "127.0.0.1:9"]),
        6,
    );
    check("error", device.run(&["status", "--host", "127.0.0.1:9"]), 1);
    for words in [
        &["status", "--debug-tls"][..],
        &["status", "--debug-tls", "--host", "localhost:9"],
    ] {
        let mut told = device.run(words);
        // The steps go to stderr, one a line.
        told.stdout = std::mem::take(&mut told.stderr);
        check("tls", told, 2);
    }
    check("types", device.run(&["types"]), 10);
    check("types", device.run(&["types", "--format", "json"]), 1);
    check(
        "fetch",
        device.run(&["fetch", "--all", "--include-metadata"]),
        1990,
    );
    check(
        "fetch",
        device.run(&["fetch", "--all", "--output", &path("a.csv")]),
        1,
    );
    check("fetch", device.run(&["fetch", "--types", "stps"]), 1);
    check(
        "fetch-aggregate",
        device.run(&["fetch", "--all", "--aggregate", "weekly"]),
        20,
    );
    check(
        "fetch-aggregate",
        device.run(&["fetch", "--aggregate", "daily", "--timezone", "Nowhere"]),
        1,
    );
    let nights = device.run(&["fetch", "sleep", "--all"]);
    let long = ["--all", "--types", "sleepAnalysis", "--aggregate", "daily"];
    assert_eq!(
        nights.stdout,
        device.run(&[&["fetch"], &long[..]].concat()).stdout
    );
    check("fetch-aggregate", nights, 28);
    check("sync", device.run(&["sync", "--to", &path("copy.db")]), 1);
    check("sync", device.run(&["sync", "--to", &path("copy/")]), 1);
    check("sync", device.run(&["sync", "--to", &path("a.csv")]), 1);
    check("error", device.run(&["fetch", "--days", "x"]), 1);
    check("cert-info", device.run(&["cert", "info"]), 1);
    check("cert-info", device.run(&["cert", "info", "--ca"]), 1);
    check(
        "cert-export",
        device.run(&["cert", "export", "--output", &path("a.pem")]),
        1,
    );
    check("cert-renew", device.run(&["cert", "renew", "--check"]), 1);
    check("cert-renew", device.run(&["cert", "renew"]), 1);
    check(
        "config-get",
        device.run(&["config", "get", "server.host"]),
        1,
    );
    check(
        "config-set",
        device.run(&["config", "set", "server.host", "127.0.0.1"]),
        1,
    );
    check(
        "config-get",
        device.run(&["config", "get", "server.host"]),
        1,
    );
    check(
        "config-reset",
        device.run(&["config", "reset", "server.host"]),
        1,
    );
    check(
        "config-set",
        device.run(&["config", "set", "server.host", "127.0.0.1"]),
        1,
    );
    check("config-show", device.run(&["config", "show"]), 1);
    check("config-path", device.run(&["config", "path"]), 1);
    check("config-reset", device.run(&["config", "reset"]), 1);
    check("logs", device.run(&["logs"]), 5);
    host.run(&["pause"]).good();
    check("fetch", device.run(&["fetch"]), 1);
    host.run(&["resume"]).good();
    host.run(&["allow", "laptop", "--types", "steps"]).good();
    check("audit", host.run(&["audit"]), 12);
    check("audit-verify", host.run(&["audit", "verify"]), 1);
    check("unpair", device.run(&["unpair"]), 1);
    check("status", device.run(&["status"]), 1);
    check(
        "keychain-clear",
        device.run(&["keychain", "clear", "--yes"]),
        1,
    );
    check("config-reset", device.run(&["config", "reset"]), 1);
    assert_eq!(pair.len(), 26);

    // Pairing once more, to see what `scan` prints.
    let (window, text) = host.window(&["--approve", "none"]);
    let words = ["scan", "--text", "-", "--key-store", "file", "--json"];
    let mut command = device.command(&words);
    let outcome = program::run(&mut command, format!("{text}\n").as_bytes()).good();
    window.end().good();
    check("scan", outcome, 1);
    // Without a network `discover` can only fail; what it finds is checked by the tests in a network
    // of their own.
    check("discover", device.run(&["discover", "--no-mdns"]), 1);

    let folder = schema::folder().join("schemas");
    let published: BTreeSet<String> = fs::read_dir(folder)
        .expect("the folder")
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_str()?.to_owned()))
        // Those of the server: `published_server`.
        .filter(|name| !name.starts_with("server-"))
        .collect();
    assert_eq!(seen, published);
}

#[test]
fn schemas_are_what_they_say() {
    let folder = schema::folder().join("schemas");
    for file in fs::read_dir(folder).expect("the folder") {
        let path = file.expect("a file").path();
        let text = fs::read_to_string(&path).expect("text");
        let schema: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert_eq!(
            schema["$schema"], "https://json-schema.org/draft/2020-12/schema",
            "{path:?}"
        );
        assert!(schema["title"].is_string(), "{path:?}");
    }
}
