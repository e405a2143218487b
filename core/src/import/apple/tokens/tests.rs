//! What the reader of tags makes of a text, beside quick-xml.

use proptest::{
    collection::vec, prelude::ProptestConfig, prop_assert_eq, proptest, sample::select,
    strategy::Strategy,
};
use quick_xml::{Reader, events::Event};

use super::{super::text::pipe, *};

/// A start tag with its attributes, an end tag, or an end with an error.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    Start(bool, String, Vec<(String, String)>, bool),
    End,
    Failed,
}

fn started(is_empty: bool, tag: &Tag) -> Read {
    let attributes = tag
        .attributes()
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    Read::Start(
        is_empty,
        tag.name().to_owned(),
        attributes.collect(),
        tag.broken,
    )
}

fn ours(text: &str) -> Vec<Read> {
    let (pump, chunks) = pipe();
    let mut read = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || pump.run(&mut text.as_bytes()));
        let mut tokens = Tokens::new(chunks).unwrap();
        let mut tag = Tag::default();
        loop {
            match tokens.next(&mut tag) {
                Ok(Token::Open) => read.push(started(false, &tag)),
                Ok(Token::Empty) => read.push(started(true, &tag)),
                Ok(Token::Close) => read.push(Read::End),
                Ok(Token::End) => break,
                Err(_) => {
                    read.push(Read::Failed);
                    break;
                }
            }
        }
    });
    read
}

fn theirs(text: &str) -> Vec<Read> {
    let mut xml = Reader::from_reader(text.as_bytes());
    xml.config_mut().allow_dangling_amp = true;
    let mut read = Vec::new();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let mut tag = Tag::default();
        match xml.read_event_into(&mut buffer) {
            Ok(Event::Start(start)) => {
                tag.assign(start.name().0, start.attributes_raw());
                read.push(started(false, &tag));
            }
            Ok(Event::Empty(start)) => {
                tag.assign(start.name().0, start.attributes_raw());
                read.push(started(true, &tag));
            }
            Ok(Event::End(_)) => read.push(Read::End),
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) => {
                read.push(Read::Failed);
                break;
            }
        }
    }
    read
}

const PARTS: &[&str] = &[
    "<a",
    "<Record",
    "<b:c-d.e",
    " ",
    "\n",
    "\t",
    "type=\"HK\"",
    " key='it''s'",
    " a=\"1\"",
    " device=\"&lt;&lt;HKDevice: 0x1&gt;, name:W&gt;\"",
    " device=\"&lt;&lt;HKDevice: 0x1&gt;, name:W&gt;\"",
    " x=\"one\ntwo &#11;&amp;\"",
    " Modified Date=\"x\"",
    " name=\"Ana’s > Watch\"",
    " broken",
    "=",
    "\"",
    "'",
    "/>",
    "/>",
    "/>",
    "/",
    ">",
    ">",
    ">",
    "</a>",
    "</a >",
    "</Record>",
    "</b:c-d.e\n>",
    "<!-- <a> -->",
    "<!---->",
    "<![CDATA[<a>]]]>",
    "<?pi <a> ?>",
    "text &amp; &b <",
    "é’",
];

fn text() -> impl Strategy<Value = String> {
    vec(select(PARTS), 0..24).prop_map(|parts| format!("<HealthData>{}", parts.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..Default::default() })]

    #[test]
    fn tags_are_those_of_quick_xml(text in text()) {
        prop_assert_eq!(ours(&text), theirs(&text), "{}", text);
    }
}

#[test]
fn tags_may_stand_across_pieces() {
    let long = "x".repeat(300_000);
    let text = format!(
        "<HealthData>{}<a b=\"1>{long}>\"/><!-- {long}> --><c>{long}</c>{}</HealthData>\n",
        "<r k=\"v\"/>\n".repeat(30_000),
        " <Record type=\"HK\">\n <m/></Record>".repeat(20_000),
    );
    assert_eq!(ours(&text), theirs(&text));
}

#[test]
fn lines_are_counted() {
    let text = "\n<HealthData>\n\n<a\n b=\"1\n2\"/> &\n<!--\n\n-->\n<c></c\n>\n<d/></HealthData>";
    let (pump, chunks) = pipe();
    let mut lines = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || pump.run(&mut text.as_bytes()));
        let mut tokens = Tokens::new(chunks).unwrap();
        let mut tag = Tag::default();
        while tokens.next(&mut tag).unwrap() != Token::End {
            lines.push(tokens.line());
        }
    });
    assert_eq!(lines, [2, 4, 10, 10, 12, 12]);
}
