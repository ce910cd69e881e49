use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use prost::Message as _;

use super::*;

fn read(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
    Fields::of(bytes).collect()
}

#[test]
fn fields_are_read_as_they_stand() {
    for (bytes, fields) in [
        (&b""[..], vec![]),
        (b"\x08\x01", vec![(1, Value::Varint(1))]),
        (b"\x0a\x02hi", vec![(1, Value::Bytes(b"hi"))]),
        (b"\x0a\x00\x10\x80\x01", vec![(1, Value::Bytes(b"")), (2, Value::Varint(128))]),
        (b"\x09AAAAAAAA\x0dBBBB", vec![(1, Value::Fixed), (1, Value::Fixed)]),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", vec![(1, Value::Varint(u64::MAX))]),
        // Longer than it need be, which readers take.
        (b"\x8a\x00\x81\x00x", vec![(1, Value::Bytes(b"x"))]),
        (b"\xfa\xff\xff\xff\x0f\x00", vec![(0x1fff_ffff, Value::Bytes(b""))]),
    ] {
        assert_eq!(read(bytes), Ok(fields), "{bytes:?}");
    }
}

#[test]
fn what_is_no_message_is_an_error_and_ends_it() {
    for (bytes, error) in [
        (&b"\x0a"[..], Malformed::Truncated),
        (b"\x0a\x03hi", Malformed::Truncated),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Malformed::Truncated),
        (b"\x08", Malformed::Truncated),
        (b"\x08\x80", Malformed::Truncated),
        (b"\x09AAAAAAA", Malformed::Truncated),
        (b"\x0dBBB", Malformed::Truncated),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", Malformed::Overflow),
        (b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", Malformed::Overflow),
        (b"\x02\x00", Malformed::Key),
        (b"\x0b\x0c", Malformed::Key),
        (b"\x0e", Malformed::Key),
        (b"\x0f", Malformed::Key),
        (b"\x8a\x80\x80\x80\x10\x00", Malformed::Key),
    ] {
        assert_eq!(read(bytes), Err(error), "{bytes:?}");
        let mut fields = Fields::of(bytes);
        assert!(fields.by_ref().any(|field| field.is_err()));
        assert_eq!(fields.next(), None, "{bytes:?}");
    }
}

#[test]
fn values_are_taken_for_what_they_are() {
    assert_eq!(Value::Bytes(b"\xc3\xa9").text(), Ok("é"));
    assert_eq!(Value::Bytes(b"\xff").text(), Err(Malformed::Utf8));
    assert_eq!(Value::Bytes(b"\xff").bytes(), Ok(&b"\xff"[..]));
    for other in [Value::Varint(1), Value::Fixed] {
        assert_eq!(other.bytes(), Err(Malformed::WireType));
        assert_eq!(other.text(), Err(Malformed::WireType));
    }
    let mut field = None;
    assert_eq!(once(&mut field, 1), Ok(()));
    assert_eq!(once(&mut field, 1), Err(Malformed::Twice));
}

#[test]
fn messages_are_written_as_prost_writes_them_however_long() {
    for length in [
        0, 1, 100, 117, 118, 119, 120, 122, 123, 124, 127, 128, 16_000, 16_376, 16_377, 16_383,
        16_384, 2_097_143, 2_097_144, 2_097_151, 2_097_152, 3_000_000,
    ] {
        let value = "x".repeat(length);
        let header = HeaderValue { key: "k".to_owned(), value, ..HeaderValue::default() };
        let map = HeaderMap { headers: vec![header.clone(), HeaderValue::default()] };
        let mut written = Writer::with_capacity(0);
        written.message(1, |written| {
            written.bytes(1, header.key.as_bytes());
            written.bytes(2, header.value.as_bytes());
        });
        written.message(1, |_| {});
        assert_eq!(written.into_bytes(), map.encode_to_vec(), "{length}");
        // The same, with the lengths told before.
        let (key, value) = (header.key.as_bytes(), header.value.as_bytes());
        let mut sized = Writer::with_capacity(0);
        sized.sized(1, length_of_bytes(key) + length_of_bytes(value));
        sized.bytes(1, key);
        sized.bytes(2, value);
        sized.sized(1, 0);
        assert_eq!(sized.into_bytes(), map.encode_to_vec(), "{length}");
        let mut outer = Writer::with_capacity(0);
        outer.message(15, |message| message.whole(value));
        assert_eq!(length_of_sized(length), outer.into_bytes().len(), "{length}");
    }
}
