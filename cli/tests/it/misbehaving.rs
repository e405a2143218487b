//! Each way in which a connection fails: its code, whose fault it is, why, and the cure; provoked by
//! a server that does the very thing.

use std::{io::Read as _, net::SocketAddr, sync::Arc};

use healthsync_pairing::{ca, id::PairId};
use tokio_rustls::rustls::{CertificateError, Error};

use crate::{
    lab::{DAY, Lab, http, serve, serve_tls, speak, turned},
    program::Outcome,
};

/// A failure as a script sees it.
#[track_caller]
pub(crate) fn failed(
    outcome: &Outcome,
    exit: i32,
    code: &str,
    subject: &str,
    parts: &[&str],
    cure: &str,
) {
    outcome.failed(exit, &[code]);
    let error = outcome.last();
    assert_eq!(error["subject"], subject, "{error}");
    let message = error["message"].as_str().unwrap_or_default();
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    let hint = error["hint"].as_str().unwrap_or_default();
    assert!(hint.contains(cure), "{cure:?} is not in {hint:?}");
}

/// `status` against this address.
#[track_caller]
pub(crate) fn status(lab: &Lab, address: SocketAddr) -> Outcome {
    lab.at(address)
        .run(&["status", "--no-mdns", "--timeout", "3000"])
}

const STATUS: &str = r#"{"deviceName":"lab","version":"9.9.9","serverTime":"2026-01-07T10:00:00Z","samples":0,"enabledTypes":[]}"#;

#[test]
fn a_server_certificate_that_has_expired() {
    let lab = Lab::made(-200 * DAY, 0);
    // The server's clock agrees: the certificate has really ended.
    let tls = lab.tls(&[lab.leaf(-100 * DAY)], None, &["http/1.1"]);
    let now = date(0);
    let answer = http("200 OK", &[&format!("Date: {now}")], STATUS);
    let outcome = status(&lab, serve_tls(Arc::clone(&tls), answer));
    let parts = [
        "certificate has expired",
        "both clocks agree",
        "measured by the `Date`",
    ];
    failed(
        &outcome,
        3,
        "CERT_HAS_EXPIRED",
        "server",
        &parts,
        "healthsync-server start",
    );

    // The server's clock is 100 days behind ours: this clock is ahead.
    let answer = http("200 OK", &[&format!("Date: {}", date(-100 * DAY))], STATUS);
    let outcome = status(&lab, serve_tls(tls, answer));
    let parts = [
        "is 100 days ahead of the server's",
        "measured by the `Date`",
    ];
    failed(&outcome, 3, "CERT_HAS_EXPIRED", "server", &parts, "`date`");
}

#[test]
fn a_server_certificate_that_is_not_yet_valid() {
    let lab = Lab::new();
    let tls = lab.tls(&[lab.leaf(10 * DAY)], None, &["http/1.1"]);
    let answer = http(
        "200 OK",
        &[&format!("Date: {}", date(10 * DAY + 1800))],
        STATUS,
    );
    let outcome = status(&lab, serve_tls(Arc::clone(&tls), answer));
    let parts = [
        "not yet valid",
        "is 10 days behind the server's",
        "measured by the `Date`",
    ];
    failed(
        &outcome,
        3,
        "CERT_NOT_YET_VALID",
        "server",
        &parts,
        "`date`",
    );

    // No answer to ask: the certificate itself is the measure.
    let outcome = status(
        &lab,
        serve(move |number, tcp| {
            if number == 0 {
                drop(speak(&tls, tcp, ""));
            }
        }),
    );
    let parts = [
        "not yet valid",
        "at least 9 days 23 h behind",
        "measured by the certificate",
    ];
    failed(
        &outcome,
        3,
        "CERT_NOT_YET_VALID",
        "server",
        &parts,
        "`date`",
    );
}

#[test]
fn a_ca_whose_time_is_over_or_has_not_come() {
    // No leaf outlives its CA; ours is renewed first, and that fails for the CA.
    let lab = Lab::made(-5 * 365 * DAY - DAY, -200 * DAY);
    let alpn = ["healthsync-renew/1", "http/1.1"];
    let tls = lab.tls(&[lab.leaf(-30 * DAY)], None, &alpn);
    let outcome = status(&lab, serve_tls(tls, http("200 OK", &[], STATUS)));
    failed(
        &outcome,
        3,
        "CERT_HAS_EXPIRED",
        "ca",
        &["the pair's CA has expired"],
        "unpair",
    );

    let lab = Lab::made(DAY, DAY);
    let tls = lab.tls(&[lab.leaf(DAY)], None, &["http/1.1"]);
    let outcome = status(&lab, serve_tls(tls, http("200 OK", &[], STATUS)));
    failed(
        &outcome,
        3,
        "CERT_NOT_YET_VALID",
        "ca",
        &["the pair's CA is not yet valid"],
        "`date`",
    );
}

#[test]
fn a_server_that_is_another_one() {
    let lab = Lab::new();
    let good = lab.leaf(0);
    let other = ca::authority(&lab.pair, &turned(0)).expect("a CA");
    let foreign = lab.leaf_of(&other, &lab.pair, 0);
    let elsewhere = lab.leaf_of(
        &ca::authority(&PairId([8; 16]), &turned(0)).expect("a CA"),
        &PairId([8; 16]),
        0,
    );
    // Signed by the right CA, which may not sign for this name.
    let wrong_name = lab.leaf_of(&lab.authority, &PairId([8; 16]), 0);
    let own = ca::window_certificate(&lab.key, &turned(0)).expect("a certificate");
    let client = ca::client_leaf(
        &lab.authority.key,
        &lab.authority.certificate,
        &lab.pair,
        &lab.key.spki(),
        9,
        &turned(0),
    )
    .expect("a leaf");
    for (what, chain, code) in [
        (
            "another CA",
            vec![foreign.clone()],
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        ),
        (
            "another pair",
            vec![elsewhere],
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        ),
        ("another name", vec![wrong_name], "CERT_COMMON_NAME_INVALID"),
        ("itself", vec![own], "SELF_SIGNED_CERT_IN_CHAIN"),
        (
            "another CA, sent along",
            vec![foreign, other.certificate],
            "SELF_SIGNED_CERT_IN_CHAIN",
        ),
        ("a client", vec![client], "CERT_REJECTED"),
    ] {
        let tls = lab.tls(&chain, None, &["http/1.1"]);
        let outcome = status(&lab, serve_tls(tls, http("200 OK", &[], STATUS)));
        let parts = ["no trusted connection", "the server's certificate"];
        failed(&outcome, 3, code, "server", &parts, "healthsync");
        assert!(!outcome.stdout.contains("9.9.9"), "{what}: it was believed");
    }
    // A protocol that we do not speak.
    let tls = lab.tls(&[good], None, &["imap"]);
    let outcome = status(&lab, serve_tls(tls, ""));
    let parts = ["another service answers there"];
    failed(
        &outcome,
        3,
        "UNSUPPORTED_PROTOCOL",
        "server",
        &parts,
        "healthsync-server",
    );
}

/// What the server thinks of this computer comes as an alert, after the handshake.
#[test]
fn a_client_that_is_refused() {
    for (verdict, code, cause, cure) in [
        (
            CertificateError::Expired,
            "CERT_HAS_EXPIRED",
            "because of its dates",
            "scan",
        ),
        (
            CertificateError::Revoked,
            "CERT_REVOKED",
            "has revoked",
            "healthsync unpair",
        ),
        (
            CertificateError::UnknownIssuer,
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            "not signed by the CA of this pair",
            "healthsync cert info",
        ),
        (
            CertificateError::InvalidPurpose,
            "CERT_REJECTED",
            "refused",
            "healthsync cert info",
        ),
        (
            CertificateError::ApplicationVerificationFailure,
            "PAIR_UNKNOWN",
            "does not know this pair",
            "healthsync unpair",
        ),
    ] {
        let lab = Lab::new();
        let verdict = Error::InvalidCertificate(verdict);
        let tls = lab.tls(&[lab.leaf(0)], Some(verdict), &["h2", "http/1.1"]);
        let outcome = status(&lab, serve_tls(tls, ""));
        failed(&outcome, 3, code, "client", &[cause], cure);
    }
    // One alert for two reasons: our own dates tell them apart.
    let expired = Some(Error::InvalidCertificate(CertificateError::Expired));
    for (made, code, cause) in [
        (
            -460 * DAY,
            "CERT_HAS_EXPIRED",
            "this computer's certificate ended on",
        ),
        (10 * DAY, "CERT_NOT_YET_VALID", "not yet valid"),
        (
            0,
            "CERT_HAS_EXPIRED",
            "the clocks of the two computers differ",
        ),
    ] {
        let lab = Lab::made(-500 * DAY, made);
        let tls = lab.tls(&[lab.leaf(0)], expired.clone(), &["http/1.1"]);
        let outcome = status(&lab, serve_tls(tls, ""));
        failed(&outcome, 3, code, "client", &[cause], "healthsync");
    }
}

/// The alert is lost with the first connection; the second look finds it. For every command.
#[test]
fn an_alert_that_is_lost_is_asked_for_again() {
    let lab = Lab::new();
    let revoked = Some(Error::InvalidCertificate(CertificateError::Revoked));
    let strict = lab.tls(&[lab.leaf(0)], revoked, &["http/1.1"]);
    let good = lab.good_tls();
    for words in [
        &["status"][..],
        &["types"],
        &["fetch", "--all"],
        &["cert", "renew"],
    ] {
        let (strict, good) = (Arc::clone(&strict), Arc::clone(&good));
        let address = serve(move |number, tcp| {
            if number == 0 {
                // Shakes hands, and is gone before the request is answered.
                let connection = tokio_rustls::rustls::ServerConnection::new(Arc::clone(&good));
                let mut stream =
                    tokio_rustls::rustls::StreamOwned::new(connection.expect("a connection"), tcp);
                drop(stream.read(&mut [0; 1]));
            } else {
                drop(speak(&strict, tcp, ""));
            }
        });
        let outcome = lab
            .at(address)
            .run(&[words, &["--no-mdns", "--timeout", "3000"]].concat());
        assert_eq!(outcome.exit, Some(3), "{words:?}: {outcome:?}");
        assert_eq!(
            outcome.last()["code"],
            "CERT_REVOKED",
            "{words:?}: {outcome:?}"
        );
    }
}

/// An HTTP date, so many seconds from now.
fn date(offset: i64) -> String {
    let now = jiff::Timestamp::now().as_second() + offset;
    jiff::Timestamp::from_second(now)
        .expect("a time")
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}
