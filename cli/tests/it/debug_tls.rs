//! `--debug-tls`: what it tells of good and of bad connections, and that no key is in it.

use std::sync::Arc;

use healthsync_pairing::{
    ca,
    credentials::ClientCredentials,
    environment::Environment,
    keystore::{self, KeyStore, OpenOptions, StoreKind},
    secret::Secret,
};
use serde_json::Value;
use tokio_rustls::rustls::{CertificateError, Error};

use crate::{
    device::Device,
    host::Host,
    lab::{Lab, http, serve_tls, turned},
    program::{self, Outcome, Running},
    schema::assert_lines,
};

/// The steps that a run told, from its stderr.
#[track_caller]
fn steps(outcome: &Outcome) -> Vec<Value> {
    let steps: Vec<Value> = outcome
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["event"] == "tls")
        .collect();
    for step in &steps {
        assert!(step["step"].is_string() && step["ms"].is_f64(), "{step}");
    }
    assert!(!steps.is_empty(), "{outcome:?}");
    steps
}

#[track_caller]
fn step<'a>(steps: &'a [Value], name: &str) -> &'a Value {
    steps
        .iter()
        .find(|step| step["step"] == name)
        .unwrap_or_else(|| panic!("no step {name} in {steps:#?}"))
}

fn certificate<'a>(steps: &'a [Value], of: &str) -> &'a Value {
    steps
        .iter()
        .find(|step| step["step"] == "certificate" && step["of"] == of)
        .unwrap_or_else(|| panic!("no certificate of {of} in {steps:#?}"))
}

fn contains(list: &Value, wanted: &str) -> bool {
    list.as_array()
        .is_some_and(|list| list.iter().any(|value| value == wanted))
}

#[test]
fn a_good_connection_is_told_from_the_first_packet_to_the_answer() {
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "laptop");
    let outcome = device.run(&["status", "--debug-tls"]).good();
    let status = outcome.last();
    let steps = steps(&outcome);

    // The passphrase is stretched on purpose, once: for the store, and not again for the key.
    for (told, name) in steps.iter().zip(["key-store", "key"]) {
        assert_eq!(
            (&told["step"], &told["kind"]),
            (&name.into(), &"file".into())
        );
        assert!(told["micros"].is_u64(), "{told}");
    }
    assert!(steps[0]["micros"].as_u64() > steps[1]["micros"].as_u64().map(|key| key * 2));
    let hello = step(&steps, "client-hello");
    assert_eq!(hello["versions"], serde_json::json!(["TLSv1.3"]));
    assert_eq!(hello["groups"][0], "X25519MLKEM768");
    assert_eq!(hello["alpn"], serde_json::json!(["h2", "http/1.1"]));
    assert!(contains(&hello["cipherSuites"], "TLS_AES_256_GCM_SHA384"));
    assert!(
        hello["resumes"].is_null() && hello["earlyData"].is_null(),
        "{hello}"
    );
    let server = step(&steps, "server-hello");
    assert_eq!(server["version"], status["tls"]["version"]);
    assert_eq!(server["cipherSuite"], status["tls"]["cipherSuite"]);
    assert_eq!(server["group"], status["tls"]["group"]);
    assert_eq!(server["resumed"], false);

    let asked = hello["serverName"].as_str().expect("a name");
    assert_eq!(asked, format!("{pair}.healthsync.internal"));
    let verified = step(&steps, "verification");
    assert_eq!(verified["serverName"], asked);
    assert_eq!(verified["passed"], true);
    assert_eq!(step(&steps, "handshake-signature")["passed"], true);

    let record = host.pairs().pop().expect("a pair");
    let own = certificate(&steps, "client");
    assert_eq!(own["keyDigest"], record["keyDigest"]);
    for of in ["client", "server", "ca"] {
        let told = certificate(&steps, of);
        assert_eq!(told["failed"], serde_json::json!([]), "{told}");
        assert!(contains(&told["passed"], "dates"), "{told}");
        for field in [
            "subject",
            "issuer",
            "notBefore",
            "notAfter",
            "serial",
            "keyDigest",
        ] {
            assert!(told[field].is_string(), "{field}: {told}");
        }
    }
    let served = certificate(&steps, "server");
    assert!(contains(&served["passed"], "issued-by-pinned-ca"));
    assert!(contains(&served["san"], &format!("DNS:{asked}")));
    let request = step(&steps, "certificate-request");
    let ca = request["acceptableCas"][0].as_str().expect("a name");
    assert!(ca.contains("healthsync-ca") && ca.contains(&pair), "{ca}");
    assert_eq!(request["answered"], true);

    let done = step(&steps, "established");
    assert_eq!(
        (
            &done["alpn"],
            &done["clientCertificateSent"],
            &done["resumed"]
        ),
        (&"h2".into(), &true.into(), &false.into())
    );
    assert_eq!(step(&steps, "http-request")["version"], "HTTP/2.0");
    assert_eq!(step(&steps, "http-response")["status"], 200);
    // Both requests of `status` go over the one connection that is described.
    let connections = steps
        .iter()
        .filter(|step| step["step"] == "connect")
        .count();
    let requests = steps
        .iter()
        .filter(|step| step["step"] == "http-request")
        .count();
    assert_eq!((connections, requests), (1, 2));

    // In the order in which it happens.
    let order: Vec<_> = [
        "connect",
        "connected",
        "client-hello",
        "server-hello",
        "verification",
        "established",
        "http-request",
        "http-response",
    ]
    .iter()
    .map(|name| steps.iter().position(|step| step["step"] == *name))
    .collect();
    assert!(
        order.is_sorted() && order.iter().all(Option::is_some),
        "{order:?}"
    );
}

#[test]
fn every_command_that_connects_tells_it_and_its_data_stay_clean() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    for words in [
        &["types"][..],
        &["fetch", "--all", "--limit", "3"],
        &["cert", "renew"],
        &["status"],
    ] {
        let plain = device.run(words).good();
        let told = device.run(&[words, &["--debug"]].concat()).good();
        assert!(!step(&steps(&told), "established").is_null(), "{words:?}");
        assert_eq!(
            plain.stdout.lines().count(),
            told.stdout.lines().count(),
            "{words:?}"
        );
        assert!(!told.stdout.contains("\"tls\",\"step\"") && !told.stdout.contains("client-hello"));
        assert!(!plain.stderr.contains("client-hello"), "{words:?}");
    }
    // For people: a line a step, on stderr.
    let told = program::run(&mut device.command(&["types", "--debug-tls"]), b"").good();
    let lines: Vec<_> = told.stderr.lines().collect();
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("tls ") && line.contains(" ms  ")),
        "{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("server-hello") && line.contains("version=TLSv1.3"))
    );
    let told = device.run(&["unpair", "--debug-tls"]).good();
    assert!(!step(&steps(&told), "established").is_null());
}

#[test]
fn a_pairing_tells_its_connection_and_no_code() {
    let host = Host::with_data();
    let address = format!("127.0.0.1:{}", host.port);
    for words in [
        &["scan", "--text", "-"][..],
        &["pair", "--code", "-", "--host", &address],
    ] {
        let device = Device::new("laptop");
        let (mut window, opened) = host.opened(&[]);
        let shown = |field: &str| opened[field].as_str().expect("a code").to_owned();
        let code = shown(if words[0] == "scan" { "text" } else { "code" });
        let more = ["--key-store", "file", "--json", "--debug-tls"];
        let mut pairing = Running::start(&mut device.command(&[words, &more].concat()));
        pairing.say(&format!("{code}\n"));
        let digits = pairing.event("digits")["digits"]
            .as_str()
            .expect("digits")
            .to_owned();
        window.event("digits-wanted");
        host.run(&["approve", &digits]).good();
        pairing.event("paired");
        window.event("paired");
        let outcome = pairing.end().good();
        let steps = steps(&outcome);
        assert_lines("tls", &steps);
        let hellos: Vec<&Value> = steps
            .iter()
            .filter(|step| step["step"] == "client-hello")
            .collect();
        // First over the door for those who are not paired, then with the new certificate.
        assert_eq!(hellos.len(), 2, "{words:?}: {steps:#?}");
        assert_eq!(hellos[0]["alpn"], serde_json::json!(["healthsync-pair/1"]));
        assert_eq!(step(&steps, "certificate-request")["answered"], true);
        for secret in [&*code, &code[4..]] {
            assert!(!outcome.stderr.contains(secret), "{words:?}: {outcome:?}");
        }
    }
}

#[test]
fn what_failed_is_told_with_its_alert() {
    let lab = Lab::new();
    let other = ca::authority(&lab.pair, &turned(0)).expect("a CA");
    let tls = lab.tls(&[lab.leaf_of(&other, &lab.pair, 0)], None, &["http/1.1"]);
    let outcome = lab
        .at(serve_tls(tls, http("200 OK", &[], "{}")))
        .run(&["status", "--debug-tls"]);
    outcome.failed(3, &["UNABLE_TO_VERIFY_LEAF_SIGNATURE"]);
    let told = steps(&outcome);
    let leaf = certificate(&told, "server");
    let failed = leaf["failed"].as_array().expect("a list");
    assert!(
        failed.iter().any(|why| why
            .as_str()
            .is_some_and(|why| why.starts_with("issued-by-pinned-ca:"))),
        "{leaf}"
    );
    assert!(
        contains(&leaf["passed"], "dates") && contains(&leaf["passed"], "name"),
        "{leaf}"
    );
    assert_eq!(
        step(&told, "verification")["code"],
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
    );
    let alert = step(&told, "alert");
    assert_eq!(alert["direction"], "sent");
    assert!(["unknown_ca", "decrypt_error"].contains(&alert["name"].as_str().expect("a name")));
    assert_eq!(step(&told, "failed")["subject"], "server");

    let revoked = Error::InvalidCertificate(CertificateError::Revoked);
    let tls = lab.tls(&[lab.leaf(0)], Some(revoked), &["http/1.1"]);
    let outcome = lab
        .at(serve_tls(Arc::clone(&tls), ""))
        .run(&["status", "--debug-tls"]);
    outcome.failed(3, &["CERT_REVOKED"]);
    let told = steps(&outcome);
    let alert = step(&told, "alert");
    assert_eq!(
        (&alert["direction"], &alert["name"], &alert["fatal"]),
        (
            &"received".into(),
            &"certificate_revoked".into(),
            &true.into()
        )
    );

    let outcome = lab
        .device
        .run(&["status", "--debug-tls", "--host", "localhost:9"]);
    assert_eq!(outcome.exit, Some(4));
    let told = steps(&outcome);
    assert_eq!(step(&told, "resolve")["name"], "localhost");
    assert_eq!(step(&told, "failed")["phase"], "connect");
}

/// Neither in hex nor in base64, in either spelling, whole or in part.
#[test]
fn no_key_is_told() {
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "laptop");
    let options = OpenOptions {
        folder: device.path("home").join("keys"),
        passphrase: &mut || Ok(Secret::new(b"another passphrase".to_vec())),
        environment: Environment::system(),
    };
    let store: Box<dyn KeyStore> = keystore::open(StoreKind::File, options).expect("opens");
    let pair = pair.parse().expect("a pair id");
    let item = store
        .read(&ClientCredentials::item(&pair))
        .expect("reads")
        .expect("an item");
    let credentials = ClientCredentials::decode(&item).expect("decodes");
    // The private number stands at a fixed place of PKCS#8 for P-256 (RFC 5915).
    let pkcs8 = credentials.key.pkcs8().expose();
    let at = pkcs8
        .windows(5)
        .position(|bytes| bytes == [2, 1, 1, 4, 32])
        .expect("RFC 5915")
        + 5;
    let private = pkcs8[at..at + 32].to_vec();
    let discovery = credentials.discovery_key.expose().to_vec();

    let log = device.path("keys.log");
    let mut told = String::new();
    for words in [
        &["status", "--debug-tls", "--verbose"][..],
        &["status", "--debug-tls", "--json"],
        &["fetch", "--all", "--limit", "1", "--debug-tls"],
    ] {
        let outcome = program::run(device.command(words).env("SSLKEYLOGFILE", &log), b"").good();
        told.push_str(&outcome.stderr);
    }
    assert!(!log.exists(), "keys of connections are logged for nobody");
    let told = told.to_lowercase();
    assert!(
        told.contains("client-hello"),
        "the canary must see something: {told}"
    );
    for secret in [private, discovery, b"another passphrase".to_vec()] {
        let hex: String = secret
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        for piece in [&hex[..], &hex[..16], &hex[hex.len() - 16..]] {
            assert!(!told.contains(piece), "a part of a key is told");
        }
        let base64 = healthsync_pairing::certificate::to_pem(&secret).to_lowercase();
        let body = base64.lines().nth(1).expect("a line");
        assert!(!told.contains(&body[..20]), "a key is told in base64");
    }
    for word in ["secret", "master", "keylog", "private", "random"] {
        assert!(!told.contains(word), "{word} is spoken of");
    }
}
