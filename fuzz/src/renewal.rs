//! Renewal: the request as the server reads it, the answer as the client reads it.

use healthsync_pairing::{
    id::PairId,
    renewal::{Reissued, Request},
};

use crate::{frames::judge_certificate, house::House};

/// Nobody can sign for a channel that is not there; an answer is written back as it was read.
pub fn run(data: &[u8]) -> bool {
    let request = Request::read(data);
    if let Ok(request) = &request {
        assert!(request.verify(&[0; 32], &PairId([0; 16])).is_err());
        assert!(data.starts_with(request.spki()));
    }
    let answer = Reissued::read(data);
    if let Ok(answer) = &answer {
        judge_certificate(&answer.leaf);
        assert_eq!(answer.write(), data);
    }
    request.is_ok() || answer.is_ok()
}

/// One of each, and damaged ones.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let answer = Reissued {
        leaf: House::open().credentials.leaf,
        renew_after: 1_790_000_000,
    }
    .write();
    let request = vec![0x30; healthsync_pairing::renewal::REQUEST_LENGTH];
    vec![
        ("answer", answer.clone()),
        ("answer-cut", answer[..answer.len() - 1].to_vec()),
        ("answer-empty-leaf", vec![0; 10]),
        ("answer-length-lies", [&[0xff, 0xff][..], &answer].concat()),
        ("request", request.clone()),
        ("request-cut", request[1..].to_vec()),
        ("nothing", vec![]),
    ]
}
