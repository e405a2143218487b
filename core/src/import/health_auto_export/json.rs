//! JSON as a stream: bounded texts, the line in which the reader stands, flat objects.

use std::{
    cell::Cell,
    fmt,
    io::{self, BufReader, Read, SeekFrom},
    rc::Rc,
};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::import::{ReadError, Source, limits};

/// Bytes read at once.
const BUFFER: usize = 128 << 10;

/// Counts lines, and ends a text that is longer than any honest one: the parser would keep it.
pub(super) struct Guarded<'s> {
    reader: BufReader<&'s mut dyn Source>,
    line: Rc<Cell<u64>>,
    /// Bytes of the text in which the reader stands.
    text: Option<usize>,
    escaped: bool,
}

impl<'s> Guarded<'s> {
    /// Begins at the beginning; the cell follows the line, counted from 1.
    pub(super) fn new(source: &'s mut dyn Source) -> Result<(Self, Rc<Cell<u64>>), ReadError> {
        source.seek(SeekFrom::Start(0)).map_err(ReadError::Read)?;
        let line = Rc::new(Cell::new(1));
        let guarded = Self {
            reader: BufReader::with_capacity(BUFFER, source),
            line: Rc::clone(&line),
            text: None,
            escaped: false,
        };
        Ok((guarded, line))
    }

    fn look(&mut self, byte: u8) -> io::Result<()> {
        if byte == b'\n' {
            self.line.set(self.line.get() + 1);
        }
        self.text = match self.text {
            None if byte == b'"' => Some(0),
            None => None,
            Some(_) if byte == b'"' && !self.escaped => None,
            Some(length) if length > limits::TOKEN => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a text without end",
                ));
            }
            Some(length) => Some(length + 1),
        };
        self.escaped = self.text.is_some() && byte == b'\\' && !self.escaped;
        Ok(())
    }
}

impl Read for Guarded<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(target)?;
        for byte in target.get(..read).unwrap_or_default() {
            self.look(*byte)?;
        }
        Ok(read)
    }
}

/// What went wrong, in the words of importers.
pub(super) fn failed(error: &serde_json::Error, line: u64) -> ReadError {
    let malformed = |reason: &'static str| ReadError::Malformed {
        line,
        reason: reason.into(),
    };
    match error.io_error_kind() {
        Some(io::ErrorKind::InvalidData) => malformed("a text without end"),
        Some(kind) => ReadError::Read(kind.into()),
        None if error.is_eof() => ReadError::Truncated { line },
        None if error.is_syntax() => malformed("it breaks the rules of JSON"),
        None => malformed("a value of another form than Health Auto Export writes"),
    }
}

/// Takes the members of an object one by one.
pub(super) trait Members {
    /// Reads the value of `key`.
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Reads an object, or nothing where there is none.
pub(super) struct Object<'m, M>(pub(super) &'m mut M);

impl<'de, M: Members> DeserializeSeed<'de> for Object<'_, M> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, M: Members> Visitor<'de> for Object<'_, M> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.0.member(&key, &mut map)?;
        }
        Ok(())
    }
}

/// Takes the elements of an array one by one.
pub(super) trait Elements {
    /// Reads the next element; says whether there was one.
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error>;
}

/// Reads an array, or nothing where there is none.
pub(super) struct Array<'m, M>(pub(super) &'m mut M);

impl<'de, M: Elements> DeserializeSeed<'de> for Array<'_, M> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, M: Elements> Visitor<'de> for Array<'_, M> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while self.0.element(&mut list)? {}
        Ok(())
    }
}

/// A value that is neither array nor object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Number(f64),
    Text(String),
    /// An array or an object, passed over.
    Nested,
    /// `null`.
    Absent,
}

/// An object of scalars, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields(pub(super) Vec<(String, Scalar)>);

impl Scalar {
    /// A whole number; one that no double holds is rounded, as every reader of JSON does.
    pub(super) fn whole<E: Error>(number: &impl ToString) -> Result<Self, E> {
        let parsed = number.to_string().parse();
        parsed.map(Self::Number).map_err(E::custom)
    }
}

impl Fields {
    /// The number of a name, in any case (`Avg`, `avg`).
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.0.iter().find_map(|(own, value)| match value {
            Scalar::Number(number) if own.eq_ignore_ascii_case(name) => Some(*number),
            _ => None,
        })
    }

    /// The text of a name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(own, value)| match value {
            Scalar::Text(text) if own == name => Some(text.as_str()),
            _ => None,
        })
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldsVisitor)
    }
}

/// What is no object has no fields.
struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Fields, E> {
        Ok(Fields::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Fields, E> {
        Ok(Fields::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Fields, E> {
        Ok(Fields::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Fields, E> {
        Ok(Fields::default())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Fields, E> {
        Ok(Fields::default())
    }

    fn visit_unit<E: Error>(self) -> Result<Fields, E> {
        Ok(Fields::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Fields, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Fields::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<String>()? {
            fields.member(&key, &mut map)?;
        }
        Ok(fields)
    }
}

impl Members for Fields {
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let value = map.next_value()?;
        if self.0.len() < limits::ENTRIES {
            self.0.push((limits::name(key).to_owned(), value));
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
        Scalar::whole(&value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
        match u32::try_from(value) {
            Ok(value) => Ok(Scalar::Number(value.into())),
            Err(_) => Scalar::whole(&value),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nested)
    }
}
