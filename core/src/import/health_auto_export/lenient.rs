//! What is of another form than it should be is passed over, not the end of the file.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::json::{Array, Elements, Members, Object};

/// A reader of objects, or of lists.
pub(super) trait Form<'de>: Visitor<'de, Value = ()> {
    /// It reads objects.
    const IS_OBJECT: bool;
}

impl<M: Members> Form<'_> for Object<'_, M> {
    const IS_OBJECT: bool = true;
}

impl<M: Elements> Form<'_> for Array<'_, M> {
    const IS_OBJECT: bool = false;
}

/// Reads what has the form; says whether it has it. `null` has any.
pub(super) struct Lenient<F>(pub(super) F);

impl<'de, F: Form<'de>> DeserializeSeed<'de> for Lenient<F> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: Form<'de>> Visitor<'de> for Lenient<F> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        self.0.visit_unit().map(|()| true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        if F::IS_OBJECT {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(false);
        }
        self.0.visit_seq(list).map(|()| true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        if F::IS_OBJECT {
            return self.0.visit_map(map).map(|()| true);
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }
}
