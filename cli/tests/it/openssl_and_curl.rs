//! Clients that share no code with ours get in with a pair of their own, and with nothing else.

use serde_json::Value;

use crate::{host::Host, stranger::Stranger};

#[test]
fn curl_is_accepted_over_http_2_and_http_1() {
    let host = Host::with_data();
    let stranger = Stranger::enrolled(&host);
    for (version, expected) in [("--http2", "2 200"), ("--http1.1", "1.1 200")] {
        let args = [
            "--cert",
            "client",
            version,
            "-o",
            "/dev/null",
            "-w",
            "%{http_version} %{http_code}",
        ];
        assert_eq!(
            stranger
                .curl(&stranger.name(), &args, "status")
                .good()
                .stdout,
            expected
        );
    }
    let local = stranger
        .curl(&stranger.pair.local_name(), &["--cert", "client"], "status")
        .good();
    assert!(local.stdout.ends_with("200"), "{local:?}");
}

#[test]
fn curl_gets_all_samples_in_the_documented_shapes() {
    let host = Host::with_data();
    let stranger = Stranger::enrolled(&host);
    let lines = |accept: &str| {
        let header = format!("Accept: {accept}");
        let args = ["--cert", "client", "-H", &header, "-w", ""];
        stranger
            .curl(&stranger.name(), &args, "samples")
            .good()
            .stdout
            .lines()
            .count()
    };
    assert_eq!(lines("application/x-ndjson"), 1990);
    assert_eq!(lines("text/csv"), 1991);

    let post = |body: &str| -> Value {
        let args = [
            "--cert",
            "client",
            "-w",
            "",
            "-H",
            "Content-Type: application/json",
            "-d",
            body,
        ];
        let answer = stranger.curl(&stranger.name(), &args, "health/data").good();
        serde_json::from_str(&answer.stdout).expect("JSON")
    };
    let body = r#"{"startDate":"2025-12-01T00:00:00Z","endDate":"2026-02-01T00:00:00Z","types":["heartRate"],"limit":5}"#;
    let page = post(body);
    assert_eq!(page["samples"].as_array().map(Vec::len), Some(5), "{page}");
    assert_eq!(page["hasMore"], true, "{page}");
    assert_eq!(page["returnedCount"], 5, "{page}");
    let error = post(r#"{"startDate":"x","endDate":"y","types":["heartRate"]}"#);
    assert!(
        error["code"].is_string() && error["requestId"].is_string(),
        "{error}"
    );
}

#[test]
fn curl_is_refused_with_the_exact_alert() {
    let host = Host::with_data();
    let (stranger, other) = (Stranger::enrolled(&host), Stranger::enrolled(&host));
    let name = stranger.name();

    let without = stranger.curl(&name, &[], "status");
    assert_eq!(without.exit, Some(56), "{without:?}");
    assert!(
        without.stderr.contains("certificate required"),
        "{without:?}"
    );

    // The other's certificate at this pair's name; the other's CA is not in question.
    let certificate = other.path("client.crt").display().to_string();
    let key = other.path("client.key").display().to_string();
    let foreign = stranger.curl(&name, &["--cert", &certificate, "--key", &key], "status");
    assert_eq!(foreign.exit, Some(56), "{foreign:?}");
    assert!(foreign.stderr.contains("unknown ca"), "{foreign:?}");

    let old = stranger.curl(&name, &["--cert", "client", "--tls-max", "1.2"], "status");
    assert_eq!(old.exit, Some(35), "{old:?}");
    assert!(old.stderr.contains("protocol version"), "{old:?}");

    let unknown = format!("{}.healthsync.internal", "a".repeat(26));
    let nobody = stranger.curl(&unknown, &["--cert", "client"], "status");
    assert_eq!(nobody.exit, Some(35), "{nobody:?}");
    assert!(nobody.stderr.contains("unrecognized name"), "{nobody:?}");

    host.run(&["revoke", &stranger.pair.to_string()]).good();
    let revoked = stranger.curl(&name, &["--cert", "client"], "status");
    assert_eq!(revoked.exit, Some(56), "{revoked:?}");
    assert!(
        revoked.stderr.contains("certificate revoked"),
        "{revoked:?}"
    );
    let still = other
        .curl(&other.name(), &["--cert", "client"], "status")
        .good();
    assert!(still.stdout.ends_with("200"), "{still:?}");
}

#[test]
fn a_pending_pair_reaches_the_confirmation_only() {
    let host = Host::with_data();
    let (stranger, mut window) = Stranger::pending(&host);
    for path in ["status", "health/types", "samples"] {
        let answer = stranger
            .curl(&stranger.name(), &["--cert", "client"], path)
            .good();
        assert!(answer.stdout.ends_with("403"), "{path}: {answer:?}");
        assert!(answer.stdout.contains("PAIR_PENDING"), "{path}: {answer:?}");
    }
    let ack = stranger.curl(
        &stranger.name(),
        &["--cert", "client", "-X", "POST"],
        "pair/ack",
    );
    assert_eq!(ack.stdout, "204", "{ack:?}");
    window.event("paired");
    let answer = stranger
        .curl(&stranger.name(), &["--cert", "client"], "status")
        .good();
    assert!(answer.stdout.ends_with("200"), "{answer:?}");
    let gone = stranger.curl(
        &stranger.name(),
        &["--cert", "client", "-X", "DELETE"],
        "pair",
    );
    assert_eq!(gone.stdout, "204", "{gone:?}");
    let after = stranger.curl(&stranger.name(), &["--cert", "client"], "status");
    assert!(after.stderr.contains("certificate revoked"), "{after:?}");
}

#[test]
fn openssl_sees_tls_13_and_a_verified_chain() {
    let host = Host::with_data();
    let stranger = Stranger::enrolled(&host);
    let name = stranger.name();
    let request = format!(
        "GET /api/v1/status HTTP/1.1\r\nHost: {name}:{}\r\nConnection: close\r\n\r\n",
        stranger.port
    );
    let verify = [
        "-servername",
        &name,
        "-verify_return_error",
        "-verify_hostname",
        &name,
    ];
    let said = stranger.s_client(
        &[&verify[..], &["-ign_eof", "client"]].concat(),
        request.as_bytes(),
    );
    for words in [
        "TLSv1.3",
        "Verify return code: 0 (ok)",
        "HTTP/1.1 200",
        "CN = healthsync-server",
    ] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    // No session tickets: a resumed connection would skip the check of the client's certificate.
    assert!(!said.contains("New Session Ticket"), "{said}");
}

#[test]
fn openssl_is_refused_with_the_exact_alert() {
    let host = Host::with_data();
    let stranger = Stranger::enrolled(&host);
    let name = stranger.name();
    let request = b"GET /api/v1/status HTTP/1.1\r\n\r\n";
    for (args, alert) in [
        (&["-servername", &name][..], "alert number 116"),
        (
            &["-servername", &name, "-tls1_2", "client"],
            "alert number 70",
        ),
        (&["-noservername", "client"], "alert number 112"),
        (
            &["-servername", "example.org", "client"],
            "alert number 112",
        ),
        (
            &["-servername", &name, "-alpn", "gopher", "client"],
            "alert number 120",
        ),
        (
            &["-noservername", "-alpn", "healthsync-pair/1"],
            "alert number 120",
        ),
    ] {
        let said = stranger.s_client(&[args, &["-ign_eof"]].concat(), request);
        assert!(said.contains(alert), "{args:?}: {alert} is not in {said}");
        assert!(!said.contains("HTTP/1.1 200"), "{args:?}: {said}");
    }
    host.run(&["revoke", &stranger.pair.to_string()]).good();
    let said = stranger.s_client(&["-servername", &name, "-ign_eof", "client"], request);
    assert!(said.contains("alert number 44"), "{said}");
}

#[test]
fn requests_that_are_out_of_bounds_are_refused_and_the_server_goes_on() {
    let host = Host::with_data();
    let stranger = Stranger::enrolled(&host);
    let name = stranger.name();
    let huge = stranger.curl(
        &name,
        &[
            "--cert",
            "client",
            "--http1.1",
            "-H",
            "Content-Type: application/json",
            "-H",
            "Content-Length: 2147483648",
            "-d",
            "{}",
        ],
        "health/data",
    );
    assert!(huge.stdout.ends_with("413"), "{huge:?}");

    let head = format!(
        "POST /api/v1/health/data HTTP/1.1\r\nHost: {name}:{}\r\n",
        stranger.port
    );
    let endless = format!("{head}X: {}", "a".repeat(1 << 20));
    for (request, statuses) in [
        (
            format!("{head}Content-Length: -1\r\n\r\n"),
            &["HTTP/1.1 400"][..],
        ),
        (
            format!("{head}Content-Length: 99999999999999999999\r\n\r\n"),
            &["HTTP/1.1 400", "HTTP/1.1 413"],
        ),
        (endless, &["HTTP/1.1 431", "HTTP/1.1 400"]),
        ("\u{0}\u{1}\u{2}\r\n\r\n".to_owned(), &["HTTP/1.1 400"]),
    ] {
        let said = stranger.s_client(
            &["-servername", &name, "-quiet", "-ign_eof", "client"],
            request.as_bytes(),
        );
        assert!(
            statuses.iter().any(|status| said.contains(status)),
            "{statuses:?}: {said}"
        );
    }

    for (args, status) in [
        (&["-H", "Origin: https://example.org"][..], "403"),
        (&["-H", "Host: example.org"], "421"),
        (&["-X", "PUT"], "405"),
        (&["-H", "Accept: image/png"], "406"),
    ] {
        let path = if status == "406" { "samples" } else { "status" };
        let answer = stranger
            .curl(&name, &[&["--cert", "client"], args].concat(), path)
            .good();
        assert!(answer.stdout.ends_with(status), "{args:?}: {answer:?}");
    }
    let answer = stranger.curl(&name, &["--cert", "client"], "status").good();
    assert!(answer.stdout.ends_with("200"), "{answer:?}");
}

/// A refusal waits for the rest of the request: a stream that ends while its body is still on the way is
/// an error for curl, which then has no answer.
#[test]
fn a_refusal_reaches_who_is_still_sending() {
    let host = Host::with_data();
    let stranger = Stranger::enrolled(&host);
    let body = stranger.path("body.json");
    std::fs::write(&body, " ".repeat(90_000)).expect("ours");
    let body = format!("@{}", body.display());
    let slowly = |args: &[&str], path: &str| {
        let slowly = [
            "--cert",
            "client",
            "--limit-rate",
            "300k",
            "--data-binary",
            &body,
        ];
        stranger.curl(&stranger.name(), &[&slowly, args].concat(), path)
    };
    let json = ["-H", "Content-Type: application/json"];
    for protocol in ["--http2", "--http1.1"] {
        for (status, code, args, path) in [
            (
                "403",
                "CROSS_ORIGIN_REFUSED",
                &["-H", "Origin: https://example.org"][..],
                "health/data",
            ),
            (
                "415",
                "UNSUPPORTED_MEDIA_TYPE",
                &["-H", "Content-Type: text/plain"],
                "health/data",
            ),
            ("400", "BAD_REQUEST", &json, "health/data"),
            ("404", "NOT_FOUND", &json, "nothing"),
            ("405", "METHOD_NOT_ALLOWED", &json, "status"),
        ] {
            let answer = slowly(&[&[protocol], args].concat(), path);
            assert!(
                answer.stdout.ends_with(status),
                "{protocol} {path}: {answer:?}"
            );
            assert!(
                answer.stdout.contains(code),
                "{protocol} {path}: {answer:?}"
            );
        }
    }
    host.run(&["pause"]).good();
    let answer = slowly(&json, "health/data");
    assert!(answer.stdout.ends_with("423"), "{answer:?}");
}
