//! `doctor`: each broken thing has its verdict, its one command and its exit code.

use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

use serde_json::Value;
use tokio_rustls::rustls::{CertificateError, Error};

use crate::{
    device::Device,
    host::Host,
    lab::{DAY, Lab, http, serve, serve_tls},
    program::{self, Outcome},
};

/// The verdict, and that it is the only one and comes last.
#[track_caller]
fn verdict(outcome: &Outcome, exit: i32, code: &str, command: &str) -> Value {
    assert_eq!(outcome.exit, Some(exit), "{outcome:#?}");
    let events = outcome.events();
    let verdicts: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "verdict")
        .collect();
    assert_eq!(verdicts.len(), 1, "{outcome:#?}");
    let verdict = outcome.last();
    assert_eq!(&verdict, verdicts[0]);
    assert_eq!(
        (&verdict["code"], &verdict["command"]),
        (&code.into(), &command.into()),
        "{outcome:#?}"
    );
    assert_eq!(verdict["healthy"], exit == 0, "{verdict}");
    assert!(
        verdict["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    verdict
}

/// The outcome of a check.
#[track_caller]
fn check(outcome: &Outcome, name: &str) -> String {
    let events = outcome.events();
    let found = events
        .iter()
        .find(|event| event["event"] == "check" && event["check"] == name);
    let found = found.unwrap_or_else(|| panic!("no check {name}: {events:#?}"));
    found["outcome"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn all_is_well() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let before = std::fs::read(device.path("home/config.json")).expect("a configuration");
    for command in ["doctor", "diagnose"] {
        let outcome = device.run(&[command, "--no-mdns"]);
        verdict(&outcome, 0, "OK", "");
        for name in [
            "program",
            "configuration",
            "key-store",
            "certificates",
            "name",
            "route",
            "port",
            "tls",
            "server-certificate",
            "client-certificate",
            "revocation",
            "api",
            "clock",
            "version",
        ] {
            assert_eq!(check(&outcome, name), "ok", "{name}: {outcome:#?}");
        }
    }
    let after = std::fs::read(device.path("home/config.json")).expect("a configuration");
    assert!(before == after, "a look changes nothing");
    let told = program::run(&mut device.command(&["doctor"]), b"").good();
    assert!(
        told.stdout.contains("verdict: everything works  [OK]"),
        "{}",
        told.stdout
    );
}

#[test]
fn what_is_wrong_at_home() {
    let device = Device::new("laptop");
    verdict(&device.run(&["doctor"]), 3, "NOT_PAIRED", "healthsync scan");

    let lab = Lab::new();
    let address = serve(|_, tcp| drop(tcp));
    let device = lab.at(address);
    std::fs::write(device.path("passphrase"), "wrong\n").expect("ours");
    let outcome = device.run(&["doctor"]);
    let told = verdict(&outcome, 1, "PASSPHRASE_WRONG", "healthsync doctor");
    assert!(told["hint"].to_string().contains("passphrase"), "{told}");
    assert_eq!(check(&outcome, "configuration"), "ok");
    assert_eq!(check(&outcome, "key-store"), "failed");
    std::fs::write(device.path("home/config.json"), "{").expect("ours");
    verdict(
        &device.run(&["doctor"]),
        1,
        "CONFIG_DAMAGED",
        "healthsync config reset",
    );

    // It can be renewed for 90 days after its end.
    for (made, command) in [(-366, "healthsync cert renew"), (-460, "healthsync unpair")] {
        let lab = Lab::made(-500 * DAY, made * DAY);
        let outcome = lab.at(address).run(&["doctor"]);
        let told = verdict(&outcome, 3, "CERT_HAS_EXPIRED", command);
        assert_eq!(told["subject"], "client");
    }
    let lab = Lab::made(DAY, DAY);
    let outcome = lab.at(address).run(&["doctor"]);
    let told = verdict(&outcome, 3, "CERT_NOT_YET_VALID", "date");
    assert_eq!(told["subject"], "ca");
}

#[test]
fn what_is_wrong_on_the_way() {
    let lab = Lab::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let outcome = lab.at(free.expect("a port")).run(&["doctor", "--no-mdns"]);
    verdict(&outcome, 4, "ECONNREFUSED", "healthsync-server start");
    assert_eq!(
        (check(&outcome, "route"), check(&outcome, "port")),
        ("ok".into(), "failed".into())
    );

    let web = serve(|_, mut tcp| {
        use std::io::{Read as _, Write as _};
        drop(tcp.read(&mut [0; 64]));
        drop(tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        drop(tcp.shutdown(std::net::Shutdown::Write));
        drop(tcp.read(&mut [0; 4096]));
    });
    let outcome = lab.at(web).run(&["doctor"]);
    verdict(&outcome, 4, "NOT_TLS", "healthsync config show");
    assert_eq!(
        (check(&outcome, "port"), check(&outcome, "tls")),
        ("ok".into(), "failed".into())
    );

    let outcome = lab
        .device
        .run(&["doctor", "--host", &format!("{}.invalid", "a".repeat(64))]);
    verdict(&outcome, 4, "ENOTFOUND", "healthsync config show");
    assert_eq!(check(&outcome, "name"), "failed");
    let logged = lab.device.run(&["logs", "--tail", "1"]).good().last();
    assert_eq!(
        (&logged["command"], &logged["exit"], &logged["code"]),
        (&"doctor".into(), &4.into(), &"ENOTFOUND".into())
    );
}

#[test]
fn what_is_wrong_with_the_trust() {
    let lab = Lab::made(-200 * DAY, 0);
    let expired = lab.tls(&[lab.leaf(-100 * DAY)], None, &["http/1.1"]);
    let outcome = lab
        .at(serve_tls(expired, http("500 no", &[], "")))
        .run(&["doctor"]);
    verdict(&outcome, 3, "CERT_HAS_EXPIRED", "healthsync-server start");
    assert_eq!(check(&outcome, "tls"), "ok");
    assert_eq!(check(&outcome, "server-certificate"), "failed");

    let lab = Lab::new();
    for (verdict_there, code, failed, command) in [
        (
            CertificateError::Revoked,
            "CERT_REVOKED",
            "revocation",
            "healthsync unpair",
        ),
        (
            CertificateError::UnknownIssuer,
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            "client-certificate",
            "healthsync unpair",
        ),
    ] {
        let why = Some(Error::InvalidCertificate(verdict_there));
        let tls = lab.tls(&[lab.leaf(0)], why, &["http/1.1"]);
        let outcome = lab.at(serve_tls(Arc::clone(&tls), "")).run(&["doctor"]);
        verdict(&outcome, 3, code, command);
        assert_eq!(check(&outcome, "server-certificate"), "ok");
        assert_eq!(check(&outcome, failed), "failed");
    }
}

#[test]
fn what_the_server_says() {
    let lab = Lab::new();
    let status = |state: &str, version: &str, time: &str, types: &str| {
        http(
            "200 OK",
            &[],
            &format!(
                r#"{{"status":"{state}","deviceName":"lab","version":"{version}","serverTime":"{time}","samples":7,"enabledTypes":[{types}]}}"#
            ),
        )
    };
    let ours = env!("CARGO_PKG_VERSION");
    let now = jiff::Timestamp::now().to_string();
    let steps = "\"steps\"";
    for (answer, code, command) in [
        (status("ok", ours, &now, steps), "OK", ""),
        (
            status("paused", ours, &now, steps),
            "LOCKED",
            "healthsync-server resume",
        ),
        (
            status("ok", ours, &now, ""),
            "NO_TYPES",
            "healthsync-server import export.zip",
        ),
        (
            status("ok", ours, "2020-01-01T00:00:00Z", steps),
            "CLOCKS_DIFFER",
            "date",
        ),
        (
            status("ok", "99.0.0", &now, steps),
            "VERSIONS_DIFFER",
            "healthsync-server --version",
        ),
    ] {
        let outcome = lab.at(serve_tls(lab.good_tls(), answer)).run(&["doctor"]);
        verdict(&outcome, 0, code, command);
    }
    let locked = r#"{"code":"LOCKED","message":"m","hint":null,"requestId":"r"}"#;
    let answer = http("423 Locked", &[], locked);
    let outcome = lab.at(serve_tls(lab.good_tls(), answer)).run(&["doctor"]);
    verdict(&outcome, 1, "LOCKED", "healthsync-server resume");
    assert_eq!(
        (check(&outcome, "revocation"), check(&outcome, "api")),
        ("ok".into(), "failed".into())
    );
}

#[test]
fn a_bundle_holds_the_report_and_no_secret() {
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "laptop-of-zoe");
    let path = device.path("report.json");
    let name = path.to_str().expect("a plain path");
    let outcome = device.run(&["doctor", "--bundle", name]);
    let told = verdict(&outcome, 0, "OK", "");
    let mode = std::fs::metadata(&path)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).expect("text");
    let bundle: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(bundle["bundle"], 1);
    assert_eq!(bundle["verdict"], told);
    assert_eq!(bundle["servers"][0]["pair"], pair);
    let steps = bundle["tls"].as_array().expect("steps");
    assert!(
        steps.iter().any(|step| step["step"] == "established"),
        "{bundle}"
    );
    let checks: Vec<_> = outcome
        .events()
        .into_iter()
        .filter(|event| event["event"] == "check")
        .collect();
    assert_eq!(bundle["checks"], Value::from(checks));
    for secret in [
        "another passphrase",
        "laptop-of-zoe",
        "heartRate",
        "PRIVATE",
    ] {
        assert!(!text.contains(secret), "{secret} is in it");
    }
    // A new file only, also for a broken connection.
    let outcome = device.run(&["doctor", "--bundle", name]);
    outcome.failed(1, &["OUTPUT_EXISTS"]);
    let other = device.path("other.json");
    let words = [
        "doctor",
        "--host",
        "127.0.0.1:9",
        "--bundle",
        other.to_str().expect("plain"),
    ];
    verdict(
        &device.run(&words),
        4,
        "ECONNREFUSED",
        "healthsync-server start",
    );
    let bundle = std::fs::read_to_string(&other).expect("text");
    assert!(bundle.contains("ECONNREFUSED"), "{bundle}");
    let link = device.path("link.json");
    std::os::unix::fs::symlink(device.path("nowhere"), &link).expect("a link");
    let outcome = device.run(&["doctor", "--bundle", link.to_str().expect("plain")]);
    outcome.failed(1, &["OUTPUT_EXISTS"]);
    assert!(!device.path("nowhere").exists());
}
