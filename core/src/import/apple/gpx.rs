//! Routes: GPX 1.1 as the Health app writes it, one track of points.
//!
//! ```text
//! trkpt lon lat > ele, time (UTC), extensions > speed course hAcc vAcc
//! ```

use std::io::Read;

use quick_xml::{Reader, events::Event};

use super::{
    beside::Failed,
    date, limits,
    tag::Tag,
    text::{self, Chunks},
};
use crate::{
    document::Noun,
    series::{Series, SeriesBuilder},
};

/// The points of a file.
pub(super) struct Track {
    pub(super) series: Series,
    /// The track's name, in the language of the phone.
    pub(super) name: Option<String>,
    /// Time of the earliest and the latest point.
    pub(super) times: Option<(i64, i64)>,
    /// Points without a place.
    pub(super) placeless: u64,
    /// Points that were too many.
    pub(super) beyond: u64,
}

/// Whether these first bytes are those of a GPX file.
pub(super) fn is_gpx(head: &[u8]) -> bool {
    head.windows(4).any(|window| window == b"<gpx")
}

/// Reads a whole file.
pub(super) fn read(reader: &mut (dyn Read + Send)) -> Result<Track, Failed> {
    std::thread::scope(|scope| {
        let (pump, chunks) = text::pipe();
        let pumping = scope.spawn(move || pump.run(reader));
        let track = parse(chunks);
        // A thread that panicked left no end of the file, which is damage.
        pumping.join().map_err(|_| DAMAGED)?;
        track
    })
}

/// Index in [`Noun::columns`], and the name of the element.
const FIELDS: [(usize, &str); 5] = [
    (3, "ele"),
    (4, "speed"),
    (5, "course"),
    (6, "hAcc"),
    (7, "vAcc"),
];
const COLUMNS: usize = 8;

struct Parser {
    builder: SeriesBuilder,
    points: usize,
    track: Track,
    /// The point that is being read.
    point: Option<[f64; COLUMNS]>,
    text: String,
}

/// It is no GPX, or it is cut off.
const DAMAGED: Failed = Failed::Damaged("it is no whole GPX");

fn parse(chunks: Chunks) -> Result<Track, Failed> {
    let mut xml = Reader::from_reader(chunks);
    xml.config_mut().allow_dangling_amp = true;
    let mut parser = Parser {
        builder: SeriesBuilder::new(Noun::Route.columns().len()),
        points: 0,
        track: Track {
            series: Series::default(),
            name: None,
            times: None,
            placeless: 0,
            beyond: 0,
        },
        point: None,
        text: String::new(),
    };
    let mut buffer = Vec::new();
    let mut tag = Tag::default();
    let (mut depth, mut is_whole) = (0_usize, false);
    loop {
        buffer.clear();
        xml.get_mut().begin_token();
        let Ok(event) = xml.read_event_into(&mut buffer) else {
            let failure = xml.get_mut().take_failure();
            return Err(failure.map_or(DAMAGED, Failed::reading));
        };
        match event {
            Event::Start(start) => {
                tag.assign(start.local_name().into_inner(), start.attributes_raw());
                parser.open(&tag);
                depth += 1;
                if depth > limits::DEPTH {
                    return Err(DAMAGED);
                }
            }
            Event::Empty(start) => {
                tag.assign(start.local_name().into_inner(), start.attributes_raw());
                parser.open(&tag);
                parser.close(tag.name());
            }
            Event::End(end) => {
                let name = end.local_name().into_inner();
                parser.close(name);
                is_whole |= name == "gpx";
                depth = depth.saturating_sub(1);
            }
            Event::Text(text) => {
                let room = limits::NAME.saturating_sub(parser.text.len());
                let text = text.xml10_content();
                parser.text.push_str(
                    text.get(..text.floor_char_boundary(room))
                        .unwrap_or_default(),
                );
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if !is_whole {
        return Err(DAMAGED);
    }
    parser.track.series = parser.builder.finish();
    Ok(parser.track)
}

impl Parser {
    fn open(&mut self, tag: &Tag) {
        self.text.clear();
        if tag.name() == "trkpt" {
            let number = |key| tag.value(key).and_then(number).unwrap_or(f64::NAN);
            let nan = f64::NAN;
            self.point = Some([nan, number("lat"), number("lon"), nan, nan, nan, nan, nan]);
        }
    }

    fn close(&mut self, name: &str) {
        if let Some(point) = &mut self.point {
            if name == "time"
                && let Some(at_ms) = date::parse(&self.text)
            {
                let [time, ..] = point;
                *time = whole(at_ms);
                let (first, last) = self.track.times.unwrap_or((at_ms, at_ms));
                self.track.times = Some((first.min(at_ms), last.max(at_ms)));
            }
            let field = FIELDS.iter().find(|(_, field)| *field == name);
            if let Some(place) = field.and_then(|(column, _)| point.get_mut(*column)) {
                *place = number(&self.text).unwrap_or(f64::NAN);
            }
            if name == "trkpt" {
                let point = *point;
                self.point = None;
                self.take(point);
            }
        } else if name == "name" && self.track.name.is_none() {
            self.track.name = Some(self.text.trim().to_owned());
        }
        self.text.clear();
    }

    fn take(&mut self, point: [f64; COLUMNS]) {
        let [_, latitude, longitude, ..] = point;
        if latitude.is_nan() || longitude.is_nan() {
            self.track.placeless += 1;
        } else if self.points >= limits::POINTS || self.builder.size() >= limits::SERIES {
            self.track.beyond += 1;
        } else {
            self.points += 1;
            self.builder.push(&point);
        }
    }
}

fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

/// Milliseconds of a date that can be printed are below 2^53.
pub(super) fn whole(ms: i64) -> f64 {
    let (high, low) = (ms.div_euclid(1_000_000), ms.rem_euclid(1_000_000));
    let part = |number: i64| i32::try_from(number).map_or(f64::NAN, f64::from);
    part(high) * 1e6 + part(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::decode;

    fn columns(track: &Track) -> Vec<Vec<f64>> {
        let chunk = &track.series.chunks[0];
        decode(chunk.points, COLUMNS, &chunk.data).unwrap()
    }

    #[test]
    fn points_have_all_that_the_file_says() {
        let text = "<?xml version=\"1.0\"?>\n<gpx version=\"1.1\" xmlns=\"http://www.topografix.com/GPX/1/1\">
            <metadata><time>2019-11-07T03:43:52Z</time><name>no track</name></metadata>
            <trk><name>Route &amp; 2019</name><trkseg>
            <trkpt lon=\"-122.396397\" lat=\"37.781672\"><ele>4.076904</ele>
              <time>2019-06-11T22:00:42Z</time><extensions><speed>0.180883</speed>
              <course>206.252884</course><hAcc>8.063116</hAcc><vAcc>6.428697</vAcc></extensions></trkpt>
            <trkpt lat=\"37.7\" lon=\"-122.3\"/>
            <trkpt lat=\"x\" lon=\"-122.3\"/>
            </trkseg></trk></gpx>";
        let track = read(&mut text.as_bytes()).unwrap();
        assert_eq!(
            (track.series.points(), track.placeless, track.beyond),
            (2, 1, 0)
        );
        assert_eq!(track.times, Some((1_560_290_442_000, 1_560_290_442_000)));
        let first: Vec<f64> = columns(&track).iter().map(|column| column[0]).collect();
        let expected = [
            1_560_290_442_000.0,
            37.781_672,
            -122.396_397,
            4.076_904,
            0.180_883,
            206.252_884,
            8.063_116,
            6.428_697,
        ];
        assert_eq!(first, expected);
        let second: Vec<bool> = columns(&track)
            .iter()
            .map(|column| column[1].is_nan())
            .collect();
        assert_eq!(second, [true, false, false, true, true, true, true, true]);
    }

    #[test]
    fn what_is_cut_off_or_no_gpx_is_damaged() {
        for text in [
            "",
            "<gpx><trk><trkseg><trkpt lat=\"1\" lon=\"2\"/>",
            "<gpx><trk></gpx>",
            "<html></html>",
            "<gpx",
        ] {
            assert!(read(&mut text.as_bytes()).is_err(), "{text}");
        }
        let endless = format!("<gpx><trk><name>{}", "x".repeat(limits::TOKEN * 2));
        assert!(read(&mut endless.as_bytes()).is_err());
    }
}
