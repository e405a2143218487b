use super::*;

fn body(frame: &[u8]) -> Vec<u8> {
    frame[HEADER..].to_vec()
}

fn hello() -> Hello {
    Hello {
        versions: vec![1, 7],
        mode: Mode::Qr,
        session: [3; 8],
        share: Vec::new(),
        tag: [4; 32],
    }
}

fn enrol(replaces: Option<Replaces>) -> Enrol {
    Enrol {
        nonce: [1; 32],
        spki: [2; 91],
        name: b"Mac".to_vec(),
        replaces,
        signature: [5; 64],
    }
}

fn issued() -> Issued {
    Issued {
        leaf: vec![1; 300],
        ca: vec![2; 400],
        renew_after: 77,
        addresses: vec![
            IpAddr::from([192, 168, 1, 2]),
            IpAddr::from([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ],
        server_name: b"server".to_vec(),
    }
}

#[test]
fn what_is_written_is_read_back() {
    let frame = hello().write().unwrap();
    assert_eq!(
        header(frame[..3].try_into().unwrap()),
        Ok((1, frame.len() - 3))
    );
    assert_eq!(Hello::read(&body(&frame)), Ok(hello()));

    let share = Share {
        version: 1,
        share: vec![0x42; 33],
        commit: [9; 32],
    };
    assert_eq!(Share::read(&body(&share.write().unwrap())), Ok(share));

    let old = Replaces {
        pair: [6; 16],
        signature: [7; 64],
    };
    for enrol in [enrol(None), enrol(Some(old))] {
        assert_eq!(Enrol::read(&body(&enrol.write().unwrap())), Ok(enrol));
    }

    let pending = Pending {
        nonce: [8; 32],
        seconds: 60,
    };
    assert_eq!(Pending::read(&body(&pending.write().unwrap())), Ok(pending));
    assert_eq!(
        Issued::read(&body(&issued().write().unwrap())),
        Ok(issued())
    );

    for abort in [
        Abort::Version(vec![1, 2]),
        Abort::Busy,
        Abort::WrongCode,
        Abort::Refused,
        Abort::Time,
        Abort::ModeOff,
        Abort::Internal,
    ] {
        assert_eq!(Abort::read(&body(&abort.write().unwrap())), Ok(abort));
    }
}

/// Every frame cut short anywhere, or with a byte more, is refused.
#[test]
fn length_is_exact() {
    type Check = fn(&[u8]) -> bool;
    let old = Replaces {
        pair: [6; 16],
        signature: [7; 64],
    };
    let pending = Pending {
        nonce: [8; 32],
        seconds: 60,
    };
    let cases: [(Vec<u8>, Check); 6] = [
        (body(&hello().write().unwrap()), |b| Hello::read(b).is_ok()),
        (body(&enrol(None).write().unwrap()), |b| {
            Enrol::read(b).is_ok()
        }),
        (body(&enrol(Some(old)).write().unwrap()), |b| {
            Enrol::read(b).is_ok()
        }),
        (body(&pending.write().unwrap()), |b| {
            Pending::read(b).is_ok()
        }),
        (body(&issued().write().unwrap()), |b| {
            Issued::read(b).is_ok()
        }),
        (vec![7; 32], |b| read_proof(b).is_ok()),
    ];
    for (row, (good, check)) in cases.into_iter().enumerate() {
        assert!(check(&good), "row {row}");
        for cut in 0..good.len() {
            assert!(!check(&good[..cut]), "row {row} cut at {cut}");
        }
        let more: Vec<u8> = good.iter().copied().chain([0]).collect();
        assert!(!check(&more), "row {row} with a byte more");
    }
}

#[test]
fn values_stay_in_their_range() {
    let good = body(&hello().write().unwrap());
    let change = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        Hello::read(&bytes)
    };
    // count, first version equal to the second, descending, mode, share length
    for (at, to) in [(0, 0), (0, 9), (2, 7), (2, 8), (5, 0), (5, 3), (14, 1)] {
        assert_eq!(change(at, to), Err(Malformed), "byte {at} = {to}");
    }
    // A QR hello with a share; a code hello without one, with a session, with a tag.
    let with = |change: fn(&mut Hello)| {
        let mut hello = hello();
        change(&mut hello);
        Hello::read(&body(&hello.write().unwrap()))
    };
    let code = |hello: &mut Hello| {
        hello.mode = Mode::Code;
        hello.session = [0; 8];
        hello.tag = [0; 32];
        hello.share = vec![0x41; 33];
    };
    assert!(with(code).is_ok());
    assert_eq!(with(|hello| hello.share = vec![0x41; 33]), Err(Malformed));
    assert_eq!(with(|hello| hello.mode = Mode::Code), Err(Malformed));

    for abort in [&[][..], &[0], &[8], &[2, 0], &[1], &[1, 0], &[1, 1, 0]] {
        assert_eq!(Abort::read(abort), Err(Malformed), "{abort:?}");
    }
    assert_eq!(header([1, 0x10, 0x01]), Err(Malformed));
    assert_eq!(header([1, 0x10, 0x00]), Ok((1, 4096)));

    let with = |change: fn(&mut Issued)| {
        let mut issued = issued();
        change(&mut issued);
        issued.write()
    };
    assert_eq!(with(|issued| issued.server_name.clear()), Err(Malformed));
    assert_eq!(
        with(|issued| issued.server_name = vec![b'a'; 65]),
        Err(Malformed)
    );
    assert_eq!(
        with(|issued| issued.addresses = vec![IpAddr::from([10, 0, 0, 1]); 9]),
        Err(Malformed)
    );
    assert_eq!(with(|issued| issued.leaf = vec![0; 5000]), Err(Malformed));
}
