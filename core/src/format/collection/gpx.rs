//! GPX 1.1 (<https://www.topografix.com/GPX/1/1/>): a track a route, a point a point. What GPX has
//! no word for stands in extensions of our own namespace.

use crate::api::{DocumentRecord, PointRecord};

const NAMESPACE: &str = "urn:healthsync:gpx:1";

/// The root element.
pub(super) fn start(out: &mut Vec<u8>) {
    let root = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <gpx version=\"1.1\" creator=\"healthsync\" xmlns=\"http://www.topografix.com/GPX/1/1\" \
         xmlns:hs=\"{NAMESPACE}\">\n"
    );
    out.extend_from_slice(root.as_bytes());
}

/// The end of the root element.
pub(super) fn finish(out: &mut Vec<u8>) {
    out.extend_from_slice(b"</gpx>\n");
}

/// A route; says how many of its points have no place on the earth and are not written.
pub(super) fn track(route: &DocumentRecord, out: &mut Vec<u8>) -> u64 {
    out.extend_from_slice(b"<trk>");
    if let Some(start) = &route.start_date {
        element("name", start, out);
    }
    if let Some(source) = &route.source_name {
        element("src", source, out);
    }
    out.extend_from_slice(b"<extensions>");
    element("hs:id", &route.id, out);
    if let Some(workout) = &route.workout {
        element("hs:workout", workout, out);
    }
    out.extend_from_slice(b"</extensions><trkseg>\n");
    let mut left_out = 0;
    for point in route.points.iter().flatten() {
        left_out += u64::from(!push_point(point, out));
    }
    out.extend_from_slice(b"</trkseg></trk>\n");
    left_out
}

/// `false`: it has no place.
fn push_point(point: &PointRecord, out: &mut Vec<u8>) -> bool {
    let on_earth = |degrees: Option<f64>, most: f64| {
        degrees.filter(|degrees| (-most..=most).contains(degrees))
    };
    let (Some(latitude), Some(longitude)) = (
        on_earth(point.latitude, 90.0),
        on_earth(point.longitude, 180.0),
    ) else {
        return false;
    };
    // GPX 1.1 writes this meridian in one way only: its longitudes end before 180.
    let longitude = if longitude < 180.0 { longitude } else { -180.0 };
    let place = format!("<trkpt lat=\"{latitude}\" lon=\"{longitude}\">");
    out.extend_from_slice(place.as_bytes());
    number("ele", point.elevation, out);
    if let Some(time) = &point.time {
        element("time", time, out);
    }
    let more = [
        ("hs:speed", point.speed),
        ("hs:course", point.course),
        ("hs:horizontalAccuracy", point.horizontal_accuracy),
        ("hs:verticalAccuracy", point.vertical_accuracy),
    ];
    if more.iter().any(|(_, value)| value.is_some()) {
        out.extend_from_slice(b"<extensions>");
        for (name, value) in more {
            number(name, value, out);
        }
        out.extend_from_slice(b"</extensions>");
    }
    out.extend_from_slice(b"</trkpt>\n");
    true
}

/// A decimal: GPX knows no exponents, and Rust's own print has none.
fn number(name: &str, value: Option<f64>, out: &mut Vec<u8>) {
    if let Some(value) = value.filter(|value| value.is_finite()) {
        out.extend_from_slice(format!("<{name}>{value}</{name}>").as_bytes());
    }
}

/// An element with a foreign text in it: neither markup nor what XML 1.0 forbids.
fn element(name: &str, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("<{name}>").as_bytes());
    for c in text.chars() {
        match c {
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '&' => out.extend_from_slice(b"&amp;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.extend_from_slice(format!("</{name}>").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_line_has_one_name() {
        let mut out = Vec::new();
        for longitude in [180.0, -180.0, 179.5, 180.5] {
            let point = PointRecord {
                latitude: Some(-16.5),
                longitude: Some(longitude),
                ..PointRecord::default()
            };
            assert_eq!(push_point(&point, &mut out), longitude < 180.25);
        }
        let text = String::from_utf8(out).unwrap();
        let found: Vec<_> = text
            .lines()
            .filter_map(|line| line.split("lon=\"").nth(1)?.split('"').next())
            .collect();
        assert_eq!(found, ["-180", "-180", "179.5"]);
    }
}
