//! The route of a workout.

use serde::de::SeqAccess;

use super::{
    json::{Elements, Fields},
    moment,
};
use crate::{
    document::Noun,
    import::limits,
    series::{Series, SeriesBuilder},
};

/// The points of a route.
pub(super) struct Route {
    builder: SeriesBuilder,
    span: Option<(i64, i64)>,
    count: usize,
    /// Points without a place or a time.
    pub(super) odd: u64,
    /// Points that were too many.
    pub(super) beyond: u64,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            builder: SeriesBuilder::new(Noun::Route.columns().len()),
            span: None,
            count: 0,
            odd: 0,
            beyond: 0,
        }
    }
}

impl Elements for Route {
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let Some(point) = list.next_element::<Fields>()? else {
            return Ok(false);
        };
        let either = |a, b| point.number(a).or_else(|| point.number(b));
        let time = point.text("timestamp").and_then(moment::parse);
        let (Some(at), Some(latitude), Some(longitude)) =
            (time, either("latitude", "lat"), either("longitude", "lon"))
        else {
            self.odd += 1;
            return Ok(true);
        };
        if self.count >= limits::POINTS || self.builder.size() >= limits::SERIES {
            self.beyond += 1;
            return Ok(true);
        }
        self.count += 1;
        let number = |name| point.number(name).unwrap_or(f64::NAN);
        // Milliseconds of these years are whole in a double.
        let time: f64 = at.to_string().parse().unwrap_or(f64::NAN);
        self.builder.push(&[
            time,
            latitude,
            longitude,
            number("altitude"),
            number("speed"),
            number("course"),
            number("horizontalAccuracy"),
            number("verticalAccuracy"),
        ]);
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
        Ok(true)
    }
}

impl Route {
    pub(super) fn finish(self) -> Option<(i64, i64, Series)> {
        let (start_ms, end_ms) = self.span?;
        Some((start_ms, end_ms, self.builder.finish()))
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeSeed as _;

    use super::{super::json::Array, *};

    #[test]
    fn points_beyond_the_limit_are_counted() {
        let mut route = Route {
            count: limits::POINTS - 1,
            ..Route::default()
        };
        let point = "{\"lat\":1,\"lon\":2,\"timestamp\":\"2021-12-24 08:04:45 +0800\"}";
        let text = format!("[{point},{point},{point}]");
        let mut json = serde_json::Deserializer::from_str(&text);
        Array(&mut route).deserialize(&mut json).unwrap();
        assert_eq!((route.odd, route.beyond), (0, 2));
        let (.., series) = route.finish().unwrap();
        assert_eq!(series.points(), 1);
    }
}
