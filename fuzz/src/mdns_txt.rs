//! The TXT record of an announcement, which anybody in the network can send.

use healthsync_pairing::{
    discovery::{Announcement, Recognizer},
    secret::Secret,
};

use crate::seed::environment;

/// Strings of one length byte each (RFC 6763, section 6). What is read is written the same.
pub fn run(data: &[u8]) -> bool {
    let mut properties: Vec<(&str, Option<&[u8]>)> = Vec::new();
    let mut rest = data;
    while let Some((length, after)) = rest.split_first() {
        let Some((string, after)) = after.split_at_checked(usize::from(*length)) else {
            return false;
        };
        rest = after;
        let mut parts = string.splitn(2, |byte| *byte == b'=');
        let Ok(key) = std::str::from_utf8(parts.next().unwrap_or_default()) else {
            return false;
        };
        properties.push((key, parts.next()));
    }
    let Ok(announcement) = Announcement::parse(properties) else {
        return false;
    };
    let ours = Recognizer::new(&Secret::new(vec![0x5a; 32]));
    assert!(!announcement.is_for(&ours), "a tag was guessed");
    let txt = announcement.to_txt();
    let again = Announcement::parse(
        txt.iter()
            .map(|(key, value)| (key.as_str(), Some(value.as_bytes()))),
    );
    assert_eq!(again.as_ref(), Ok(&announcement));
    assert_eq!(
        again.map(|again| again.has_window()),
        Ok(announcement.has_window())
    );
    true
}

/// Announcements with few and with many tags, and fakes.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    fn record(strings: &[&str]) -> Vec<u8> {
        let mut record = Vec::new();
        for string in strings {
            record.push(u8::try_from(string.len()).expect("a short string"));
            record.extend_from_slice(string.as_bytes());
        }
        record
    }
    let real = |tags: usize, window| {
        let tags = (0..tags)
            .map(|at| [u8::try_from(at).expect("few"); 8])
            .collect();
        let announcement =
            Announcement::new([7; 8], tags, window, &environment()).expect("randomness");
        let strings: Vec<String> = announcement
            .to_txt()
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        record(&strings.iter().map(String::as_str).collect::<Vec<_>>())
    };
    const N: &str = "n=0123456789abcdef";
    const T: &str = "t0=0123456789abcdef";
    vec![
        ("one-pair", real(1, false)),
        ("window", real(4, true)),
        ("many-pairs", real(60, false)),
        ("twice", record(&["v=1", N, T, T])),
        ("later-version", record(&["v=2", N, T])),
        ("without-value", record(&["v", "n", "t0"])),
        ("gap", record(&["v=1", N, "t1=0123456789abcdef"])),
        ("upper-case", record(&["v=1", "n=0123456789ABCDEF", T])),
        ("foreign", record(&["txtvers=1", "path=/"])),
        ("length-lies", vec![200, b'v', b'=', b'1']),
        ("nothing", vec![]),
    ]
}
