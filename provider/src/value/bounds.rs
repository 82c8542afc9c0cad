//! How many parts a value may have.
//!
//! One byte on the wire can become a value of many bytes in memory. Parts are counted before
//! anything is made of them, so what a message takes is bounded by its own size and this.

use super::DecodeError;

/// How many values one value may hold, in all. The largest configuration has some thousands.
const MOST: usize = 1 << 20;

/// Counts the parts of a MessagePack value. What is cut or wrong is found by whoever reads it.
pub(super) fn check_msgpack(bytes: &[u8]) -> Result<(), DecodeError> {
    let (mut rest, mut parts) = (bytes, 0_usize);
    while let Some((&marker, content)) = rest.split_first() {
        parts += 1;
        if parts > MOST {
            return Err(too_many());
        }
        rest = content.get(extent(marker, content)..).unwrap_or_default();
    }
    Ok(())
}

/// How many bytes belong to a marker; those of elements do not.
fn extent(marker: u8, content: &[u8]) -> usize {
    match marker {
        // Fixed text; bytes, text and extensions with their length.
        0xa0..=0xbf => usize::from(marker & 0x1f),
        0xc4 | 0xd9 => sized(content, 1, 0),
        0xc5 | 0xda => sized(content, 2, 0),
        0xc6 | 0xdb => sized(content, 4, 0),
        0xc7 => sized(content, 1, 1),
        0xc8 => sized(content, 2, 1),
        0xc9 => sized(content, 4, 1),
        // Numbers.
        0xcc | 0xd0 => 1,
        0xcd | 0xd1 => 2,
        0xca | 0xce | 0xd2 => 4,
        0xcb | 0xcf | 0xd3 => 8,
        // Extensions of a fixed length, with their type.
        0xd4 => 2,
        0xd5 => 3,
        0xd6 => 5,
        0xd7 => 9,
        0xd8 => 17,
        // The lengths of lists and maps.
        0xdc | 0xde => 2,
        0xdd | 0xdf => 4,
        _ => 0,
    }
}

/// The extent of something that says its length in so many bytes, and has some more.
fn sized(content: &[u8], width: usize, more: usize) -> usize {
    let length = content.iter().take(width);
    let length = length.fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
    length.saturating_add(width + more)
}

/// Counts the parts of a JSON value by what stands between them.
pub(super) fn check_json(bytes: &[u8]) -> Result<(), DecodeError> {
    let (mut parts, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => parts += 1,
            _ => {}
        }
        if parts > MOST {
            return Err(too_many());
        }
    }
    Ok(())
}

fn too_many() -> DecodeError {
    DecodeError::new(format!("the value has more than {MOST} parts"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Type, decode_json, decode_msgpack};

    #[test]
    fn a_message_of_nothing_but_parts_is_refused_before_it_is_read() {
        let mut packed = vec![0xdd, 0x02, 0, 0, 0];
        packed.resize(packed.len() + (1 << 25), 0xc0);
        let told = decode_msgpack(&packed, &Type::texts()).unwrap_err().to_string();
        assert_eq!(told, "the value has more than 1048576 parts");
        let json = format!("[{}0]", "0,".repeat(MOST));
        assert_eq!(decode_json(json.as_bytes(), &Type::texts()).unwrap_err().to_string(), told);
    }

    #[test]
    fn text_is_one_part_whatever_it_holds() {
        let text = "[,{\\\",".repeat(MOST);
        let json = serde_json::to_vec(&text).unwrap();
        assert!(check_json(&json).is_ok());
        let mut packed = Vec::new();
        rmpv::encode::write_value(&mut packed, &rmpv::Value::from(text.as_str())).unwrap();
        assert!(check_msgpack(&packed).is_ok());
    }

    #[test]
    fn every_marker_is_as_long_as_it_is() {
        use rmpv::Value;
        let mut all: Vec<Value> = vec![Value::Nil, true.into(), 1.0_f32.into(), 1.0_f64.into()];
        for number in [0_i64, -1, 200, -200, 40_000, -40_000, 1 << 31, -(1 << 40), i64::MAX] {
            all.push(number.into());
        }
        for length in [0, 1, 2, 4, 8, 16, 31, 32, 255, 256, 65_535, 65_536] {
            all.push("x".repeat(length).into());
            all.push(Value::Binary(vec![0xdd; length]));
            all.push(Value::Ext(12, vec![0xdf; length]));
            all.push(Value::Array(vec![Value::Nil; length]));
            all.push(Value::Map(vec![(1.into(), Value::Nil); length]));
        }
        for value in all {
            let elements = value.as_array().map_or(0, Vec::len);
            let parts = 1 + elements + value.as_map().map_or(0, |pairs| pairs.len() * 2);
            let mut packed = Vec::new();
            rmpv::encode::write_value(&mut packed, &value).unwrap();
            let (mut rest, mut counted) = (packed.as_slice(), 0);
            while let Some((&marker, content)) = rest.split_first() {
                rest = &content[extent(marker, content)..];
                counted += 1;
            }
            assert_eq!(counted, parts);
        }
    }
}
