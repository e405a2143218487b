use super::*;

#[test]
fn attributes_are_read_as_they_come() {
    let check = |text: &str, expected: &[(&str, &str)], broken: bool| {
        let mut tag = Tag::default();
        tag.assign("Record", "left=\"over\" from=\"before\"");
        tag.assign("Record", text);
        assert_eq!(tag.attributes().collect::<Vec<_>>(), expected, "{text}");
        assert_eq!(tag.broken, broken, "{text}");
    };
    check("", &[], false);
    check(" a=\"1\"\n  b = '2' ", &[("a", "1"), ("b", "2")], false);
    check(" a=\"1\"b=\"2\"", &[("a", "1"), ("b", "2")], false);
    check(" Modified Date=\"x\"", &[("Modified Date", "x")], false);
    check(
        " a=\"&lt;&lt;HKDevice: 0x1&gt;\"",
        &[("a", "<<HKDevice: 0x1>")],
        false,
    );
    check(
        " a=\"mL/min&#183;kg &#xb7; &amp;lt;\"",
        &[("a", "mL/min· kg · &lt;".replace("· k", "·k").as_str())],
        false,
    );
    check(
        " a=\"AT&T &unknown; &#;\"",
        &[("a", "AT&T &unknown; &#;")],
        false,
    );
    check(" a=\"one\ntwo\tthree\"", &[("a", "one two three")], false);
    check(" a=\"1\" b", &[("a", "1")], true);
    check(" a=1", &[], true);
    check(" a=\"1", &[], true);
}

#[test]
fn forbidden_references_are_dropped() {
    let mut tag = Tag::default();
    tag.assign("Record", " sourceName=\"Bad&#11;App&#x0;&#xD800;\"");
    assert_eq!(tag.value("sourceName"), Some("BadApp"));
    assert_eq!(tag.controls, 3);
}

#[test]
fn the_first_quote_is_found_at_every_place_beside_every_byte() {
    for beside in (0..=u8::MAX).filter(|byte| *byte != b'"') {
        for length in [0, 1, 7, 8, 9, 31, 32, 33, 40, 70] {
            assert_eq!(quote(&vec![beside; length]), None);
            for at in 0..length {
                let mut text = vec![beside; length];
                text[at] = b'"';
                assert_eq!(quote(&text), Some(at), "{beside} {length}");
                text[at..].fill(b'"');
                assert_eq!(quote(&text), Some(at), "{beside} {length}");
            }
        }
    }
}

/// Whatever tag came before, each is read as if it was the first.
#[test]
fn the_tag_before_changes_nothing() {
    let tags = [
        "<Record a=\"1\" bc=\"2\" d=\"3\"/>",
        "<Record a=\"1\" bcd=\"2\" d=\"3\"/>",
        "<Record a=\"1\" b=\"2\">",
        "<Record a=\"&lt;\" bc=\"&amp;\" d=\"\"/>",
        "<Record a = \"1\" bc=\"2\"/>",
        "<Record a key=\"1\" bc='2'/>",
        "<Record a key=\"1\" bc=\"2\" d=\"3\"/>",
        "<Entry a=1/>",
        "<Entry/>",
        "<Record  a=\"1\"\n bc=\"2\" d/>",
        // Not to the end; the places of these keys are others in the text of another tag.
        "<Record a=\"1\" bc=\"2\" d=\"3\" e=\"4\" f=\"",
        "<R longer=\"1\" b=\"2\" d",
        // Its key is as long as `a="1" b`.
        "<Record seven77=\"1\" x",
        "<Record a",
    ];
    let told = |tag: &mut Tag, text| {
        let ended = tag.read(text);
        let attributes: Vec<_> = tag
            .attributes()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        (
            ended,
            // Of a tag that did not end nobody asks.
            ended.map(|_| (tag.name().to_owned(), attributes, tag.broken)),
        )
    };
    for first in tags {
        for second in tags {
            for third in tags {
                let mut tag = Tag::default();
                told(&mut tag, first);
                told(&mut tag, second);
                let alone = told(&mut Tag::default(), third);
                assert_eq!(told(&mut tag, third), alone, "{first} {second} {third}");
            }
        }
    }
}
