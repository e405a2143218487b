//! The route of a workout, a GPX file beside Apple's export, named by it or not.

use crate::exports;

/// It gives points or is told as damaged; the export beside it is read all the same.
pub fn run(data: &[u8]) -> bool {
    let named = exports::beside("workout-routes/route.gpx", data);
    let foreign = exports::beside("workout-routes/other.gpx", data);
    named || foreign
}

/// Tracks with all that a point may have, and what goes wrong with them.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    const POINT: &str = r#"<trkpt lon="-122.396397" lat="37.781672"><ele>4.076904</ele><time>2019-06-11T22:00:42Z</time><extensions><speed>0.180883</speed><course>206.252884</course><hAcc>8.063116</hAcc><vAcc>6.428697</vAcc></extensions></trkpt>"#;
    let gpx = |inner: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<gpx version=\"1.1\" creator=\"Apple Health Export\" xmlns=\"http://www.topografix.com/GPX/1/1\">\n\
             <metadata><time>2019-11-07T03:43:52Z</time></metadata>\n<trk><name>Route &amp; 2019</name><trkseg>{inner}</trkseg></trk></gpx>\n"
        )
    };
    let whole = gpx(&POINT.repeat(3));
    vec![
        ("whole", whole.clone().into()),
        ("bare", gpx(r#"<trkpt lat="37.7" lon="-122.3"/>"#).into()),
        ("placeless", gpx(r#"<trkpt lat="x" lon="1e999"/>"#).into()),
        (
            "far",
            gpx(r#"<trkpt lat="1e300" lon="-0"><time>9999-12-31T23:59:59Z</time></trkpt>"#).into(),
        ),
        (
            "early",
            gpx(r#"<trkpt lat="1" lon="2"><time>0001-01-01T00:00:00Z</time></trkpt>"#).into(),
        ),
        ("empty", gpx("").into()),
        ("cut", whole.as_bytes()[..whole.len() / 2].to_vec()),
        ("deep", gpx(&"<a>".repeat(100)).into()),
        (
            "entities",
            whole
                .replace("4.076904", "&#52;&lt;&nothing;&#x110000;")
                .into(),
        ),
        (
            "doctype",
            whole
                .replacen("<gpx", "<!DOCTYPE gpx [<!ENTITY a \"b\">]><gpx", 1)
                .into(),
        ),
        ("html", b"<html><gpx></html>".to_vec()),
    ]
}
