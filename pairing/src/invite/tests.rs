use super::*;

fn invite(addresses: &[&str]) -> Invite {
    Invite {
        session: *b"session!",
        key: KeyDigest([0xab; 32]),
        secret: Secret::new((1..=16).collect()),
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        expires_at: 1_800_000_000,
    }
}

fn text(invite: &Invite) -> String {
    String::from_utf8(invite.to_text().unwrap().expose().to_vec()).unwrap()
}

/// What the text says, or the code of its error.
fn read(text: &str) -> Result<Vec<String>, &'static str> {
    let invite = Invite::parse(text).map_err(|error| error.code())?;
    assert_eq!(invite.session, *b"session!");
    assert_eq!(invite.key, KeyDigest([0xab; 32]));
    assert_eq!(invite.secret.expose(), (1..=16).collect::<Vec<u8>>());
    assert_eq!(invite.expires_at, 1_800_000_000);
    Ok(invite.addresses.iter().map(ToString::to_string).collect())
}

#[test]
fn the_text_is_frozen() {
    // The CBOR was written by hand from RFC 8949, the base45 by Python after RFC 9285.
    assert_eq!(
        text(&invite(&["192.168.1.20:8443"])),
        "HS1:F.G7796$CPQE-3EV94%54RVLRVLRVLRVLRVLRVLRVLRVLRVLRVLRVLRVLRVLRVLRVLQTLX507H0QS00+0J61%H1CT1V+1YGG5V8YALFO2S74DF3/E900"
    );
}

#[test]
fn addresses_are_kept_in_order_until_it_fits() {
    let (v4, v6) = ("192.168.1.20:8443", "[fd00::1]:8443");
    let many: Vec<String> = (1..=8).map(|n| format!("10.0.0.{n}:8443")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (addresses, kept) in [
        (&[v4][..], &[v4][..]),
        (&[v6], &[v6]),
        (&[v4, v6], &[v4, v6]),
        (&[v6, v4], &[v6, v4]),
        (&[v6, v4, "10.0.0.1:1"], &[v6, v4]),
        (&many, &many[..3]),
        (&[v4, v4, "[::ffff:192.168.1.20]:8443"], &[v4]),
        // What no client would dial takes no room.
        (&["8.8.8.8:8443", "[fe80::1]:8443", "10.0.0.1:0", v4], &[v4]),
    ] {
        let text = text(&invite(addresses));
        assert!(text.len() <= TEXT_LIMIT, "{}", text.len());
        assert_eq!(read(&text).unwrap(), kept);
    }
    for none in [
        &[][..],
        &["8.8.8.8:8443"],
        &["[fe80::1]:1"],
        &["10.0.0.1:0"],
    ] {
        let error = invite(none).to_text().unwrap_err();
        assert_eq!(error.code(), "INVITE_NO_ADDRESS");
    }
}

#[test]
fn the_text_is_alphanumeric_in_a_qr_code() {
    let text = text(&invite(&[
        "192.168.1.20:8443",
        "10.0.0.1:8443",
        "10.0.0.2:8443",
    ]));
    let alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
    assert!(text.chars().all(|symbol| alphabet.contains(symbol)));
    let code = crate::qr::QrCode::new(&Secret::new(text.into_bytes())).unwrap();
    assert_eq!(code.width, 37);
}

/// An invitation whose text has spaces of its own, also two together.
fn spaced() -> String {
    (0..u16::MAX)
        .map(|number| {
            let mut invite = invite(&["192.168.1.20:8443"]);
            invite.addresses[0].set_port(number.max(1));
            text(&invite)
        })
        .find(|text| text.contains("  "))
        .unwrap_or_else(|| text(&invite(&["192.168.1.20:8443"])))
}

#[test]
fn white_space_is_forgiven() {
    let plain = spaced();
    let expected = read(&plain).unwrap();
    let space = plain.find(' ').expect("a text with a space of its own");
    let wrapped = |width: usize, with: &str| {
        let lines: Vec<&str> = plain
            .as_bytes()
            .chunks(width)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        lines.join(with)
    };
    let mut broken_at_space = plain.clone();
    broken_at_space.replace_range(space..=space, "\n");
    for pasted in [
        plain.clone(),
        format!("  {plain}\r\n"),
        format!("\u{a0}\t{plain}\n\n"),
        wrapped(30, "\n"),
        wrapped(30, "\r\n"),
        wrapped(30, " \n      "),
        wrapped(33, "\n\t"),
        wrapped(80, "\n"),
        wrapped(4, "\n"),
        broken_at_space,
    ] {
        assert_eq!(read(&pasted).as_ref(), Ok(&expected), "{pasted:?}");
    }
}

#[test]
fn groups_are_forgiven() {
    // Without a space of its own, so that all white space can go.
    let plain = (1..u8::MAX)
        .map(|number| {
            let mut invite = invite(&["192.168.1.20:8443"]);
            invite.key = KeyDigest([number; 32]);
            invite
        })
        .find(|invite| !text(invite).contains(' '))
        .unwrap();
    let grouped = text(&plain)
        .as_bytes()
        .chunks(5)
        .map(|group| std::str::from_utf8(group).unwrap())
        .collect::<Vec<_>>()
        .join(" ");
    // The prefix is one group and one symbol more.
    let again = Invite::parse(&grouped).unwrap();
    assert_eq!(again.key, plain.key);
}

#[test]
fn faults_have_names() {
    let good = text(&invite(&["192.168.1.20:8443"]));
    let body = &good[4..];
    for (pasted, code) in [
        (String::new(), "INVITE_NOT_FOUND"),
        ("   ".to_owned(), "INVITE_NOT_FOUND"),
        ("https://example.com".to_owned(), "INVITE_NOT_FOUND"),
        (body.to_owned(), "INVITE_NOT_FOUND"),
        ("HS1".to_owned(), "INVITE_NOT_FOUND"),
        ("HS1:".to_owned(), "INVITE_DAMAGED"),
        (good[..good.len() - 1].to_owned(), "INVITE_DAMAGED"),
        (format!("{good}0"), "INVITE_DAMAGED"),
        (format!("{good}00"), "INVITE_DAMAGED"),
        (good.to_lowercase(), "INVITE_DAMAGED"),
        (format!("HS1:{}", body.to_lowercase()), "INVITE_DAMAGED"),
        (format!("code: {good}"), "INVITE_DAMAGED"),
        (format!("{good}!"), "INVITE_DAMAGED"),
        (format!("{good}\u{200b}"), "INVITE_DAMAGED"),
        (format!("HS2:{body}"), "INVITE_VERSION"),
        (format!("HS12:{body}"), "INVITE_VERSION"),
        (format!("{good}\n{good}"), "INVITE_AMBIGUOUS"),
        (format!("{good}{good}"), "INVITE_AMBIGUOUS"),
        (format!("HS1:{}", "A".repeat(151)), "INVITE_DAMAGED"),
        ("HS1:".repeat(1_000_000), "INVITE_DAMAGED"),
        (format!("HS1:{}", "A\n".repeat(2_000)), "INVITE_DAMAGED"),
    ] {
        let error = Invite::parse(&pasted).unwrap_err();
        assert_eq!(error.code(), code, "{:?}", pasted.get(..40));
        assert!(error.hint().is_some());
        assert!(body.len() > 40 && !format!("{error} {error:?}").contains(&body[..8]));
    }
}

#[test]
fn a_changed_character_is_seen_or_changes_the_content() {
    let good = text(&invite(&["192.168.1.20:8443"]));
    let expected = good.clone();
    for position in 4..good.len() {
        for symbol in ['0', 'Z', ':'] {
            let mut changed = good.clone();
            changed.replace_range(position..=position, &symbol.to_string());
            if let Ok(read) = Invite::parse(&changed) {
                // No other text has the same content.
                assert_eq!(text(&read) == expected, changed == good);
            }
        }
    }
}

fn encoded(write: impl FnOnce(&mut Encoder<Vec<u8>>)) -> String {
    let mut encoder = Encoder::new(Vec::new());
    write(&mut encoder);
    format!("HS1:{}", base45::encode(encoder.into_writer()))
}

/// The fields up to the addresses.
fn start(to: &mut Encoder<Vec<u8>>, fields: u64, version: u64) {
    to.array(fields).unwrap().u64(version).unwrap();
    to.bytes(b"session!").unwrap().bytes(&[0xab; 32]).unwrap();
    to.bytes(&(1..=16).collect::<Vec<u8>>()).unwrap();
}

fn with_address(ip: &[u8], port: u32) -> String {
    encoded(|to| {
        start(to, 6, 1);
        to.array(1).unwrap().array(2).unwrap();
        to.bytes(ip).unwrap().u32(port).unwrap();
        to.u64(1_800_000_000).unwrap();
    })
}

#[test]
fn the_content_is_strict() {
    assert_eq!(
        read(&with_address(&[10, 0, 0, 1], 8443)).unwrap(),
        ["10.0.0.1:8443"]
    );
    let v6 = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    for (text, code) in [
        (with_address(&[10, 0, 0], 8443), "INVITE_DAMAGED"),
        (with_address(&[10, 0, 0, 1, 0], 8443), "INVITE_DAMAGED"),
        (with_address(&[], 8443), "INVITE_DAMAGED"),
        (with_address(&[10, 0, 0, 1], 0), "INVITE_DAMAGED"),
        (with_address(&[10, 0, 0, 1], 65_536), "INVITE_DAMAGED"),
        (with_address(&[8, 8, 8, 8], 443), "INVITE_ADDRESS_NOT_LOCAL"),
        (with_address(&[0, 0, 0, 0], 443), "INVITE_ADDRESS_NOT_LOCAL"),
        (
            with_address(&v6("2606:4700::1"), 443),
            "INVITE_ADDRESS_NOT_LOCAL",
        ),
        (with_address(&v6("::ffff:8.8.8.8"), 443), "INVITE_DAMAGED"),
        (with_address(&v6("::ffff:10.0.0.1"), 443), "INVITE_DAMAGED"),
        // A later version may have any fields.
        (encoded(|to| start(to, 6, 2)), "INVITE_VERSION"),
        (encoded(|to| start(to, 9, 7)), "INVITE_VERSION"),
        (encoded(|to| start(to, 7, 1)), "INVITE_DAMAGED"),
        (encoded(|to| start(to, 6, 1)), "INVITE_DAMAGED"),
        (
            encoded(|to| {
                start(to, 6, 1);
                to.array(0).unwrap().u64(1_800_000_000).unwrap();
            }),
            "INVITE_DAMAGED",
        ),
        // A count without its content, and a list without end.
        (
            encoded(|to| {
                start(to, 6, 1);
                to.array(u64::MAX).unwrap();
            }),
            "INVITE_DAMAGED",
        ),
        (
            encoded(|to| {
                start(to, 6, 1);
                to.begin_array().unwrap().end().unwrap().u64(1).unwrap();
            }),
            "INVITE_DAMAGED",
        ),
        (
            encoded(|to| {
                start(to, 6, 1);
                to.array(1).unwrap().array(2).unwrap();
                to.bytes(&[10, 0, 0, 1]).unwrap().u16(8443).unwrap();
                to.i64(-1).unwrap();
            }),
            "INVITE_DAMAGED",
        ),
        // Something behind it.
        (
            encoded(|to| {
                start(to, 6, 1);
                to.array(1).unwrap().array(2).unwrap();
                to.bytes(&[10, 0, 0, 1]).unwrap().u16(8443).unwrap();
                to.u64(1_800_000_000).unwrap().u8(0).unwrap();
            }),
            "INVITE_DAMAGED",
        ),
    ] {
        assert_eq!(read(&text), Err(code), "{text}");
    }
}

#[test]
fn numbers_have_their_shortest_form() {
    // Port 80 in two bytes where one would do.
    let mut cbor = Vec::new();
    let mut encoder = Encoder::new(&mut cbor);
    encoder.array(6).unwrap().u64(1).unwrap();
    encoder
        .bytes(b"session!")
        .unwrap()
        .bytes(&[0xab; 32])
        .unwrap();
    encoder.bytes(&(1..=16).collect::<Vec<u8>>()).unwrap();
    encoder
        .array(1)
        .unwrap()
        .array(2)
        .unwrap()
        .bytes(&[10, 0, 0, 1])
        .unwrap();
    let mut short = cbor.clone();
    short.extend_from_slice(&[0x18, 80, 0x1a, 0x6b, 0x49, 0xd2, 0x00]);
    cbor.extend_from_slice(&[0x19, 0, 80, 0x1a, 0x6b, 0x49, 0xd2, 0x00]);
    let wrap = |cbor: &[u8]| format!("HS1:{}", base45::encode(cbor));
    assert_eq!(read(&wrap(&short)).unwrap(), ["10.0.0.1:80"]);
    assert_eq!(read(&wrap(&cbor)), Err("INVITE_DAMAGED"));
}

#[test]
fn a_secret_of_another_length_is_not_encoded() {
    let mut wrong = invite(&["10.0.0.1:1"]);
    wrong.secret = Secret::new(vec![1; 15]);
    assert_eq!(wrong.to_text().unwrap_err().code(), "INVITE_DAMAGED");
}
